// SPDX-License-Identifier: GPL-2.0
/* A VMA that changes its size or place keeps its row. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	8

/* One row over all of [start, end), with that many faults of that class. */
static void check_one_row(const char *start, const char *end,
			  const char *class, unsigned long faults)
{
	struct row row;
	size_t first, last;

	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	last = rows_at(getpid(), end - 1, true, &row);
	first = rows_at(getpid(), start, true, &row);
	if (!ktap_check(first == 1 && last == 1,
			"%zu rows at the start, %zu at the end", first, last))
		return;
	ktap_check(row.start == (unsigned long)start &&
		   row.end == (unsigned long)end,
		   "the row is %lx-%lx, not %p-%p", row.start, row.end, start,
		   end);
	ktap_check(row.faults == faults &&
		   row.classes[class_index(class)] == faults,
		   "the row has %lu faults, %s:%lu, not %lu", row.faults,
		   class, row.classes[class_index(class)], faults);
}

static char *map_fixed(char *at, size_t pages)
{
	char *area = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ktap_need(area == at, "mmap");
	return area;
}

static void merge_after(void)
{
	char *room = area_new(3 * PAGES, PROT_NONE);
	char *area = map_fixed(room + PAGE, PAGES);

	write_pages(area, PAGES);
	map_fixed(area + PAGES * PAGE, PAGES);
	write_pages(area + PAGES * PAGE, PAGES);
	check_one_row(area, area + 2 * PAGES * PAGE, "anon-alloc", 2 * PAGES);
	area_free(room, 3 * PAGES * PAGE);
}

static void merge_before(void)
{
	char *room = area_new(3 * PAGES, PROT_NONE);
	char *area = map_fixed(room + 2 * PAGES * PAGE - PAGE, PAGES);

	write_pages(area, PAGES);
	map_fixed(area - PAGES * PAGE, PAGES);
	write_pages(area - PAGES * PAGE, PAGES);
	check_one_row(area - PAGES * PAGE, area + PAGES * PAGE, "anon-alloc",
		      2 * PAGES);
	area_free(room, 3 * PAGES * PAGE);
}

static void heap(void)
{
	char *old = sbrk(0);
	char *start;
	struct row before, after;

	/* From a page's start on, so that what is touched is new. */
	start = (char *)(((unsigned long)old + PAGE - 1) & ~(PAGE - 1));
	ktap_need(sbrk(start - old + PAGES * PAGE) == old, "sbrk");
	write_pages(start, PAGES);
	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	ktap_check(rows_at(getpid(), start, true, &before) == 1,
		   "not one row of the heap");
	ktap_need(sbrk(PAGES * PAGE) != (void *)-1, "sbrk");
	write_pages(start + PAGES * PAGE, PAGES);
	ktap_check(rows_at(getpid(), start, true, &after) == 1,
		   "not one row of the grown heap");
	ktap_check(after.start == before.start &&
		   after.end == before.end + PAGES * PAGE &&
		   after.faults == before.faults + PAGES,
		   "the row went from %lx-%lx with %lu to %lx-%lx with %lu",
		   before.start, before.end, before.faults, after.start,
		   after.end, after.faults);
}

static void stack(void)
{
	char *room = area_new(600, PROT_NONE);
	char *top = room + 599 * PAGE;

	area_free(room, 599 * PAGE);
	ktap_need(mmap(top, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED,
		       -1, 0) == top, "MAP_GROWSDOWN");
	for (size_t i = 1; i <= PAGES; i++)
		touch_write(top - i * PAGE);
	check_one_row(top - PAGES * PAGE, top + PAGE, "stack-growth", PAGES);
	area_free(top - PAGES * PAGE, (PAGES + 1) * PAGE);
}

static void remap_in_place(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);

	area_free(area + PAGES * PAGE, PAGES * PAGE);
	write_pages(area, PAGES);
	ktap_need(mremap(area, PAGES * PAGE, 2 * PAGES * PAGE, 0) == area,
		  "mremap");
	write_pages(area + PAGES * PAGE, PAGES);
	check_one_row(area, area + 2 * PAGES * PAGE, "anon-alloc", 2 * PAGES);
	area_free(area, 2 * PAGES * PAGE);
}

static void remap_elsewhere(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	char *room = area_new(4 * PAGES, PROT_NONE);
	char *target = room + PAGES * PAGE;

	write_pages(area, PAGES);
	ktap_need(mremap(area, PAGES * PAGE, 2 * PAGES * PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, target) == target,
		  "mremap");
	write_pages(target + PAGES * PAGE, PAGES);
	check_one_row(target, target + 2 * PAGES * PAGE, "anon-alloc",
		      2 * PAGES);
	area_free(room, 4 * PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "a mapping that merges with the one before it", merge_after },
	{ "a mapping that merges with the one behind it", merge_before },
	{ "the heap", heap },
	{ "a stack", stack },
	{ "mremap in place", remap_in_place },
	{ "mremap to another place", remap_elsewhere },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}
