// SPDX-License-Identifier: GPL-2.0
/* Hinting faults of the NUMA balancer; needs two nodes (numa=fake=2). */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define PAGES		64
#define HUGE_PAGES	4
#define ROUNDS		20000
#define ROUND		100000
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define KNOBS		"/sys/kernel/debug/sched/numa_balancing/"

/* The kernel's count and the module's, at one moment. */
static void hints(unsigned long *kernel, unsigned long *module)
{
	*module = 0;
	do {
		*kernel = vmstat("numa_hint_faults");
		if (module_loaded())
			*module = faults_class("numa-hint", COMPLETED);
	} while (vmstat("numa_hint_faults") != *kernel);
}

/* Pages of a process with one thread are left alone while they are near it. */
static void *idle(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

/*
 * When the balancer scans is its own affair: the pages are touched until
 * enough faults came. Every one of them must be a hinting fault.
 */
static void hint(char *area, size_t page, size_t count)
{
	unsigned long kernel_before, module_before, kernel, module;
	unsigned long grown = 0;
	pthread_t second;

	ktap_need(pthread_create(&second, NULL, idle, NULL) == 0,
		  "pthread_create");
	for (size_t i = 0; i < count; i++)
		touch_write(area + i * page);
	hints(&kernel_before, &module_before);
	watch_start(area);
	ktap_need(file_write(BALANCING, "1") == 0, "write " BALANCING);
	for (int i = 0; i < ROUNDS && grown < 2 * count; i++) {
		for (int j = 0; j < ROUND; j++)
			touch_read(area + j % count * page);
		grown = watch_faults_now();
	}
	ktap_need(file_write(BALANCING, "0") == 0, "write " BALANCING);
	/* What was hinted before the end faults now. */
	for (size_t i = 0; i < count; i++)
		touch_read(area + i * page);
	watch_stop();
	hints(&kernel, &module);
	ktap_check(kernel - kernel_before >= 2 * count,
		   "only %lu hinting faults", kernel - kernel_before);
	pthread_cancel(second);
	pthread_join(second, NULL);
	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	grown = watch_grown("numa-hint");
	ktap_check(grown >= count, "the row has numa-hint:%lu only", grown);
	expect_row("numa-hint:%lu", grown);
	ktap_check(module - module_before == kernel - kernel_before,
		   "numa-hint grew by %lu, numa_hint_faults by %lu",
		   module - module_before, kernel - kernel_before);
}

static void hint_small(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	hint(area, PAGE, PAGES);
	area_free(area, PAGES * PAGE);
}

static void hint_huge(void)
{
	char *area = area_huge(HUGE_PAGES, PROT_READ | PROT_WRITE, 0);

	if (madvise(area, HUGE_PAGES * HUGE, MADV_HUGEPAGE)) {
		ktap_skip("no transparent huge pages");
		return;
	}
	hint(area, HUGE, HUGE_PAGES);
	area_free(area, HUGE_PAGES * HUGE);
}

static const struct ktap_case cases[] = {
	{ "numa-hint: pages that the balancer asks about", hint_small },
	{ "numa-hint: huge pages", hint_huge },
};

int main(void)
{
	pid_t child;
	int status;

	if (access("/sys/devices/system/node/node1", F_OK))
		ktap_skip_all("one NUMA node: boot with numa=fake=2");
	if (!knob_set(KNOBS "scan_delay_ms", "1"))
		ktap_skip_all("no " KNOBS "scan_delay_ms");
	knob_set(KNOBS "scan_period_min_ms", "10");
	knob_set(KNOBS "scan_period_max_ms", "20");
	knob_set(BALANCING, "0");
	/* A process takes the delay when it is made. */
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0)
		return fault_main(cases, ARRAY_SIZE(cases));
	ktap_need(waitpid(child, &status, 0) == child, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : KTAP_FAIL;
}
