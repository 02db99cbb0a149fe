// SPDX-License-Identifier: GPL-2.0
/*
 * Thousands of tasks asleep inside handle_mm_fault() at once: all are seen, as
 * long as the module was loaded for as many, and those that are not are counted.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"
#include "module.h"
#include "sleepers.h"

#define PAGES		512
/* So many on each processor that they meet. */
#define MISSES		8192

static struct ledger before, after;

static void load(const char *parameters)
{
	module_remove();
	module_load(parameters);
}

static void load_as_before(void)
{
	load("");
}

/* With the module as it is loaded by default. */
static void thousands(void)
{
	char *own = area_new(PAGES, PROT_READ | PROT_WRITE);

	ledger_read(&before);
	sleepers_start(MAX_SLEEPERS);
	ktap_check(status_value("in_flight") >= MAX_SLEEPERS,
		   "%lu calls are under way, not %d", status_value("in_flight"),
		   MAX_SLEEPERS);
	/* What runs beside them is seen. */
	write_pages(own, PAGES);
	ktap_check(status_value("missed") == before.missed,
		   "%lu calls were missed", status_value("missed"));
	sleepers_wake();
	ledger_read(&after);
	ledger_check_all(&before, &after);
	ktap_check(faults_class("uffd-missing", COMPLETED) >= MAX_SLEEPERS,
		   "%lu uffd-missing, not %d",
		   faults_class("uffd-missing", COMPLETED), MAX_SLEEPERS);
	area_free(own, PAGES * PAGE);
}

/*
 * Leaves a thread asleep in the only call that there is room for. If another task was in
 * one just when the thread came, it is the thread that was missed: there is room again
 * as soon as that task's call ends.
 */
static void take_the_room(void)
{
	for (int attempt = 0; attempt < 50; attempt++) {
		int seen = 1;

		/* From here on nothing but this program's own threads may retry. */
		ledger_read(&before);
		sleepers_start(1);
		for (int look = 0; look < 3; look++) {
			usleep(10000);
			seen &= status_value("in_flight") == 1;
		}
		if (seen)
			return;
		sleepers_wake();
	}
	ktap_need(0, "in 50 attempts, a call that sleeps was never the one that was seen");
}

/* Faults in processes of their own, so that no lock of one memory keeps them apart. */
static void fault_on_each_cpu(char *area, int cpus)
{
	int status;

	for (int cpu = 0; cpu < cpus; cpu++) {
		pid_t pid = fork();

		ktap_need(pid >= 0, "fork");
		if (pid == 0) {
			pin_to_cpu(cpu);
			write_pages(area, MISSES);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		;
}

/* What there was of missed calls, and of those that nobody saw, by the kernel's books. */
static void read_missed(unsigned long *missed, unsigned long *unseen)
{
	unsigned long seen, pgfault, retry;

	ledger_read(&after);
	*missed = after.missed - before.missed;
	seen = after.completed - before.completed;
	pgfault = after.pgfault - before.pgfault;
	/* A call that was missed may be one of several for one fault. */
	retry = after.vma_lock_retry - before.vma_lock_retry -
		(after.retries_vma_lock - before.retries_vma_lock);
	*unseen = pgfault + retry - seen;
	ktap_diag("missed %lu, of which %lu to be made again; seen %lu; pgfault %lu",
		  *missed, retry, seen, pgfault);
}

/*
 * One call at a time, and one that sleeps: all others are missed, by all processors at
 * once. The kernel's own count of them may be smaller then.
 */
static void all_missed(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char *own = area_new(MISSES, PROT_READ | PROT_WRITE);
	unsigned long missed, unseen, detached;

	ktap_need(madvise(own, MISSES * PAGE, MADV_NOHUGEPAGE) == 0 || errno == EINVAL,
		  "MADV_NOHUGEPAGE");
	load("maxactive=1");
	take_the_room();
	fault_on_each_cpu(own, cpus);
	sleepers_wake();
	read_missed(&missed, &unseen);
	ktap_check(unseen >= (unsigned long)cpus * MISSES,
		   "%lu calls were not seen, which is less than %d", unseen,
		   cpus * MISSES);
	ktap_check(missed == unseen, "missed %lu, but %lu were not seen", missed,
		   unseen);
	/* The number outlives the hook that it comes from. */
	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0, "0 to enable");
	detached = status_value("missed") - before.missed;
	ktap_check(detached == missed, "missed is %lu with the hooks off, and was %lu",
		   detached, missed);
	ktap_need(file_write(TRAPSCOPE "/enable", "1") == 0, "1 to enable");
	area_free(own, MISSES * PAGE);
	load("");
}

static const struct ktap_case cases[] = {
	{ "4,000 threads asleep in a fault: all books agree", thousands },
	{ "room for one call, on all processors: missed and seen are pgfault", all_missed },
};

int main(void)
{
	module_needed();
	knob_set("/proc/sys/kernel/modprobe", "");
	knob_set("/proc/sys/kernel/threads-max", "20000");
	at_end(load_as_before);
	ledger_open();
	return fault_plain(cases, ARRAY_SIZE(cases));
}
