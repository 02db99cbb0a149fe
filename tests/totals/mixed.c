// SPDX-License-Identifier: GPL-2.0
/* Whole programs and threads that fault at the same time: nothing is lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define THREADS	4
#define PAGES	256
#define ROUNDS	8

static bool loaded(void)
{
	if (module_loaded())
		return true;
	ktap_skip("trapscope is not loaded");
	return false;
}

struct sums {
	pid_t pid;
	unsigned long faults;
	unsigned long major;
	unsigned long failed;
	size_t live;
};

static bool add_row(const struct row *row, void *data)
{
	struct sums *sums = data;

	if (row->pid != sums->pid)
		return true;
	sums->faults += row->faults;
	sums->major += row->major;
	sums->live += row->live;
	for (size_t i = CLASS_FAILED; i < CLASS_COUNT; i++)
		sums->failed += row->classes[i];
	return true;
}

/* A program of its own, from fork to end: getrusage and its rows agree. */
static void program(const char *command)
{
	struct sums sums = { 0 };
	struct rusage usage;
	int status;

	sums.pid = fork();
	ktap_need(sums.pid >= 0, "fork");
	if (sums.pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	ktap_need(wait4(sums.pid, &status, 0, &usage) == sums.pid, "wait4");
	ktap_check(status == 0, "\"%s\" ended with status 0x%x", command,
		   status);
	if (!loaded())
		return;
	rows_each(add_row, &sums);
	ktap_check(sums.live == 0, "%zu rows of a process that ended are live",
		   sums.live);
	ktap_check(sums.faults - sums.failed ==
		   (unsigned long)(usage.ru_minflt + usage.ru_majflt) &&
		   sums.major == (unsigned long)usage.ru_majflt,
		   "\"%s\": %lu faults (%lu major, %lu failed), getrusage has %ld + %ld",
		   command, sums.faults, sums.major, sums.failed,
		   usage.ru_minflt, usage.ru_majflt);
}

/* Commands that the shell does itself: no other process takes a part. */
static void one_process(void)
{
	program("i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); a=$a.; done");
	program("exec seq 1 20000 >/dev/null");
	program("exec sort -r /proc/kallsyms >/dev/null");
	program("exec gzip -c /proc/kallsyms >/dev/null");
}

/* Many short ones at the same time; the last case compares the totals. */
static void many_processes(void)
{
	must_run("for i in 1 2 3 4; do (for j in 1 2 3 4; do ls /bin | sort | gzip | wc -c; done) & done >/dev/null; wait");
}

static void *fault_in(void *data)
{
	char *area = data;

	for (int round = 0; round < ROUNDS; round++) {
		write_pages(area, PAGES);
		madvise(area, PAGES * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

/* Each thread in its own part of one VMA, on all processors. */
static void threads(void)
{
	char *area = area_new(THREADS * PAGES, PROT_READ | PROT_WRITE);
	pthread_t thread[THREADS];

	watch_start(area);
	for (size_t i = 0; i < THREADS; i++)
		ktap_need(pthread_create(&thread[i], NULL, fault_in,
					 area + i * PAGES * PAGE) == 0,
			  "pthread_create");
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	watch_stop();
	expect_row("anon-alloc:%d", THREADS * PAGES * ROUNDS);
	area_free(area, THREADS * PAGES * PAGE);
}

static const struct ktap_case cases[] = {
	{ "programs' rows hold what getrusage says", one_process },
	{ "threads that fault in one VMA", threads },
	{ "many processes at the same time", many_processes },
};

int main(void)
{
	/* Room for all rows of the programs. */
	if (module_loaded() && file_write(TRAPSCOPE "/reset", "1"))
		ktap_skip_all("can't write to " TRAPSCOPE "/reset: be root");
	return fault_main(cases, ARRAY_SIZE(cases));
}
