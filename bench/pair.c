// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads that fault at the same time, each on a processor of its own and in a
 * mapping of its own, or with the argument "same" in two halves of one; bench/shared
 * has it watched.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mark.h"

#define PAGE	4096UL
#define TABLE	(2UL << 20)
#define FAULTS	100
#define REPEATS	8

static pthread_barrier_t together;
static char *area[2];

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pair: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_page(char *page)
{
	*(volatile char *)page = 1;
}

/* A table of page entries of its own; the first page stays. */
static char *map(size_t pages)
{
	char *room = mmap(NULL, 3 * TABLE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *start = (char *)(((unsigned long)room + TABLE - 1) & -TABLE);

	need(room != MAP_FAILED, "reserve address space");
	start = mmap(start, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	need(start != MAP_FAILED, "map");
	write_page(start);
	return start + PAGE;
}

static void *fault(void *own)
{
	struct sched_param first = { .sched_priority = 1 };
	char *pages = *(char **)own;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((char **)own - area, &set);
	need(sched_setaffinity(0, sizeof(set), &set) == 0, "run on a CPU");
	/* Nobody else runs there meanwhile. */
	need(sched_setscheduler(0, SCHED_FIFO, &first) == 0, "SCHED_FIFO");
	/* Its page is there before anything is watched. */
	mark_end();
	for (int repeat = 0; repeat <= REPEATS; repeat++) {
		need(madvise(pages, FAULTS * PAGE, MADV_DONTNEED) == 0,
		     "MADV_DONTNEED");
		pthread_barrier_wait(&together);
		/* The first time, much happens that doesn't happen again. */
		if (repeat)
			mark_begin();
		for (size_t i = 0; i < FAULTS; i++)
			write_page(pages + i * PAGE);
		if (repeat)
			mark_end();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 1 && strcmp(argv[1], "same") == 0) {
		area[0] = map(2 * FAULTS);
		area[1] = area[0] + FAULTS * PAGE;
	} else {
		area[0] = map(FAULTS);
		area[1] = map(FAULTS);
	}
	need(pthread_barrier_init(&together, NULL, 2) == 0, "barrier");
	need(pthread_create(&thread, NULL, fault, &area[1]) == 0, "thread");
	fault(&area[0]);
	pthread_join(thread, NULL);
	return 0;
}
