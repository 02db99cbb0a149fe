// SPDX-License-Identifier: GPL-2.0
/* Faults after which the page is the same one and may do what it might before. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
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

static const struct ktap_case cases[] = {
	{ "spurious: a debugger's writes to read-only pages", forced_write },
};

int main(void)
{
	/* Pages on their way to another CPU's LRU list would be copied. */
	pin_to_cpu(0);
	return fault_main(cases, ARRAY_SIZE(cases));
}
