// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of one place, one after the other as fast as it goes, each of another
 * file; and mappings that are split and merged. The rows of each file must have
 * the faults of that file, to the number.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "storm.h"

#define FILES		32
#define THREADS		4
#define OF_A_THREAD	(FILES / THREADS)
#define ROUNDS		800
#define PAGES		16

static struct file {
	int fd;
	unsigned long inode;
	unsigned long start;
	/* By getrusage of the thread that faulted. */
	unsigned long faults;
	unsigned long in_rows;
} files[FILES];

static unsigned long thread_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void make_files(void)
{
	struct stat stat;

	for (size_t i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "rows-%zu", i);
		files[i].fd = memfd_create(name, 0);
		ktap_need(files[i].fd >= 0 &&
			  ftruncate(files[i].fd, PAGES * PAGE) == 0 &&
			  fstat(files[i].fd, &stat) == 0, "memfd %zu", i);
		files[i].inode = stat.st_ino;
		files[i].faults = 0;
		files[i].in_rows = 0;
	}
	ktap_need(file_write(TRAPSCOPE "/reset", "1") == 0, "reset");
}

static bool add_row(const struct row *row, void *data)
{
	(void)data;
	for (size_t i = 0; i < FILES; i++) {
		unsigned long classes = row->classes[class_index("file-read")] +
			row->classes[class_index("file-write")] +
			row->classes[class_index("spurious")] +
			row->classes[class_index("write-notify")];

		if (row->pid != getpid() || row->inode != files[i].inode)
			continue;
		files[i].in_rows += row->faults;
		ktap_check(classes == row->faults,
			   "a row of file %zu has classes of other mappings: %lu of %lu",
			   i, classes, row->faults);
		ktap_check(!files[i].start || row->start == files[i].start,
			   "a row of file %zu is at %lx, not %lx", i,
			   row->start, files[i].start);
	}
	return true;
}

/* With the hooks off: rows that make room move, also while they are read. */
static void read_rows(void)
{
	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0, "0 to enable");
	rows_each(add_row, NULL);
	ktap_need(file_write(TRAPSCOPE "/enable", "1") == 0, "1 to enable");
}

static void compare_files(void)
{
	unsigned long sum = 0;

	ktap_check(status_value("faults_evicted") == 0 &&
		   status_value("faults_without_row") == 0,
		   "%lu faults were evicted, %lu have no row",
		   status_value("faults_evicted"),
		   status_value("faults_without_row"));
	read_rows();
	for (size_t i = 0; i < FILES; i++) {
		ktap_check(files[i].faults == files[i].in_rows,
			   "file %zu: its rows have %lu faults, not %lu", i,
			   files[i].in_rows, files[i].faults);
		sum += files[i].faults;
		close(files[i].fd);
	}
	ktap_diag("%lu faults in %d files", sum, FILES);
	ktap_check(sum > 0, "no faults");
}

struct mapper {
	pthread_t id;
	size_t number;
	char *place;
};

/* Every thread has a place and files of its own, but they share the slab. */
static void *map_again(void *data)
{
	struct mapper *mapper = data;
	size_t number = 0;

	storm_seed(mapper->number + 1);
	for (int round = 0; round < ROUNDS; round++) {
		size_t pages = 1 + storm_below(PAGES);
		unsigned long before;
		size_t i;

		/* Never the one before: its row would hide what it took from this one's. */
		number = (number + 1 + storm_below(OF_A_THREAD - 1)) % OF_A_THREAD;
		i = mapper->number + THREADS * number;
		if (mmap(mapper->place, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, files[i].fd, 0) !=
		    mapper->place)
			return "mmap";
		files[i].start = (unsigned long)mapper->place;
		before = thread_faults();
		write_pages(mapper->place, 1 + storm_below(pages));
		files[i].faults += thread_faults() - before;
		/* Or the next one replaces it. */
		if (storm_below(2))
			munmap(mapper->place, pages * PAGE);
	}
	return NULL;
}

