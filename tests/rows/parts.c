// SPDX-License-Identifier: GPL-2.0
/* Mappings of which a part goes, or is copied: the row stays with the mapping. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	8

static bool loaded(void)
{
	if (module_loaded())
		return true;
	ktap_skip("trapscope is not loaded");
	return false;
}

/* The one live row at @address has @faults, and begins at @start. */
static void one_row(const char *what, const char *address,
		       const char *start, unsigned long faults)
{
	struct row row = { 0 };
	size_t found = rows_at(getpid(), address, true, &row);

	ktap_check(found == 1 && row.faults == faults &&
		   row.start == (unsigned long)start,
		   "%s: %zu live rows, the last from %lx with %lu faults, not from %p with %lu",
		   what, found, row.start, row.faults, start, faults);
}

static void unmap_part(bool head)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *half = area + PAGES * PAGE;
	char *rest = head ? half : area;

	if (!loaded())
		return;
	write_pages(area, PAGES - 1);
	write_pages(half, PAGES - 1);
	ktap_need(munmap(head ? area : half, PAGES * PAGE) == 0, "munmap");
	write_pages(rest + (PAGES - 1) * PAGE, 1);
	one_row("what is left", rest, rest, 2 * PAGES - 1);
	area_free(rest, PAGES * PAGE);
}

static void unmap_head(void)
{
	unmap_part(true);
}

static void unmap_tail(void)
{
	unmap_part(false);
}

static void shrink_heap(void)
{
	char *heap = sbrk(0);
	char *start = (char *)(((unsigned long)heap + PAGE - 1) & ~(PAGE - 1));
	struct row before = { 0 }, after = { 0 };

	if (!loaded())
		return;
	ktap_need(brk(start + 2 * PAGES * PAGE) == 0, "brk");
	write_pages(start, 2 * PAGES);
	ktap_check(rows_at(getpid(), start, true, &before) == 1,
		   "the heap has no row");
	ktap_need(brk(start + PAGES * PAGE) == 0, "brk");
	ktap_need(madvise(start, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(start, 1);
	ktap_check(rows_at(getpid(), start, true, &after) == 1 &&
		   after.faults == before.faults + 1 &&
		   after.end == (unsigned long)start + PAGES * PAGE,
		   "%lu faults before, %lu after; the end is %lx",
		   before.faults, after.faults, after.end);
	ktap_need(brk(heap) == 0, "brk");
}

/* Another mapping in the hole must not get the row, though it faults first. */
static void fill_the_hole(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *hole = area + PAGES * PAGE;

	if (!loaded())
		return;
	write_pages(area, PAGES - 1);
	ktap_need(munmap(hole, PAGES * PAGE) == 0, "munmap");
	ktap_need(mmap(hole, PAGES * PAGE, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0) == hole, "mmap");
	read_pages(hole, PAGES);
	write_pages(area + (PAGES - 1) * PAGE, 1);
	one_row("the hole", hole, hole, PAGES);
	one_row("what was left", area, area, PAGES);
	area_free(area, 2 * PAGES * PAGE);
}

/* All parts of a mapping go at once: nothing is left to inherit. */
static void split_then_unmap(void)
{
	char *area = area_new(3 * PAGES, PROT_READ | PROT_WRITE);

	if (!loaded())
		return;
	write_pages(area, 3 * PAGES);
	/* The object becomes the upper part, and is the last to go. */
	ktap_need(mprotect(area + 2 * PAGES * PAGE, PAGES * PAGE,
			   PROT_READ) == 0, "mprotect");
	ktap_need(munmap(area, 3 * PAGES * PAGE) == 0, "munmap");
	ktap_need(mmap(area, 3 * PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0) == area, "mmap");
	write_pages(area, 1);
	one_row("the next mapping", area, area, 1);
	area_free(area, 3 * PAGES * PAGE);
}

/* A new mapping in place of all parts at once, while the last of them still ends. */
static void map_over_split(int flags, int fd)
{
	char *area = area_map(2 * PAGES, PROT_READ | PROT_WRITE, flags, fd);
	char *half = area + PAGES * PAGE;

	if (!loaded())
		return;
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(half, PAGES * PAGE, PROT_READ) == 0, "mprotect");
	ktap_need(mmap(area, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED, fd, 0) == area, "mmap");
	write_pages(area, 1);
	one_row("the next mapping", area, area, 1);
	/* And one part after the other. */
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(half, PAGES * PAGE, PROT_READ) == 0 &&
		  munmap(area, PAGES * PAGE) == 0 &&
		  mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED_NOREPLACE, fd, 0) == area &&
		  munmap(half, PAGES * PAGE) == 0, "replace the parts");
	write_pages(area, 1);
	one_row("the one after that", area, area, 1);
	area_free(area, PAGES * PAGE);
}

/* The new mapping has a row when the last part of the old one goes, and is split then. */
static void replace_and_split(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *half = area + PAGES * PAGE, *quarter = area + PAGES / 2 * PAGE;

	if (!loaded())
		return;
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(half, PAGES * PAGE, PROT_READ) == 0 &&
		  munmap(area, PAGES * PAGE) == 0 &&
		  mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == area,
		  "replace the first half");
	write_pages(area, 1);
	ktap_need(munmap(half, PAGES * PAGE) == 0 &&
		  mprotect(quarter, PAGES / 2 * PAGE, PROT_READ) == 0,
		  "unmap the other half, and split");
	/* Rows say what was so at the last fault. */
	read_pages(quarter, 1);
	write_pages(area + PAGE, 1);
	one_row("the part that did not change", area, area, 1);
	area_free(area, PAGES * PAGE);
}

