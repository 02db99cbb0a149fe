// SPDX-License-Identifier: GPL-2.0
/* What the events say of single faults, as tracefs prints it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "event.h"
#include "sleepers.h"

#define PAGES	4
#define WAIT_MS	100

static char trace[256 << 10];

/* Records what happens in the pages, and to this process. */
static void record(const char *area, size_t pages)
{
	char text[128];

	snprintf(text, sizeof(text), "address >= 0x%lx && address < 0x%lx",
		 (unsigned long)area, (unsigned long)area + pages * PAGE);
	event_set("fault", "filter", text);
	event_set("kernel_fault", "filter", text);
	must_run(": >" TRACING "trace");
	event_set("fault", "enable", "1");
	event_set("kernel_fault", "enable", "1");
}

static void stop(void)
{
	event_set("fault", "enable", "0");
	event_set("kernel_fault", "enable", "0");
	ktap_need(file_read(TRACING "trace", trace, sizeof(trace)),
		  "read " TRACING "trace");
}

/* The text of the n-th event of that name, from 0; NULL if there are fewer. */
static char *event(const char *name, size_t n)
{
	static char text[1024];
	char mark[32];
	char *at = trace;

	snprintf(mark, sizeof(mark), " %s: ", name);
	while ((at = strstr(at, mark))) {
		at += strlen(mark);
		if (n-- == 0) {
			snprintf(text, sizeof(text), "%.*s",
				 (int)strcspn(at, "\n"), at);
			return text;
		}
	}
	return NULL;
}

static size_t events(const char *name)
{
	size_t n = 0;

	while (event(name, n))
		n++;
	return n;
}

/* What stands behind "name=" in an event; empty if it is not there. */
static const char *field(const char *text, const char *name)
{
	static char values[8][256];
	static size_t next;
	char *value = values[next++ % ARRAY_SIZE(values)];
	size_t length = strlen(name);

	*value = '\0';
	for (const char *at = text; at && *at; at++) {
		if ((at == text || at[-1] == ' ') &&
		    strncmp(at, name, length) == 0 && at[length] == '=') {
			at += length + 1;
			snprintf(value, sizeof(values[0]), "%.*s",
				 (int)strcspn(at, " \n"), at);
			break;
		}
	}
	return value;
}

