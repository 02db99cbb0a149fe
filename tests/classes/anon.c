// SPDX-License-Identifier: GPL-2.0
/* Anonymous memory that is touched for the first time. */
#include <sys/mman.h>

#include "fault.h"

#define PAGES	16

static void anon_zero(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("anon-zero:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void anon_zero_read_only(void)
{
	char *area = area_new(PAGES, PROT_READ);

	watch_start(area);
	read_pages(area, PAGES);
	watch_stop();
	expect("anon-zero:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void anon_alloc(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void anon_populate(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	watch_start(area);
	ktap_need(madvise(area, PAGES * PAGE, MADV_POPULATE_WRITE) == 0,
		  "MADV_POPULATE_WRITE");
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void anon_again(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	write_pages(area, PAGES);
	ktap_need(madvise(area, PAGES * PAGE, MADV_DONTNEED) == 0,
		  "MADV_DONTNEED");
	watch_start(area);
	write_pages(area, PAGES);
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void no_fault(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	write_pages(area, PAGES);
	watch_start(area);
	write_pages(area, PAGES);
	read_pages(area, PAGES);
	watch_stop();
	expect("anon-alloc:0");
	area_free(area, PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "anon-zero: pages that are read", anon_zero },
	{ "anon-zero: pages of a read-only mapping", anon_zero_read_only },
	{ "anon-alloc: pages that are written", anon_alloc },
	{ "anon-alloc: pages that the kernel populates", anon_populate },
	{ "anon-alloc: pages that were given back", anon_again },
	{ "nothing: pages that are there", no_fault },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}