/* A part is changed, and a hole of another kind reaches over it: the rest is far off. */
static void map_over_part(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *rest = area + 3 * PAGES / 2 * PAGE;

	if (!loaded())
		return;
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(area, PAGES * PAGE, PROT_READ) == 0 &&
		  mmap(area, 3 * PAGES / 2 * PAGE, PROT_NONE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area, "map over it");
	ktap_need(madvise(rest, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(rest, 1);
	one_row("what is left", rest, rest, 2 * PAGES + 1);
	area_free(area, 2 * PAGES * PAGE);
}

/* A part of the same file, of the same look, but from elsewhere in it. */
static void map_elsewhere(void)
{
	int fd = memfd_create("parts", 0);
	char *area, *half;

	ktap_need(fd >= 0 && ftruncate(fd, 8 * PAGES * PAGE) == 0, "memfd");
	area = area_map(2 * PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	half = area + PAGES * PAGE;
	if (!loaded())
		return;
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(half, PAGES * PAGE, PROT_READ) == 0 &&
		  munmap(area, PAGES * PAGE) == 0 &&
		  mmap(area, PAGES * PAGE, PROT_READ, MAP_SHARED |
		       MAP_FIXED_NOREPLACE, fd, 4 * PAGES * PAGE) == area &&
		  munmap(half, PAGES * PAGE) == 0, "replace the parts");
	read_pages(area, 1);
	one_row("another part of the file", area, area, 1);
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void map_private_over_split(void)
{
	map_over_split(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void map_file_over_split(void)
{
	int fd = memfd_create("parts", 0);

	ktap_need(fd >= 0 && ftruncate(fd, 2 * PAGES * PAGE) == 0, "memfd");
	map_over_split(MAP_SHARED, fd);
	close(fd);
}

/* A part is changed, and changed back before anybody faults: it is one mapping still. */
static void there_and_back(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *half = area + PAGES * PAGE;

	if (!loaded())
		return;
	write_pages(area, 2 * PAGES);
	ktap_need(mprotect(half, PAGES * PAGE, PROT_READ) == 0 &&
		  mprotect(half, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0,
		  "mprotect");
	ktap_need(madvise(half, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(half, 1);
	one_row("the whole", half, area, 2 * PAGES + 1);
	area_free(area, 2 * PAGES * PAGE);
}

/* It grew, and no fault told: nothing is left to inherit all the same. */
static void grow_then_unmap(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *more = area + PAGES * PAGE;

	if (!loaded())
		return;
	ktap_need(munmap(more, PAGES * PAGE) == 0, "munmap");
	write_pages(area, PAGES);
	ktap_need(mmap(more, PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0) == more, "mmap");
	ktap_need(munmap(area, 2 * PAGES * PAGE) == 0, "munmap");
	ktap_need(mmap(area, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0) == area, "mmap");
	write_pages(area, 1);
	one_row("the next mapping", area, area, 1);
	area_free(area, 2 * PAGES * PAGE);
}

/* mremap of length 0 shows shared memory at a second place. */
static void second_place(void)
{
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1);
	char *second;

	if (!loaded())
		return;
	write_pages(area, PAGES / 2);
	second = mremap(area, 0, PAGES * PAGE, MREMAP_MAYMOVE);
	ktap_need(second != MAP_FAILED, "mremap");
	write_pages(area + PAGES / 2 * PAGE, PAGES / 2);
	write_pages(second, 1);
	one_row("the first place", area, area, PAGES);
	one_row("the second place", second, second, 1);
	ktap_need(munmap(second, PAGES * PAGE) == 0, "munmap");
	area_free(area, PAGES * PAGE);
}

/* One page moves away; the row stays with the others. */
static void move_a_part(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *part = area + PAGES * PAGE;
	char *moved = area_new(1, PROT_NONE);

	if (!loaded())
		return;
	write_pages(area, PAGES);
	write_pages(part, 1);
	ktap_need(mremap(part, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			 moved) == moved, "mremap");
	ktap_need(madvise(area, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(area, 1);
	ktap_need(madvise(moved, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(moved, 1);
	one_row("what stayed", area, area, PAGES + 2);
	one_row("what moved", moved, moved, 1);
	area_free(moved, PAGE);
	area_free(area, 2 * PAGES * PAGE);
}

/* Its pages move away, and it stays: so does the row. */
static void move_the_pages(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	char *moved;

	if (!loaded())
		return;
	write_pages(area, PAGES);
	moved = mremap(area, PAGES * PAGE, PAGES * PAGE,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ktap_need(moved != MAP_FAILED, "mremap");
	write_pages(area, PAGES);
	one_row("what stayed", area, area, 2 * PAGES);
	area_free(area, PAGES * PAGE);
	ktap_need(madvise(moved, PAGE, MADV_DONTNEED) == 0, "madvise");
	write_pages(moved, 1);
	one_row("what moved", moved, moved, 1);
	ktap_need(munmap(moved, PAGES * PAGE) == 0, "munmap");
}

static const struct ktap_case cases[] = {
	{ "a mapping whose first half is unmapped", unmap_head },
	{ "a mapping whose last half is unmapped", unmap_tail },
	{ "a heap that shrinks", shrink_heap },
	{ "a new mapping where half of one was", fill_the_hole },
	{ "a mapping after one that was split", split_then_unmap },
	{ "a mapping in place of one that was split", map_private_over_split },
	{ "the same with one file", map_file_over_split },
	{ "a mapping in place of a part, split when the other part is gone", replace_and_split },
	{ "a mapping in place of a part that changed, and more", map_over_part },
	{ "another part of the file in place of one", map_elsewhere },
	{ "a part that is changed, and changed back", there_and_back },
	{ "a mapping after one that had grown", grow_then_unmap },
	{ "shared memory at a second place", second_place },
	{ "a part that moves away", move_a_part },
	{ "a mapping that stays when its pages move", move_the_pages },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}