static void same_place(void)
{
	struct mapper mappers[THREADS];
	void *failed;

	make_files();
	for (size_t i = 0; i < THREADS; i++) {
		mappers[i].number = i;
		mappers[i].place = area_new(PAGES, PROT_NONE);
	}
	for (size_t i = 0; i < THREADS; i++)
		ktap_need(pthread_create(&mappers[i].id, NULL, map_again,
					 &mappers[i]) == 0, "pthread_create");
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(mappers[i].id, &failed);
		ktap_check(!failed, "%s failed", (char *)failed);
		area_free(mappers[i].place, PAGES * PAGE);
	}
	compare_files();
}

/* One access to each page that may be read, or written. */
static void touch(size_t i, char *place, const int *prots)
{
	unsigned long before = thread_faults();

	for (size_t page = 0; page < PAGES; page++)
		if (prots[page] & PROT_WRITE)
			touch_write(place + page * PAGE);
		else if (prots[page] & PROT_READ)
			touch_read(place + page * PAGE);
	files[i].faults += thread_faults() - before;
}

static struct part {
	unsigned long start, end, faults;
	char perms[8];
} wanted;

static bool add_part(const struct row *row, void *data)
{
	(void)data;
	if (row->pid == getpid() && row->live && row->start == wanted.start &&
	    row->end == wanted.end && strcmp(row->perms, wanted.perms) == 0)
		wanted.faults += row->faults;
	return true;
}

/* Faults of what has the mapping's columns. */
static unsigned long faults_of(const struct part *part)
{
	wanted = *part;
	wanted.faults = 0;
	rows_each(add_part, NULL);
	return wanted.faults;
}

/* One fault in the first page of a mapping of that file. */
static void fault_once(size_t file, const struct part *part)
{
	unsigned long before = thread_faults();

	ktap_need(madvise((void *)part->start, PAGE, MADV_DONTNEED) == 0,
		  "madvise");
	touch_read((void *)part->start);
	files[file].faults += thread_faults() - before;
}

/*
 * What is left of the mappings in @area, each with its own number of faults: its row has
 * just so many more, and no neighbour's.
 */
static void compare_parts(char *area)
{
	static struct part parts[FILES * PAGES];
	unsigned long first = (unsigned long)area;
	size_t count = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (count < ARRAY_SIZE(parts) && fgets(line, sizeof(line), maps)) {
		struct part *part = &parts[count];

		count += sscanf(line, "%lx-%lx %7s", &part->start, &part->end,
				part->perms) == 3 && part->perms[0] == 'r' &&
			 part->start >= first &&
			 part->end <= first + FILES * PAGES * PAGE;
	}
	fclose(maps);
	/* Rows say what was so at the last fault. */
	for (size_t i = 0; i < count; i++)
		fault_once((parts[i].start - first) / (PAGES * PAGE), &parts[i]);
	for (size_t i = 0; i < count; i++)
		parts[i].faults = faults_of(&parts[i]);
	for (size_t i = 0; i < count; i++)
		for (size_t times = 0; times < 1 + i % 3; times++)
			fault_once((parts[i].start - first) / (PAGES * PAGE), &parts[i]);
	for (size_t i = 0; i < count; i++) {
		unsigned long more = faults_of(&parts[i]) - parts[i].faults;

		ktap_check(more == 1 + i % 3, "%lx-%lx had %zu faults, its row %lu",
			   parts[i].start, parts[i].end, 1 + i % 3, more);
	}
	ktap_diag("%zu mappings were left", count);
	ktap_check(count > FILES, "%zu mappings: none is split", count);
}

