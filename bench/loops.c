// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that fault a known number of times, and what that takes:
 *
 *   loops OUTPUT LOOP...     (all of them without a name)
 *
 * appends a line "LOOP FAULTS LEAST ALL WHOLE" for each to OUTPUT. LEAST is the
 * instructions that FAULTS faults took, in the quickest of the repeats. WHOLE is the
 * instructions of all repeats from first to last, with what came between and whoever
 * else ran, and ALL the faults in them. At the end "total FAULTS", those of all loops,
 * without what comes between. It is for a guest in which the TSC counts instructions
 * (docs/bench.md).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "mark.h"

#define PAGE		4096UL
#define TABLE		(2UL << 20)	/* what one table of page entries maps */
#define FAULTS		100		/* with one more page: within one table */
#define STORM		1000
#define WORK		10000	/* faults of a loop in all; */
#define REPEATS		20	/* more of them, if that is not as many repeats */

/* The loops work on these pages; the page before them stays mapped. */
static char *area;
static char *storm_page[STORM];
static int file = -1;
static pid_t child;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "loops: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_page(char *page)
{
	*(volatile char *)page = 1;
}

static void read_page(const char *page)
{
	*(const volatile char *)page;
}

/* Address space at the start of a table's range, with a gap below and above. */
static char *room(size_t bytes)
{
	char *start = mmap(NULL, bytes + 3 * TABLE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	need(start != MAP_FAILED, "reserve address space");
	return (char *)(((unsigned long)start + 2 * TABLE - 1) & -TABLE);
}

/*
 * Whoever maps the first page has to make the page table, and an anon_vma; that page
 * stays, so that the loop's faults are all alike, in every repeat.
 */
static void map(int flags)
{
	area = mmap(room(TABLE), (FAULTS + 1) * PAGE, PROT_READ | PROT_WRITE,
		    flags | MAP_FIXED, file, 0);
	need(area != MAP_FAILED, "map the area");
	write_page(area);
	area += PAGE;
}

static void map_anonymous(void)
{
	file = -1;
	map(MAP_PRIVATE | MAP_ANONYMOUS);
}

static void make_file(void)
{
	char *all;

	file = memfd_create("bench", 0);
	need(file >= 0 && ftruncate(file, (FAULTS + 1) * PAGE) == 0, "memfd");
	all = mmap(NULL, (FAULTS + 1) * PAGE, PROT_WRITE, MAP_SHARED, file, 0);
	need(all != MAP_FAILED, "map the memfd");
	for (size_t i = 0; i <= FAULTS; i++)
		write_page(all + i * PAGE);
	munmap(all, (FAULTS + 1) * PAGE);
}

static void map_shared(void)
{
	make_file();
	map(MAP_SHARED);
}

static void map_private(void)
{
	make_file();
	map(MAP_PRIVATE);
}

static void forget(void)
{
	need(madvise(area, FAULTS * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
}

static void write_all(void)
{
	for (size_t i = 0; i < FAULTS; i++)
		write_page(area + i * PAGE);
}

static void read_all(void)
{
	for (size_t i = 0; i < FAULTS; i++)
		read_page(area + i * PAGE);
}

static void unmap(void)
{
	munmap(area - PAGE, (FAULTS + 1) * PAGE);
	if (file >= 0)
		close(file);
	file = -1;
}

/* What this program writes to itself, the stack among it. */
static struct range {
	char *start;
	char *end;
} own[16];

static void find_own(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	char perms[8];
	size_t count = 0;

	need(maps != NULL, "/proc/self/maps");
	while (fgets(line, sizeof(line), maps)) {
		struct range *range = &own[count];

		if (sscanf(line, "%p-%p %7s", (void **)&range->start,
			   (void **)&range->end, perms) != 3 || perms[1] != 'w')
			continue;
		need(++count < sizeof(own) / sizeof(own[0]), "too many mappings");
	}
	own[count] = (struct range){ NULL, NULL };
	fclose(maps);
}

/* After a fork it is shared with the child: that must not cause faults in the loop. */
static void take_own(void)
{
	for (struct range *range = own; range->start; range++)
		need(madvise(range->start, range->end - range->start,
			     MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE");
}

/* A child that has a share in every page, and is asleep. */
static void fork_child(void)
{
	int pipes[2];
	char byte;

	forget();
	write_all();
	need(pipe(pipes) == 0, "pipe");
	child = fork();
	need(child >= 0, "fork");
	if (child == 0) {
		need(write(pipes[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	need(read(pipes[0], &byte, 1) == 1, "wait for the child");
	close(pipes[0]);
	close(pipes[1]);
	take_own();
}

static void end_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Not all zeros, or the page would not be written to the device. */
static void page_out(void)
{
	write_all();
	need(madvise(area, FAULTS * PAGE, MADV_PAGEOUT) == 0, "MADV_PAGEOUT");
}

/* The top page of a stack, at the end of its page table's range. */
static void map_stack(void)
{
	char *top = room(2 * TABLE) + TABLE;

	/* A stack keeps its distance from what is mapped below it. */
	munmap(top - 2 * TABLE, 2 * TABLE);
	top -= PAGE;
	area = mmap(top, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	need(area == top, "map a stack");
	write_page(area);
}

static void grow(void)
{
	for (size_t i = 1; i <= FAULTS; i++)
		write_page(area - i * PAGE);
}

static void unmap_stack(void)
{
	munmap(area - FAULTS * PAGE, (FAULTS + 1) * PAGE);
}

/*
 * So many mappings of two pages, none of which merge. The first page of each is
 * there; the second ones of STORM of them are faulted in, in no order.
 */
static size_t mappings;
static char *storm;

static void map_storm(void)
{
	size_t bytes = (mappings == 1 ? STORM : mappings) * 2 * PAGE;
	int prot = PROT_READ | PROT_WRITE;
	size_t step, place;

	storm = mmap(room(bytes), bytes, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	need(storm != MAP_FAILED, "map the storm");
	for (size_t i = 1; i < mappings; i += 2)
		need(mprotect(storm + 2 * i * PAGE, 2 * PAGE,
			      prot | PROT_EXEC) == 0,
		     "mprotect (is vm.max_map_count large enough?)");
	for (size_t i = 0; i < bytes; i += 2 * PAGE)
		read_page(storm + i);

	/* 387 and 1000 have no common divisor: every one has its turn. */
	step = bytes / STORM / (2 * PAGE) * 2 * PAGE;
	place = 0;
	for (size_t i = 0; i < STORM; i++) {
		write_page(storm + place * step);
		storm_page[i] = storm + place * step + PAGE;
		place = (place + 387) % STORM;
	}
}

static void forget_storm(void)
{
	for (size_t i = 0; i < STORM; i++)
		need(madvise(storm_page[i], PAGE, MADV_DONTNEED) == 0,
		     "MADV_DONTNEED");
}

static void write_storm(void)
{
	for (size_t i = 0; i < STORM; i++)
		write_page(storm_page[i]);
}

static void unmap_storm(void)
{
	munmap(storm, (mappings == 1 ? STORM : mappings) * 2 * PAGE);
}

static void map_storm_1(void)
{
	mappings = 1;
	map_storm();
}

static void map_storm_1000(void)
{
	mappings = 1000;
	map_storm();
}

static void map_storm_60000(void)
{
	mappings = 60000;
	map_storm();
}

static void nothing(void)
{
}

static const struct loop {
	const char *name;
	size_t faults;
	void (*begin)(void);	/* once */
	void (*prepare)(void);	/* before each repeat */
	void (*run)(void);	/* what is measured */
	void (*tidy)(void);	/* after each repeat */
	void (*end)(void);
	int apart;		/* only if it is named */
} loops[] = {
	{ "anon-write", FAULTS, map_anonymous, forget, write_all, nothing, unmap, 0 },
	{ "anon-read", FAULTS, map_anonymous, forget, read_all, nothing, unmap, 0 },
	{ "shared-file", FAULTS, map_shared, forget, read_all, nothing, unmap, 0 },
	{ "file-cow", FAULTS, map_private, forget, write_all, nothing, unmap, 0 },
	{ "fork-cow", FAULTS, map_anonymous, fork_child, write_all, end_child, unmap, 0 },
	{ "swap-in", FAULTS, map_anonymous, page_out, read_all, nothing, unmap, 0 },
	{ "stack", FAULTS, nothing, map_stack, grow, unmap_stack, nothing, 0 },
	{ "storm-1000", STORM, map_storm_1000, forget_storm, write_storm, nothing, unmap_storm, 0 },
	{ "storm-1", STORM, map_storm_1, forget_storm, write_storm, nothing, unmap_storm, 1 },
	{ "storm-60000", STORM, map_storm_60000, forget_storm, write_storm, nothing, unmap_storm, 1 },
};

static long total;

static long faults_of(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static long faults_in_all(void)
{
	return faults_of(RUSAGE_SELF) + faults_of(RUSAGE_CHILDREN);
}

static unsigned long repeat(const struct loop *loop)
{
	unsigned long taken;
	long faults;

	loop->prepare();
	faults = faults_of(RUSAGE_SELF);
	mark_begin();
	taken = __rdtsc();
	loop->run();
	taken = __rdtsc() - taken;
	mark_end();
	faults = faults_of(RUSAGE_SELF) - faults;
	loop->tidy();
	total += faults;
	if (faults != (long)loop->faults) {
		fprintf(stderr, "loops: %s: %ld faults, not %zu: what it counts is not what it says\n",
			loop->name, faults, loop->faults);
		exit(1);
	}
	return taken;
}

static void measure(const struct loop *loop, FILE *output)
{
	unsigned long least = ~0UL, whole, taken;
	size_t repeats = WORK / loop->faults;
	long all;

	if (repeats < REPEATS)
		repeats = REPEATS;
	loop->begin();
	/* The first time, much happens that doesn't happen again. */
	repeat(loop);
	all = faults_in_all();
	whole = __rdtsc();
	for (size_t i = 0; i < repeats; i++) {
		taken = repeat(loop);
		if (taken < least)
			least = taken;
	}
	whole = __rdtsc() - whole;
	all = faults_in_all() - all;
	loop->end();
	fprintf(output, "%s %zu %lu %ld %lu\n", loop->name, loop->faults,
		least, all, whole);
	fflush(output);
}

int main(int argc, char **argv)
{
	FILE *output;

	need(argc >= 2, "usage: loops OUTPUT LOOP...");
	output = fopen(argv[1], "ae");
	need(output != NULL, argv[1]);
	find_own();
	/* Its page is there before it counts. */
	mark_end();
	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		int wanted = argc == 2 && !loops[i].apart;

		for (int j = 2; j < argc; j++)
			wanted |= strcmp(argv[j], loops[i].name) == 0;
		if (wanted)
			measure(&loops[i], output);
	}
	fprintf(output, "total %ld\n", total);
	fclose(output);
	return 0;
}
