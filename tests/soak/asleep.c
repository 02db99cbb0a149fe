// SPDX-License-Identifier: GPL-2.0
/*
 * Thousands of tasks asleep inside handle_mm_fault() at once: all are seen, as
 * long as the module was loaded for as many, and those that are not are counted.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"

#define THREADS		4000
#define PAGES		512
#define MODULE		"/lib/trapscope/trapscope.ko"
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

static pthread_t sleepers[THREADS];
static char *area;
static int uffd = -1;
static struct ledger before, after;

static void load(const char *parameters)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	syscall(SYS_delete_module, "trapscope", O_NONBLOCK);
	ktap_need(fd >= 0 && syscall(SYS_finit_module, fd, parameters, 0) == 0,
		  "insmod " MODULE " %s", parameters);
	close(fd);
}

static void load_as_before(void)
{
	file_write(CPU1, "1");
	load("");
}

/* Memory of which nobody brings the pages until wake_all(). */
static void watch(size_t pages)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register missing = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	area = area_new(pages, PROT_READ | PROT_WRITE);
	missing.range.start = (unsigned long)area;
	missing.range.len = pages * PAGE;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ktap_need(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 &&
		  ioctl(uffd, UFFDIO_REGISTER, &missing) == 0, "userfaultfd");
}

static void *sleep_in_fault(void *page)
{
	touch_read(page);
	return NULL;
}

/* Small stacks, so that thousands of them find room. */
static void start(size_t count)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
	for (size_t i = 0; i < count; i++)
		ktap_need(pthread_create(&sleepers[i], &small, sleep_in_fault,
					 area + i * PAGE) == 0,
			  "thread %zu", i);
	pthread_attr_destroy(&small);
}

/* Each of them asks for its page once. */
static void wait_for_all(size_t count)
{
	struct uffd_msg events[64];
	size_t asleep = 0;

	while (asleep < count) {
		ssize_t got = read(uffd, events, sizeof(events));

		if (got > 0)
			asleep += got / sizeof(events[0]);
		else
			usleep(2000);
	}
}

static void wake_all(size_t count)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)area, count * PAGE },
	};

	ktap_need(ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0, "UFFDIO_ZEROPAGE");
	for (size_t i = 0; i < count; i++)
		pthread_join(sleepers[i], NULL);
	close(uffd);
	area_free(area, count * PAGE);
}

static void compare(void)
{
	ledger_check_classes(&before, &after);
	ledger_check_tasks(&before, &after);
	ledger_check_reasons(&before, &after);
	ledger_check_calls(&before, &after);
	ledger_check_vma_lock(&before, &after);
	ledger_check_missed(&before, &after);
}

/* With the module as it is loaded by default. */
static void thousands(void)
{
	char *own = area_new(PAGES, PROT_READ | PROT_WRITE);

	ledger_read(&before);
	watch(THREADS);
	start(THREADS);
	wait_for_all(THREADS);
	ktap_check(status_value("in_flight") >= THREADS,
		   "%lu calls are under way, not %d", status_value("in_flight"),
		   THREADS);
	/* What runs beside them is seen. */
	write_pages(own, PAGES);
	ktap_check(status_value("missed") == before.missed,
		   "%lu calls were missed", status_value("missed"));
	wake_all(THREADS);
	ledger_read(&after);
	compare();
	ktap_check(faults_class("uffd-missing", COMPLETED) >= THREADS,
		   "%lu uffd-missing, not %d",
		   faults_class("uffd-missing", COMPLETED), THREADS);
	area_free(own, PAGES * PAGE);
}

/*
 * One call at a time, and one that sleeps: all others are missed. They are
 * counted without a lock by the kernel, so that no other processor may miss one
 * at the same moment.
 */
static void all_missed(void)
{
	char *own = area_new(PAGES, PROT_READ | PROT_WRITE);
	unsigned long missed, seen, pgfault, retry;

	if (access(CPU1, F_OK) == 0)
		ktap_need(file_write(CPU1, "0") == 0, "CPU 1 off");
	load("maxactive=1");
	watch(1);
	/* From here on nothing but this program's own threads may retry. */
	ledger_read(&before);
	start(1);
	wait_for_all(1);
	write_pages(own, PAGES);
	wake_all(1);
	ledger_read(&after);
	missed = after.missed - before.missed;
	seen = after.completed - before.completed;
	pgfault = after.pgfault - before.pgfault;
	/* A call that was missed may be one of several for one fault. */
	retry = after.vma_lock_retry - before.vma_lock_retry -
		(after.retries_vma_lock - before.retries_vma_lock);
	ktap_diag("missed %lu, of which %lu to be made again; seen %lu; pgfault %lu",
		  missed, retry, seen, pgfault);
	ktap_check(missed >= PAGES, "%lu calls were missed, not %d", missed,
		   PAGES);
	ktap_check(missed + seen == pgfault + retry,
		   "missed %lu and seen %lu, but pgfault grew by %lu and %lu were made again",
		   missed, seen, pgfault, retry);
	if (access(CPU1, F_OK) == 0)
		ktap_need(file_write(CPU1, "1") == 0, "CPU 1 on");
	area_free(own, PAGES * PAGE);
	load("");
}

static void rows(void)
{
	ledger_check_rows();
}

static const struct ktap_case cases[] = {
	{ "4,000 threads asleep in a fault: nothing is missed", thousands },
	{ "and the rows add up", rows },
	{ "room for one call: missed and seen are pgfault", all_missed },
};

int main(void)
{
	if (!module_loaded() || access(MODULE, R_OK))
		ktap_skip_all("trapscope is not loaded, or no " MODULE);
	knob_set("/proc/sys/kernel/modprobe", "");
	knob_set("/proc/sys/kernel/threads-max", "20000");
	at_end(load_as_before);
	ledger_open();
	return fault_plain(cases, ARRAY_SIZE(cases));
}
