// SPDX-License-Identifier: GPL-2.0
/*
 * Events with stacks of user mode that can't be read: the reader faults, where none may
 * be served. That is a kernel_fault of its own, at which no reader may begin again.
 */
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event.h"
#include "perf.h"

#define COUNT	64
#define STACK	16
#define PROBE	"e:trapscope_test trapscope.kernel_fault"

/* The top of a stack, and its outermost frame: a page that is not there. */
static char *absent;

struct counts {
	unsigned long no_vma, atomic;
};

static void read_counts(struct counts *counts)
{
	counts->no_vma = kernel_faults("bad-area", "no-vma", true);
	counts->atomic = kernel_faults("bad-area", "atomic", false);
}

/* Never returns: what it touches is nowhere. */
static void lose_stack(void)
{
	asm volatile("mov %0, %%rbp\n\t"
		     "mov %0, %%rsp\n\t"
		     "movb 16, %%al" : : "r"(absent) : "rax", "memory");
}

static void lose_stacks(char *stack)
{
	absent = stack + STACK * PAGE;
	for (int i = 0; i < COUNT; i++)
		ktap_check(run_raises((void *)lose_stack, SIGSEGV), "no SIGSEGV");
}

static char *new_stack(void)
{
	char *stack = area_new(STACK + 1, PROT_READ | PROT_WRITE);

	write_pages(stack, STACK);
	return stack;
}

/* Each stack is one fault, and none comes of a stack of that fault. */
static void check_grown(const struct counts *before)
{
	struct counts after;

	read_counts(&after);
	ktap_check(after.no_vma - before->no_vma == COUNT,
		   "no-vma grew by %lu", after.no_vma - before->no_vma);
	ktap_check(after.atomic - before->atomic == COUNT,
		   "atomic grew by %lu", after.atomic - before->atomic);
}

static void tracing_off(void)
{
	file_write(EVENTS "kernel_fault/enable", "0");
	file_write(TRACING "options/userstacktrace", "0");
}

static void tracing(void)
{
	static char trace[256 << 10];
	char *stack = new_stack();
	size_t stacks = 0;
	struct counts before;

	must_run(": >" TRACING "trace");
	at_end(tracing_off);
	ktap_need(file_write(TRACING "options/userstacktrace", "1") == 0,
		  "write 1 to " TRACING "options/userstacktrace");
	read_counts(&before);
	event_set("kernel_fault", "enable", "1");
	lose_stacks(stack);
	tracing_off();
	check_grown(&before);
	ktap_need(file_read(TRACING "trace", trace, sizeof(trace)),
		  "read " TRACING "trace");
	for (char *at = trace; (at = strstr(at, "<user stack trace>")); at++)
		stacks++;
	ktap_check(stacks == COUNT, "%zu stacks", stacks);
	area_free(stack, (STACK + 1) * PAGE);
}

static void perf(void)
{
	char *stack = new_stack();
	struct counts before;
	unsigned long events;
	int fd;

	read_counts(&before);
	fd = perf_open("trapscope/kernel_fault", getpid(), -1, PERF_SAMPLE_CALLCHAIN);
	lose_stacks(stack);
	events = perf_count(fd);
	close(fd);
	check_grown(&before);
	/* The other one comes while perf is in the first: it leaves that out. */
	ktap_check(events == COUNT, "%lu events", events);
	area_free(stack, (STACK + 1) * PAGE);
}

static void event_probe_off(void)
{
	file_write(TRACING "events/eprobes/trapscope_test/enable", "0");
	file_write(TRACING "dynamic_events", "-:eprobes/trapscope_test");
}

/* It reads what the event is about. That the kernel does not hold back: but it ends. */
static void event_probe(void)
{
	struct counts before, after;

	at_end(event_probe_off);
	if (file_write(TRACING "dynamic_events", PROBE)) {
		ktap_skip("this kernel has no event probes");
		return;
	}
	event_probe_off();
	ktap_need(file_write(TRACING "dynamic_events",
			     PROBE " text=+0($address):ustring") == 0,
		  "add an event probe that reads the address");
	read_counts(&before);
	ktap_need(file_write(TRACING "events/eprobes/trapscope_test/enable", "1") == 0,
		  "enable the event probe");
	for (int i = 0; i < COUNT; i++)
		ktap_check(touch_raises((void *)16, false, SIGSEGV, NULL), "no SIGSEGV");
	event_probe_off();
	read_counts(&after);
	ktap_check(after.no_vma - before.no_vma == COUNT,
		   "no-vma grew by %lu", after.no_vma - before.no_vma);
	ktap_check(after.atomic - before.atomic >= COUNT,
		   "atomic grew by %lu", after.atomic - before.atomic);
	ktap_diag("%lu reads for %d events", after.atomic - before.atomic, COUNT);
}

static const struct ktap_case cases[] = {
	{ "the kernel's user stack traces", tracing },
	{ "perf's call chains", perf },
	{ "an event probe that reads the address", event_probe },
};

int main(void)
{
	if (access(EVENTS "kernel_fault", F_OK))
		ktap_skip_all("no " EVENTS "kernel_fault: load trapscope, mount tracefs");
	return fault_plain(cases, ARRAY_SIZE(cases));
}
