// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on all processors while the module is read, switched, filtered and
 * reset; then everything must add up again.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define CHILDREN	4
#define ROUNDS		18
#define PAGES		64

static pid_t children[CHILDREN];

/* New mappings, moves, forks: all that the hooks look at. */
static void fault_for_ever(void)
{
	for (;;) {
		char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
		char *room = area_new(PAGES, PROT_NONE);
		pid_t child;

		write_pages(area, PAGES);
		child = fork();
		if (child == 0) {
			write_pages(area, PAGES);
			_exit(0);
		}
		write_pages(area, PAGES);
		mremap(area, PAGES * PAGE, PAGES * PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
		read_pages(room, PAGES);
		waitpid(child, NULL, 0);
		/* With what is around both of them. */
		area_free(room - PAGE, (PAGES + 2) * PAGE);
		area_free(area - PAGE, (PAGES + 2) * PAGE);
	}
}

static void start_children(void)
{
	for (size_t i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		ktap_need(children[i] >= 0, "fork");
		if (children[i] == 0) {
			/* All the time that is left. */
			if (setpriority(PRIO_PROCESS, 0, 19))
				_exit(5);
			fault_for_ever();
		}
	}
}

static void end_children(void)
{
	for (size_t i = 0; i < CHILDREN; i++)
		child_end(children[i]);
}

static void set(const char *file, const char *value)
{
	char path[128];
	int error;

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", file);
	error = file_write(path, value);
	ktap_check(error == 0, "\"%s\" to %s: %s", value, file,
		   strerror(error));
}

static bool count_row(const struct row *row, void *data)
{
	unsigned long *sum = data;
	unsigned long classes = row->unnamed;

	for (size_t i = 0; i < CLASS_COUNT; i++)
		classes += row->classes[i];
	ktap_check(classes == row->faults,
		   "pid %d %lx-%lx: %lu faults, %lu in classes", row->pid,
		   row->start, row->end, row->faults, classes);
	*sum += row->faults;
	return true;
}

static bool counted(void)
{
	return faults_class("anon-alloc", COMPLETED) > 0 &&
	       faults_class("cow-copy", COMPLETED) > 0;
}

/* 50 ms at least, half a minute at most. */
static void wait_for_counts(void)
{
	int waits = 0;

	do
		usleep(50000);
	while (!counted() && ++waits < 600);
}

/* With the hooks off. */
static void check_sums(void)
{
	unsigned long total = faults_total(COMPLETED);
	unsigned long rows = 0;

	rows_each(count_row, &rows);
	rows += status_value("faults_without_row") +
		status_value("faults_evicted");
	ktap_check(rows == total, "%lu in and out of rows, %lu in all", rows,
		   total);
	ktap_check(counted(), "nothing was counted");
}

static void reading(void)
{
	static char text[4 << 20];
	static const char *const files[] = {
		TRAPSCOPE "/vmas", TRAPSCOPE "/processes", TRAPSCOPE "/faults",
		TRAPSCOPE "/latency", TRAPSCOPE "/kernel", TRAPSCOPE "/status",
	};

	start_children();
	for (int round = 0; round < ROUNDS; round++)
		ktap_check(file_read(files[round % ARRAY_SIZE(files)], text,
				     sizeof(text)), "read");
	wait_for_counts();
	end_children();
	set("enable", "0");
	check_sums();
	set("enable", "1");
}

static void resetting(void)
{
	start_children();
	for (int round = 0; round < ROUNDS; round++) {
		set("reset", "1");
		usleep(1000);
	}
	wait_for_counts();
	end_children();
	set("enable", "0");
	check_sums();
	set("enable", "1");
}

static void switching(void)
{
	start_children();
	for (int round = 0; round < ROUNDS; round++) {
		set("enable", round % 2 ? "1" : "0");
		usleep(1000);
	}
	wait_for_counts();
	end_children();
	set("enable", "0");
	check_sums();
	set("enable", "1");
	check_nothing_in_flight();
}

static void filtering(void)
{
	char filter[64];

	start_children();
	for (int round = 0; round < ROUNDS; round++) {
		snprintf(filter, sizeof(filter), "pid=%d",
			 children[round % CHILDREN]);
		set("filter", round % 3 ? filter : "none");
		usleep(1000);
	}
	set("filter", "none");
	wait_for_counts();
	end_children();
	set("enable", "0");
	check_sums();
	set("enable", "1");
}

static void put_back(void)
{
	file_write(TRAPSCOPE "/filter", "none");
	file_write(TRAPSCOPE "/enable", "1");
}

static const struct ktap_case cases[] = {
	{ "reading while processes fault", reading },
	{ "reset while processes fault", resetting },
	{ "enable and disable while processes fault", switching },
	{ "other filters while processes fault", filtering },
	{ "and then it counts as before", check_counts },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