static void has(const char *text, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The event's field is this text. */
static void has(const char *text, const char *name, const char *fmt, ...)
{
	char wanted[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(wanted, sizeof(wanted), fmt, args);
	va_end(args);
	ktap_check(text && strcmp(field(text, name), wanted) == 0,
		   "%s=%s, not %s", name, field(text, name), wanted);
}

/* One of the names that "|" joins. */
static bool one_of(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (; list; list = strchr(list, '|')) {
		list += *list == '|';
		if (strncmp(list, name, length) == 0 &&
		    (list[length] == '|' || list[length] == '\0'))
			return true;
	}
	return false;
}

static void flag(const char *text, const char *name, bool set)
{
	ktap_check(one_of(field(text, "flags"), name) == set,
		   "flags=%s %s %s", field(text, "flags"),
		   set ? "without" : "with", name);
}

/* What is the same for every fault of the process in an area. */
static void check_place(const char *text, const char *area, size_t page,
			size_t pages)
{
	has(text, "address", "0x%lx", (unsigned long)area + page * PAGE);
	has(text, "vma", "0x%lx-0x%lx", (unsigned long)area,
	    (unsigned long)area + pages * PAGE);
	has(text, "tgid", "%d", getpid());
	ktap_check(strtoul(field(text, "latency_ns"), NULL, 10) > 0, "no latency");
}

extern char __executable_start, etext;

static bool in_program(const char *text)
{
	unsigned long ip = strtoul(field(text, "ip"), NULL, 16);

	return ip >= (unsigned long)&__executable_start &&
	       ip < (unsigned long)&etext;
}

static void anonymous(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);

	record(area, PAGES);
	write_pages(area, PAGES);
	stop();
	ktap_check(events("fault") == PAGES, "%zu events", events("fault"));
	for (size_t i = 0; i < PAGES; i++) {
		const char *text = event("fault", i);

		check_place(text, area, i, PAGES);
		has(text, "class", "anon-alloc");
		has(text, "result", "none");
		has(text, "perms", "rw-p");
		has(text, "dev", "00:00");
		has(text, "ino", "0");
		has(text, "major", "0");
		has(text, "retries", "0");
		flag(text, "WRITE", true);
		flag(text, "USER", true);
		flag(text, "VMA_LOCK", true);
		ktap_check(in_program(text), "ip=%s is not in the program",
			   field(text, "ip"));
	}
	area_free(area, PAGES * PAGE);
}

static int memfd(off_t size, struct stat *stat)
{
	int fd = memfd_create("event", 0);

	ktap_need(fd >= 0 && ftruncate(fd, size) == 0 && fstat(fd, stat) == 0,
		  "make a memfd");
	return fd;
}

static void file(void)
{
	struct stat stat;
	int fd = memfd(PAGES * PAGE, &stat);
	char *area = area_map(PAGES, PROT_READ, MAP_SHARED, fd);
	const char *text;

	/* One page of a hole at a time. */
	record(area, PAGES);
	touch_read(area + PAGE);
	stop();
	ktap_check(events("fault") == 1, "%zu events", events("fault"));
	text = event("fault", 0);
	check_place(text, area, 1, PAGES);
	has(text, "class", "file-read");
	has(text, "perms", "r--s");
	has(text, "dev", "%02x:%02x", major(stat.st_dev), minor(stat.st_dev));
	has(text, "ino", "%lu", (unsigned long)stat.st_ino);
	flag(text, "WRITE", false);
	area_free(area, PAGES * PAGE);
	close(fd);
}

/* The kernel has let go of the mapping by the time that the call returns. */
static void let_go(void)
{
	struct stat stat;
	int fd = memfd(PAGES * PAGE, &stat);
	char *area = area_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	const char *text;

	record(area, PAGES);
	touch_write(area + 2 * PAGE);
	stop();
	ktap_check(events("fault") == 1, "%zu events", events("fault"));
	text = event("fault", 0);
	check_place(text, area, 2, PAGES);
	has(text, "class", "file-write");
	has(text, "perms", "rw-s");
	has(text, "ino", "%lu", (unsigned long)stat.st_ino);
	ktap_check(one_of(field(text, "result"), "COMPLETED"),
		   "result=%s without COMPLETED", field(text, "result"));
	area_free(area, PAGES * PAGE);
	close(fd);
}

static void failed(void)
{
	struct stat stat;
	int fd = memfd(PAGE, &stat);
	char *area = area_map(PAGES, PROT_READ, MAP_SHARED, fd);
	const char *text;

	record(area, PAGES);
	ktap_check(touch_raises(area + 3 * PAGE, false, SIGBUS, NULL), "no SIGBUS");
	stop();
	ktap_check(events("fault") == 1 && events("kernel_fault") == 0,
		   "%zu events", events("fault") + events("kernel_fault"));
	text = event("fault", 0);
	check_place(text, area, 3, PAGES);
	has(text, "class", "sigbus");
	has(text, "result", "SIGBUS");
	has(text, "major", "0");
	area_free(area, PAGES * PAGE);
	close(fd);
}

static unsigned long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000UL + now.tv_nsec;
}

/* One that is made to wait, and is tried again then. */
static void waited(void)
{
	const char *text = NULL;
	unsigned long start, latency;

	record(NULL, (1UL << 47) / PAGE);
	start = now_ns();
	sleepers_start(1);
	usleep(WAIT_MS * 1000);
	sleepers_wake();
	start = now_ns() - start;
	stop();
	for (size_t i = 0; (text = event("fault", i)); i++)
		if (strcmp(field(text, "class"), "uffd-missing") == 0)
			break;
	ktap_need(text, "find the fault that waited among %zu events",
		  events("fault"));
	has(text, "tgid", "%d", getpid());
	ktap_check(strtoul(field(text, "retries"), NULL, 10) > 0,
		   "retries=%s", field(text, "retries"));
	latency = strtoul(field(text, "latency_ns"), NULL, 10);
	ktap_check(latency >= WAIT_MS * 1000000UL && latency <= start,
		   "latency_ns=%lu of a wait of %d ms, within %lu ns", latency,
		   WAIT_MS, start);
}

static void from_kernel(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	const char *text;
	int fd = open("/proc/version", O_RDONLY);

	ktap_need(fd >= 0, "open /proc/version");
	record(area, PAGES);
	ktap_check(read(fd, area, 16) == 16, "read to the area");
	stop();
	ktap_check(events("fault") == 1, "%zu events", events("fault"));
	text = event("fault", 0);
	check_place(text, area, 0, PAGES);
	has(text, "class", "anon-alloc");
	flag(text, "USER", false);
	ktap_check(strtoul(field(text, "ip"), NULL, 16) >> 63,
		   "ip=%s is not in the kernel", field(text, "ip"));
	close(fd);
	area_free(area, PAGES * PAGE);
}

