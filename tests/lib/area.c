// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

/* Room for @bytes at an aligned address with inaccessible pages around it. */
static char *reserve(size_t bytes, size_t align)
{
	char *start = mmap(NULL, bytes + align + 2 * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned long address;

	ktap_need(start != MAP_FAILED, "reserve %zu bytes", bytes);
	address = (unsigned long)start + PAGE;
	return (char *)((address + align - 1) & ~(align - 1));
}

static char *map_at(size_t bytes, size_t align, int prot, int flags, int fd)
{
	char *area = mmap(reserve(bytes, align), bytes, prot, flags | MAP_FIXED,
			  fd, 0);

	ktap_need(area != MAP_FAILED, "map %zu bytes", bytes);
	return area;
}

char *area_map(size_t pages, int prot, int flags, int fd)
{
	return map_at(pages * PAGE, PAGE, prot, flags, fd);
}

char *area_new(size_t pages, int prot)
{
	return area_map(pages, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

char *area_huge(size_t huge_pages, int prot, int flags)
{
	return map_at(huge_pages * HUGE, HUGE, prot,
		      flags | MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void area_free(char *area, size_t bytes)
{
	ktap_need(munmap(area, bytes) == 0, "unmap %zu bytes", bytes);
}

void read_pages(const char *area, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		touch_read(area + i * PAGE);
}

void write_pages(char *area, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		touch_write(area + i * PAGE);
}

void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ktap_need(sched_setaffinity(0, sizeof(set), &set) == 0,
		  "run on CPU %d", cpu);
}

pid_t child_hold(void)
{
	pid_t child = fork();

	ktap_need(child >= 0, "fork");
	if (child == 0)
		for (;;)
			pause();
	return child;
}

void child_end(pid_t child)
{
	kill(child, SIGKILL);
	ktap_need(waitpid(child, NULL, 0) == child, "wait for the child");
}

static sigjmp_buf after_signal;
static volatile int signal_code;

static void leave(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	signal_code = info->si_code;
	siglongjmp(after_signal, 1);
}

static bool raises(void (*attempt)(void *p), void *p, int sig)
{
	struct sigaction action = {
		.sa_sigaction = leave,
		.sa_flags = SA_SIGINFO,
	};
	struct sigaction old;
	volatile bool raised = true;

	sigaction(sig, &action, &old);
	if (sigsetjmp(after_signal, 1) == 0) {
		attempt(p);
		raised = false;
	}
	sigaction(sig, &old, NULL);
	return raised;
}

static void attempt_read(void *p)
{
	touch_read(p);
}

static void attempt_call(void *p)
{
	((void (*)(void))p)();
}

bool touch_raises(void *p, bool write, int sig, int *code)
{
	bool raised = raises(write ? touch_write : attempt_read, p, sig);

	if (raised && code)
		*code = signal_code;
	return raised;
}

bool run_raises(void *p, int sig)
{
	return raises(attempt_call, p, sig);
}
