// SPDX-License-Identifier: GPL-2.0
/* Transparent huge pages, and writes to huge pages that are shared. */
#include <sys/mman.h>

#include "fault.h"

#define COUNT	2
#define THP	"/sys/kernel/mm/transparent_hugepage/"

static char *new_area(void)
{
	char *area = area_huge(COUNT, PROT_READ | PROT_WRITE, 0);

	ktap_need(madvise(area, COUNT * HUGE, MADV_HUGEPAGE) == 0,
		  "MADV_HUGEPAGE");
	return area;
}

static void touch_each(char *area)
{
	for (size_t i = 0; i < COUNT; i++)
		touch_write(area + i * HUGE);
}

static void anon_huge(void)
{
	unsigned long allocated = vmstat("thp_fault_alloc");
	char *area = new_area();

	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("anon-huge:%d", COUNT);
	allocated = vmstat("thp_fault_alloc") - allocated;
	ktap_check(allocated == COUNT, "thp_fault_alloc grew by %lu, not %d",
		   allocated, COUNT);
	area_free(area, COUNT * HUGE);
}

static void huge_zero(void)
{
	char *area = new_area();

	watch_start(area);
	for (size_t i = 0; i < COUNT; i++)
		touch_read(area + i * HUGE);
	watch_stop();
	expect("anon-zero:%d", COUNT);

	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("cow-zero:%d", COUNT);
	area_free(area, COUNT * HUGE);
}

/* The holder is gone: the huge pages are made writable as they are. */
static void cow_huge_reuse(void)
{
	char *area = new_area();

	touch_each(area);
	child_end(child_hold());
	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("cow-huge:%d", COUNT);
	area_free(area, COUNT * HUGE);
}

/* The holder lives: the huge mapping is split, and one small page copied. */
static void cow_huge_split(void)
{
	char *area = new_area();
	pid_t child;

	touch_each(area);
	child = child_hold();
	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("cow-huge:%d", COUNT);

	watch_start(area);
	for (size_t i = 0; i < COUNT; i++)
		touch_write(area + i * HUGE + PAGE);
	watch_stop();
	expect("cow-copy:%d", COUNT);
	child_end(child);
	area_free(area, COUNT * HUGE);
}

static const struct ktap_case cases[] = {
	{ "anon-huge: huge pages that are written", anon_huge },
	{ "anon-zero, cow-zero: the huge zero page", huge_zero },
	{ "cow-huge: huge pages of a child that ended", cow_huge_reuse },
	{ "cow-huge: huge pages of a child that lives", cow_huge_split },
};

int main(void)
{
	if (!knob_set(THP "enabled", "madvise"))
		ktap_skip_all("no transparent huge pages");
	knob_set(THP "defrag", "madvise");
	knob_set(THP "use_zero_page", "1");
	/* Pages on their way to another CPU's LRU list would be copied. */
	pin_to_cpu(0);
	return fault_main(cases, ARRAY_SIZE(cases));
}