static void split_and_merge(void)
{
	static int prots[FILES][PAGES];
	char *area = area_new(FILES * PAGES, PROT_NONE);

	make_files();
	storm_seed(1);
	for (size_t i = 0; i < FILES; i++) {
		files[i].start = 0;
		ktap_need(mmap(area + i * PAGES * PAGE, PAGES * PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			       files[i].fd, 0) != MAP_FAILED, "mmap");
		for (size_t page = 0; page < PAGES; page++)
			prots[i][page] = PROT_READ | PROT_WRITE;
	}
	for (int round = 0; round < 2 * ROUNDS; round++) {
		static const int kinds[] = {
			PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
			PROT_READ | PROT_WRITE,
		};
		size_t i = storm_below(FILES);
		size_t first = storm_below(PAGES);
		size_t count = 1 + storm_below(PAGES - first);
		int kind = kinds[storm_below(ARRAY_SIZE(kinds))];
		char *place = area + i * PAGES * PAGE;
		char *part = place + first * PAGE;

		switch (storm_below(3)) {
		case 0:
			/* A part goes, and comes back with what it had. */
			munmap(part, count * PAGE);
			if (mmap(part, count * PAGE, kind, MAP_SHARED |
				 MAP_FIXED, files[i].fd, first * PAGE) != part)
				ktap_need(false, "mmap");
			break;
		case 1:
			ktap_need(madvise(part, count * PAGE,
					  MADV_DONTNEED) == 0, "madvise");
			kind = -1;
			break;
		default:
			ktap_need(mprotect(part, count * PAGE, kind) == 0,
				  "mprotect");
		}
		for (size_t page = first; kind >= 0 && page < first + count;
		     page++)
			prots[i][page] = kind;
		touch(i, place, prots[i]);
	}
	compare_parts(area);
	compare_files();
	area_free(area, FILES * PAGES * PAGE);
}

static bool in_maps(unsigned long start, unsigned long end)
{
	unsigned long from, to;
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (!found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx", &from, &to) == 2 &&
			from == start && to == end;
	fclose(maps);
	return found;
}

static struct {
	unsigned long start, end, faults;
	size_t live;
} anonymous;

static bool check_row(const struct row *row, void *data)
{
	(void)data;
	if (row->pid != getpid() || row->inode || row->end <= anonymous.start ||
	    row->start >= anonymous.end)
		return true;
	anonymous.faults += row->faults;
	if (!row->live)
		return true;
	anonymous.live++;
	ktap_check(row->start == anonymous.start && row->end == anonymous.end,
		   "the row is of %lx-%lx, not of %lx-%lx", row->start, row->end,
		   anonymous.start, anonymous.end);
	return true;
}

/* Anonymous memory merges with what is beside it. */
static void merge(void)
{
	char *area = area_new(8 * PAGES, PROT_READ | PROT_WRITE);
	unsigned long faults, before;

	ktap_need(file_write(TRAPSCOPE "/reset", "1") == 0, "reset");
	storm_seed(1);
	before = thread_faults();
	for (int round = 0; round < ROUNDS; round++) {
		size_t first = storm_below(7 * PAGES);
		size_t count = 1 + storm_below(PAGES);

		switch (storm_below(3)) {
		case 0:
			mprotect(area + first * PAGE, count * PAGE, PROT_READ);
			break;
		case 1:
			mprotect(area, 8 * PAGES * PAGE,
				 PROT_READ | PROT_WRITE);
			break;
		default:
			madvise(area + first * PAGE, count * PAGE,
				MADV_DONTNEED);
		}
		read_pages(area + first * PAGE, count);
	}
	mprotect(area, 8 * PAGES * PAGE, PROT_READ | PROT_WRITE);
	write_pages(area, 8 * PAGES);
	faults = thread_faults() - before;
	anonymous.start = (unsigned long)area;
	anonymous.end = anonymous.start + 8 * PAGES * PAGE;
	ktap_check(in_maps(anonymous.start, anonymous.end), "the parts did not merge");
	/* With the hooks off no row is live. */
	rows_each(check_row, NULL);
	ktap_check(anonymous.live == 1, "%zu rows of one mapping", anonymous.live);
	ktap_check(faults > 0 && anonymous.faults == faults,
		   "the rows have %lu faults, not %lu", anonymous.faults,
		   faults);
	area_free(area, 8 * PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "other files at the same place, as fast as it goes", same_place },
	{ "files' mappings that split and merge", split_and_merge },
	{ "anonymous memory that splits and merges", merge },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	return fault_plain(cases, ARRAY_SIZE(cases));
}
