// SPDX-License-Identifier: GPL-2.0
/* Faults after which the page is the same one and may do what it might before. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	16

/* A child that may only read the area and lets itself be debugged. */
static pid_t start_child(char *area)
{
	pid_t child = fork();
	int status;

	ktap_need(child >= 0, "fork");
	if (child == 0) {
		if (mprotect(area, PAGES * PAGE, PROT_READ) ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		_exit(1);
	}
	ktap_need(waitpid(child, &status, 0) == child && WIFSTOPPED(status),
		  "the child does not wait");
	return child;
}

/*
 * A debugger's write to a read-only page that two processes had and only one
 * has still: the fault finds that, marks the page dirty, and leaves it as it is.
 */
static void forced_write(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	pid_t child;

	write_pages(area, PAGES);
	child = start_child(area);
	ktap_need(madvise(area, PAGES * PAGE, MADV_DONTNEED) == 0,
		  "MADV_DONTNEED");
	watch_start_of(child, area);
	for (size_t i = 0; i < PAGES; i++)
		ktap_need(ptrace(PTRACE_POKEDATA, child, area + i * PAGE,
				 (void *)2UL) == 0, "PTRACE_POKEDATA");
	watch_stop();
	expect("spurious:%d", PAGES);
	ktap_check(watch_thread_faults() == PAGES,
		   "the kernel counted %lu faults of this thread, not %d",
		   watch_thread_faults(), PAGES);
	child_end(child);
	area_free(area, PAGES * PAGE);
}

#define MANY	4096
#define WANTED	8
#define ROUNDS	3000

static char *wide;
static volatile bool widening;
static volatile bool enough;
static volatile unsigned long rounds;

/* Makes many pages writable, one by one, again and again. */
static void *widen(void *unused)
{
	(void)unused;
	for (rounds = 0; rounds < ROUNDS && !enough; rounds++) {
		widening = true;
		mprotect(wide, MANY * PAGE, PROT_READ | PROT_WRITE);
		widening = false;
		mprotect(wide, MANY * PAGE, PROT_READ);
	}
	enough = true;
	return NULL;
}

/*
 * Both threads share one processor and this one goes first. When it wakes up in
 * the middle of mprotect, the last page can't be written to yet: a fault, which
 * waits for mprotect to end and then finds the page writable. When it is earlier
 * than that, it is a SIGSEGV, which the VMA's permissions raise.
 */
static void too_early(void)
{
	const struct timespec nap = { .tv_nsec = 200000 };
	struct sched_param first = { .sched_priority = 1 };
	struct sched_param normal = { 0 };
	pthread_t widener;

	wide = area_new(MANY, PROT_READ | PROT_WRITE);
	write_pages(wide, MANY);
	ktap_need(mprotect(wide, MANY * PAGE, PROT_READ) == 0, "mprotect");
	ktap_need(pthread_create(&widener, NULL, widen, NULL) == 0,
		  "pthread_create");
	ktap_need(sched_setscheduler(0, SCHED_FIFO, &first) == 0, "SCHED_FIFO");
	watch_start(wide);
	while (!enough) {
		nanosleep(&nap, NULL);
		if (widening)
			touch_raises(wide + (MANY - 1) * PAGE, true, SIGSEGV,
				     NULL);
		if (watch_faults_now() >= WANTED)
			enough = true;
	}
	watch_stop();
	sched_setscheduler(0, SCHED_OTHER, &normal);
	pthread_join(widener, NULL);
	ktap_check(watch_thread_faults() >= WANTED,
		   "only %lu faults in %lu rounds", watch_thread_faults(),
		   rounds);
	expect("spurious:%lu", watch_thread_faults());
	area_free(wide, MANY * PAGE);
}

static const struct ktap_case cases[] = {
	{ "spurious: writes that come before mprotect has ended", too_early },
	{ "spurious: a debugger's writes to read-only pages", forced_write },
};

int main(void)
{
	/* Pages on their way to another CPU's LRU list would be copied. */
	pin_to_cpu(0);
	return fault_main(cases, ARRAY_SIZE(cases));
}
