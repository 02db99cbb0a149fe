// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fault.h"

static struct {
	pid_t pid;
	const void *address;
	bool own;
	struct row before;
	struct row after;
	struct rusage start;
	struct rusage stop;
} watch;

#define MAX_RANGES	16

/* The program's own writable memory, as it was before the first case. */
static struct range {
	char *start;
	size_t bytes;
} own[MAX_RANGES];
static size_t own_count;

static void find_own_memory(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512];
	char perms[8];

	ktap_need(maps != NULL, "open /proc/self/maps");
	while (fgets(line, sizeof(line), maps) && own_count < MAX_RANGES) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3 ||
		    perms[1] != 'w' || perms[3] != 'p')
			continue;
		own[own_count].start = (char *)start;
		own[own_count].bytes = end - start;
		own_count++;
	}
	fclose(maps);
}

/* After a fork the program's own pages are shared: take them back first. */
static void settle(void)
{
	for (size_t i = 0; i < own_count; i++)
		ktap_need(madvise(own[i].start, own[i].bytes,
				  MADV_POPULATE_WRITE) == 0,
			  "populate the program's own memory");
}

static void read_row(struct row *row)
{
	size_t found;

	memset(row, 0, sizeof(*row));
	if (!module_loaded())
		return;
	found = rows_at(watch.pid, watch.address, true, row);
	ktap_check(found <= 1, "%zu live rows hold %p", found, watch.address);
}

void watch_start_of(pid_t pid, const void *address)
{
	watch.pid = pid;
	watch.address = address;
	watch.own = false;
	read_row(&watch.before);
	settle();
	getrusage(RUSAGE_THREAD, &watch.start);
}

void watch_start(const void *address)
{
	watch_start_of(getpid(), address);
	watch.own = true;
	getrusage(RUSAGE_THREAD, &watch.start);
}

void watch_stop(void)
{
	getrusage(RUSAGE_THREAD, &watch.stop);
	read_row(&watch.after);
}

static unsigned long minor_faults(void)
{
	return watch.stop.ru_minflt - watch.start.ru_minflt;
}

static unsigned long major_faults(void)
{
	return watch.stop.ru_majflt - watch.start.ru_majflt;
}

unsigned long watch_thread_faults(void)
{
	return minor_faults() + major_faults();
}

unsigned long watch_faults_now(void)
{
	getrusage(RUSAGE_THREAD, &watch.stop);
	return watch_thread_faults();
}

unsigned long watch_grown(const char *class)
{
	size_t i = class_index(class);

	return watch.after.classes[i] - watch.before.classes[i];
}

unsigned long watch_grown_retries(void)
{
	return watch.after.retries - watch.before.retries;
}

static void check_kernel(unsigned long served, bool all_major)
{
	unsigned long major = all_major ? served : 0;

	ktap_check(minor_faults() == served - major && major_faults() == major,
		   "the kernel counted %lu minor and %lu major faults of this thread, not %lu and %lu",
		   minor_faults(), major_faults(), served - major, major);
}

static void check_row(const unsigned long *wanted, unsigned long all,
		      bool all_major)
{
	unsigned long faults = watch.after.faults - watch.before.faults;
	unsigned long major = watch.after.major - watch.before.major;

	for (size_t i = 0; i < CLASS_COUNT; i++) {
		unsigned long grown =
			watch.after.classes[i] - watch.before.classes[i];

		ktap_check(grown == wanted[i],
			   "the row of %p grew by %s:%lu, not %s:%lu",
			   watch.address, class_names[i], grown,
			   class_names[i], wanted[i]);
	}
	ktap_check(watch.after.unnamed == watch.before.unnamed,
		   "the row of %p grew by unnamed:%lu, not unnamed:0",
		   watch.address, watch.after.unnamed - watch.before.unnamed);
	ktap_check(faults == all, "the row of %p grew by %lu faults, not %lu",
		   watch.address, faults, all);
	ktap_check(major == (all_major ? all : 0),
		   "the row of %p grew by %lu major faults, not %lu",
		   watch.address, major, all_major ? all : 0);
}

static void check(const char *fmt, va_list args, bool own, bool all_major)
{
	unsigned long wanted[CLASS_COUNT] = { 0 };
	unsigned long served = 0;
	unsigned long failed = 0;
	char text[256];
	char *rest = NULL;

	vsnprintf(text, sizeof(text), fmt, args);
	for (char *pair = strtok_r(text, ",", &rest); pair;
	     pair = strtok_r(NULL, ",", &rest)) {
		char *colon = strchr(pair, ':');
		unsigned long count;
		size_t class;

		*colon = '\0';
		class = class_index(pair);
		count = strtoul(colon + 1, NULL, 10);
		wanted[class] = count;
		if (class < CLASS_FAILED)
			served += count;
		else
			failed += count;
	}
	if (own)
		check_kernel(served, all_major);
	if (module_loaded())
		check_row(wanted, served + failed, all_major);
	else
		ktap_skip("trapscope is not loaded");
}

void expect(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	check(fmt, args, watch.own, false);
	va_end(args);
}

void expect_row(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	check(fmt, args, false, false);
	va_end(args);
}

void expect_major(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	check(fmt, args, watch.own, true);
	va_end(args);
}

static struct book book_at_start;

static void check_books(void)
{
	struct book end;

	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	book_read(&end);
	ktap_check(end.total - book_at_start.total ==
		   end.pgfault - book_at_start.pgfault,
		   "the classes grew by %lu, vmstat's pgfault by %lu",
		   end.total - book_at_start.total,
		   end.pgfault - book_at_start.pgfault);
}

/* Maps what the program consists of, so that only its cases fault later. */
static void map_program(void)
{
	ktap_need(mlockall(MCL_CURRENT) == 0, "mlockall");
	munlockall();
	find_own_memory();
}

static void begin(size_t count)
{
	static char buffer[4096];

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
	/* Hinting faults would come on their own. */
	knob_set("/proc/sys/kernel/numa_balancing", "0");
	map_program();
	ktap_plan(count);
}

int fault_plain(const struct ktap_case *cases, size_t count)
{
	begin(count);
	for (size_t i = 0; i < count; i++)
		ktap_run(&cases[i]);
	return ktap_exit_code();
}

int fault_main(const struct ktap_case *cases, size_t count)
{
	static const struct ktap_case books = {
		"the classes' sum grew as vmstat's pgfault did", check_books,
	};

	begin(count + 1);
	if (module_loaded())
		book_read(&book_at_start);
	for (size_t i = 0; i < count; i++)
		ktap_run(&cases[i]);
	ktap_run(&books);
	return ktap_exit_code();
}

void check_counts(void)
{
	const size_t pages = 64;
	char *area = area_new(pages, PROT_READ | PROT_WRITE);

	watch_start(area);
	write_pages(area, pages);
	watch_stop();
	expect("anon-alloc:%zu", pages);
	area_free(area, pages * PAGE);
}
