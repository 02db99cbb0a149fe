// SPDX-License-Identifier: GPL-2.0
/* Huge pages from the hugetlb pool. */
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"

#define COUNT	2
#define POOL	"/proc/sys/vm/nr_hugepages"

static void touch_each(char *area)
{
	for (size_t i = 0; i < COUNT; i++)
		touch_write(area + i * HUGE);
}

static void hugetlb_private(void)
{
	char *area = area_huge(COUNT, PROT_READ | PROT_WRITE, MAP_HUGETLB);

	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("hugetlb:%d", COUNT);
	area_free(area, COUNT * HUGE);
}

static void hugetlb_read(void)
{
	char *area = area_huge(COUNT, PROT_READ | PROT_WRITE, MAP_HUGETLB);

	watch_start(area);
	for (size_t i = 0; i < COUNT; i++)
		touch_read(area + i * HUGE);
	watch_stop();
	expect("hugetlb:%d", COUNT);
	area_free(area, COUNT * HUGE);
}

static void cow_hugetlb_copy(void)
{
	char *area = area_huge(COUNT, PROT_READ | PROT_WRITE, MAP_HUGETLB);
	pid_t child;

	touch_each(area);
	child = child_hold();
	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("cow-hugetlb:%d", COUNT);
	child_end(child);
	area_free(area, COUNT * HUGE);
}

static void cow_hugetlb_reuse(void)
{
	char *area = area_huge(COUNT, PROT_READ | PROT_WRITE, MAP_HUGETLB);

	touch_each(area);
	child_end(child_hold());
	watch_start(area);
	touch_each(area);
	watch_stop();
	expect("cow-hugetlb:%d", COUNT);
	area_free(area, COUNT * HUGE);
}

static const struct ktap_case cases[] = {
	{ "hugetlb: pages that are written", hugetlb_private },
	{ "hugetlb: pages that are read", hugetlb_read },
	{ "cow-hugetlb: pages that a child holds too", cow_hugetlb_copy },
	{ "cow-hugetlb: pages of a child that ended", cow_hugetlb_reuse },
};

int main(void)
{
	char pool[32];

	if (!knob_set(POOL, "8"))
		ktap_skip_all("no " POOL);
	if (!file_read(POOL, pool, sizeof(pool)) || atoi(pool) < 2 * COUNT)
		ktap_skip_all("no memory for %d huge pages: give the guest more",
			      2 * COUNT);
	return fault_main(cases, ARRAY_SIZE(cases));
}
