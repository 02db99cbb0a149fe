// SPDX-License-Identifier: GPL-2.0
/* Faults that handle_mm_fault refuses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define PAGES	8

/* Newer than the C library's headers may be. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

static void raise_each(char *area, size_t pages, int sig, int wanted)
{
	for (size_t i = 0; i < pages; i++) {
		int code = 0;

		bool raised = touch_raises(area + i * PAGE, i % 2, sig, &code);

		ktap_check(raised && code == wanted,
			   "page %zu: not signal %d with code %d, but code %d",
			   i, sig, wanted, code);
	}
}

static void guard(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	if (madvise(area, PAGES * PAGE, MADV_GUARD_INSTALL)) {
		ktap_skip("no MADV_GUARD_INSTALL: Linux 6.13 has it");
		return;
	}
	watch_start(area);
	raise_each(area, PAGES, SIGSEGV, SEGV_MAPERR);
	watch_stop();
	expect("sigsegv:%d", PAGES);
	area_free(area, PAGES * PAGE);
}

static void beyond_end(void)
{
	int fd = memfd_create("short", 0);
	char *area;

	ktap_need(fd >= 0 && ftruncate(fd, PAGE) == 0, "memfd");
	area = area_map(PAGES + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	watch_start(area);
	raise_each(area + PAGE, PAGES, SIGBUS, BUS_ADRERR);
	watch_stop();
	expect("sigbus:%d", PAGES);
	area_free(area, (PAGES + 1) * PAGE);
	close(fd);
}

static unsigned long poisoned_pfn;

static void unpoison(void)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%lx", poisoned_pfn);
	if (file_write("/sys/kernel/debug/hwpoison/unpoison-pfn", text))
		ktap_diag("page %s stays out of use until the next boot", text);
}

static unsigned long frame_of(const char *address)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	ktap_need(fd >= 0 && pread(fd, &entry, sizeof(entry),
				   (unsigned long)address / PAGE *
				   sizeof(entry)) == sizeof(entry),
		  "read /proc/self/pagemap");
	close(fd);
	return entry & ((1UL << 55) - 1);
}

static void nothing(int sig)
{
	(void)sig;
}

static void hwpoison(void)
{
	char *area = area_new(1, PROT_READ | PROT_WRITE);
	void (*old)(int);

	write_pages(area, 1);
	poisoned_pfn = frame_of(area);
	at_end(unpoison);
	/* Who asks for the error gets the signal of one at once. */
	old = signal(SIGBUS, nothing);
	ktap_need(madvise(area, PAGE, MADV_HWPOISON) == 0, "MADV_HWPOISON");
	signal(SIGBUS, old);
	watch_start(area);
	for (int i = 0; i < PAGES; i++)
		raise_each(area, 1, SIGBUS, BUS_MCEERR_AR);
	watch_stop();
	expect("hwpoison:%d", PAGES);
	area_free(area, PAGE);
}

#define GROUPS		"/sys/fs/cgroup"
#define GROUP		GROUPS "/trapscope-oom"
#define CONSOLE		"/proc/sys/kernel/printk"

static void remove_group(void)
{
	rmdir(GROUP);
}

static void unmount_groups(void)
{
	umount(GROUPS);
}

/*
 * A child that touches more than its memory cgroup may have. The fault that
 * found no memory is its last one: the OOM killer chose it meanwhile.
 */
static void oom(void)
{
	char *area = area_new(4096, PROT_READ | PROT_WRITE);
	unsigned long touched;
	struct row row;
	char text[16];
	size_t found;
	int status;
	pid_t child;

	if (access(GROUPS "/cgroup.procs", F_OK)) {
		ktap_need(mount("none", GROUPS, "cgroup2", 0, "") == 0,
			  "mount " GROUPS);
		at_end(unmount_groups);
	}
	file_write(GROUPS "/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	at_end(remove_group);
	if (file_write(GROUP "/memory.max", "4194304")) {
		ktap_skip("no memory cgroup");
		return;
	}
	/* The killer's report, with its call trace, is no complaint here. */
	knob_set(CONSOLE, "1");
	file_write(GROUP "/memory.swap.max", "0");
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0) {
		snprintf(text, sizeof(text), "%d", getpid());
		if (file_write(GROUP "/cgroup.procs", text))
			_exit(1);
		write_pages(area, 4096);
		_exit(0);
	}
	ktap_need(waitpid(child, &status, 0) == child, "waitpid");
	ktap_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		   "the child was not killed: status 0x%x", status);
	if (!module_loaded()) {
		ktap_skip("trapscope is not loaded");
		return;
	}
	found = rows_at(child, area, false, &row);
	ktap_check(found == 1, "%zu rows of the child, not 1", found);
	touched = row.classes[class_index("anon-alloc")];
	ktap_check(row.classes[class_index("oom")] == 1,
		   "oom:%lu, not 1", row.classes[class_index("oom")]);
	ktap_check(touched > 0 && touched < 1024 && row.faults == touched + 1,
		   "%lu faults, anon-alloc:%lu", row.faults, touched);
	area_free(area, 4096 * PAGE);
}

static const struct ktap_case cases[] = {
	{ "sigsegv: guard pages", guard },
	{ "sigbus: pages beyond the end of a file", beyond_end },
	{ "hwpoison: a page with a memory error", hwpoison },
	{ "oom: more than the memory cgroup may have", oom },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}