/* Faults on behalf of another process: that one's memory, and no registers. */
static void remote(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	pid_t child = child_hold();
	struct iovec local = { (char[]){ "x" }, 1 };
	struct iovec there = { area, 1 };
	const char *text;

	record(area, PAGES);
	ktap_check(process_vm_writev(child, &local, 1, &there, 1, 0) == 1,
		   "process_vm_writev");
	stop();
	child_end(child);
	ktap_check(events("fault") == 1, "%zu events", events("fault"));
	text = event("fault", 0);
	has(text, "class", "anon-alloc");
	has(text, "tgid", "%d", child);
	has(text, "ip", "0x0");
	flag(text, "REMOTE", true);
	area_free(area, PAGES * PAGE);
}

static void refused_user(void)
{
	char *area = area_new(PAGES, PROT_READ);
	const char *text;

	record(area, PAGES);
	ktap_check(touch_raises(area, true, SIGSEGV, NULL), "no SIGSEGV");
	stop();
	ktap_check(events("kernel_fault") == 1 && events("fault") == 0,
		   "%zu events", events("kernel_fault") + events("fault"));
	text = event("kernel_fault", 0);
	has(text, "place", "access");
	has(text, "address", "0x%lx", (unsigned long)area);
	has(text, "error_code", "write|user");
	has(text, "mode", "user");
	ktap_check(in_program(text), "ip=%s is not in the program",
		   field(text, "ip"));
	area_free(area, PAGES * PAGE);

	record(NULL, 1);
	ktap_check(touch_raises((void *)16, false, SIGSEGV, NULL), "no SIGSEGV");
	stop();
	ktap_check(events("kernel_fault") == 1, "%zu events", events("kernel_fault"));
	text = event("kernel_fault", 0);
	has(text, "place", "no-vma");
	has(text, "address", "0x10");
	has(text, "error_code", "user");
}

static void refused_kernel(void)
{
	struct stat *nowhere = (struct stat *)(2 * PAGE);
	const char *text;

	record((char *)(2 * PAGE), 1);
	ktap_check(stat("/", nowhere) == -1 && errno == EFAULT, "stat");
	stop();
	text = event("kernel_fault", 0);
	has(text, "place", "no-vma");
	has(text, "mode", "kernel");
	ktap_check(strtoul(field(text, "ip"), NULL, 16) >> 63,
		   "ip=%s is not in the kernel", field(text, "ip"));
	ktap_check(one_of(field(text, "error_code"), "write"),
		   "error_code=%s without write", field(text, "error_code"));
}

/* From user mode, on an address of the kernel. */
static void kernel_address(void)
{
	char *image = (char *)0xffffffff80000000UL;
	const char *text;

	record(image, 1);
	ktap_check(touch_raises(image, false, SIGSEGV, NULL), "no SIGSEGV");
	stop();
	ktap_check(events("kernel_fault") == 1, "%zu events", events("kernel_fault"));
	text = event("kernel_fault", 0);
	has(text, "place", "kernel-image");
	has(text, "address", "0xffffffff80000000");
	has(text, "mode", "user");
	ktap_check(one_of(field(text, "error_code"), "user"),
		   "error_code=%s without user", field(text, "error_code"));
}

/* A legacy call: emulated or refused, it is one fault on the instruction's address. */
static void legacy_call(void)
{
	char *page = (char *)0xffffffffff600000UL;
	const char *text;

	record(page, 1);
	run_raises(page + 1024, SIGSEGV);
	stop();
	ktap_check(events("kernel_fault") == 1, "%zu events", events("kernel_fault"));
	text = event("kernel_fault", 0);
	has(text, "place", "vsyscall");
	has(text, "address", "0xffffffffff600400");
	has(text, "ip", "0xffffffffff600400");
	has(text, "mode", "user");
	ktap_check(one_of(field(text, "error_code"), "instr"),
		   "error_code=%s without instr", field(text, "error_code"));
}

static void all_off(void)
{
	file_write(EVENTS "enable", "0");
	file_write(EVENTS "fault/filter", "0");
	file_write(EVENTS "kernel_fault/filter", "0");
}

static const struct ktap_case cases[] = {
	{ "fault: anonymous memory, all fields", anonymous },
	{ "fault: a file's device, inode and permissions", file },
	{ "fault: the mapping, though the kernel has let go of it", let_go },
	{ "fault: one that failed", failed },
	{ "fault: one that waited: latency and retries", waited },
	{ "fault: from kernel mode", from_kernel },
	{ "fault: of another process's memory", remote },
	{ "kernel_fault: a refused access from user mode", refused_user },
	{ "kernel_fault: a refused access from the kernel", refused_kernel },
	{ "kernel_fault: a kernel address", kernel_address },
	{ "kernel_fault: a call of the vsyscall page", legacy_call },
};

int main(void)
{
	if (access(EVENTS "fault", F_OK))
		ktap_skip_all("no " EVENTS "fault: load trapscope, mount tracefs");
	at_end(all_off);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
