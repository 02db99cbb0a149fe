// SPDX-License-Identifier: GPL-2.0
/* Accesses to user addresses that no VMA allows, and the error code's bits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "event.h"
#include "fetch.h"

#define COUNT		8

static const struct item {
	const char *kind;
	const char *name;
} items[] = {
	{ "bad-area", "no-vma" },
	{ "bad-area", "access" },
	{ "bad-area", "atomic" },
};

struct counts {
	unsigned long kernel[ARRAY_SIZE(items)];
	unsigned long user[ARRAY_SIZE(items)];
};

static void read_counts(struct counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		const struct item *item = &items[i];

		counts->kernel[i] = kernel_faults(item->kind, item->name,
						  false);
		counts->user[i] = kernel_faults(item->kind, item->name, true);
	}
}

static void check_grown(const struct counts *before, const char *name,
			unsigned long kernel, unsigned long user)
{
	struct counts after;

	read_counts(&after);
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		bool here = strcmp(items[i].name, name) == 0;
		unsigned long k = after.kernel[i] - before->kernel[i];
		unsigned long u = after.user[i] - before->user[i];

		ktap_check(k == (here ? kernel : 0) && u == (here ? user : 0),
			   "%s grew by %lu from the kernel and %lu from user mode",
			   items[i].name, k, u);
	}
}

static bool loaded(void)
{
	if (module_loaded())
		return true;
	ktap_skip("trapscope is not loaded");
	return false;
}

static bool probes(void)
{
	if (!fetch_possible())
		ktap_skip("no kprobe events: mount tracefs, be root");
	return fetch_possible() && loaded();
}

/* An address that nothing is mapped at. */
static char *nowhere(void)
{
	char *area = area_new(1, PROT_READ);

	area_free(area, PAGE);
	return area;
}

/* Accesses from user mode to an address that does not allow them. */
static void touches_raise(char *bad, bool write, const char *name)
{
	struct counts before;

	if (!loaded())
		return;
	read_counts(&before);
	for (int i = 0; i < COUNT; i++)
		ktap_check(touch_raises(bad, write, SIGSEGV, NULL),
			   "no SIGSEGV");
	check_grown(&before, name, 0, COUNT);
}

/* A system call that stores one number there. */
static void stores_fail(char *bad, const char *name)
{
	struct counts before;

	if (!loaded())
		return;
	read_counts(&before);
	for (int i = 0; i < COUNT; i++)
		ktap_check(syscall(SYS_getcpu, bad, NULL, NULL) == -1 &&
			   errno == EFAULT, "getcpu to a bad address");
	check_grown(&before, name, COUNT, 0);
}

static void no_vma_user(void)
{
	char *hole = nowhere();

	touches_raise(hole, false, "no-vma");
	touches_raise(hole, true, "no-vma");
}

static void no_vma_kernel(void)
{
	stores_fail(nowhere(), "no-vma");
}

static void access_user(void)
{
	char *area = area_new(1, PROT_READ);

	touch_read(area);
	touches_raise(area, true, "access");
	area_free(area, PAGE);
}

static void access_kernel(void)
{
	char *area = area_new(1, PROT_READ);

	touch_read(area);
	stores_fail(area, "access");
	area_free(area, PAGE);
}

/*
 * FUTEX_WAIT first looks at the number under a spinlock, where a fault can't be
 * served, and then again without it.
 */
static void atomic(void)
{
	char *area = area_new(COUNT, PROT_READ | PROT_WRITE);
	struct counts before;

	if (!loaded())
		return;
	read_counts(&before);
	watch_start(area);
	for (int i = 0; i < COUNT; i++)
		ktap_check(syscall(SYS_futex, area + i * PAGE,
				   FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == -1 &&
			   errno == EAGAIN, "futex of another value");
	watch_stop();
	check_grown(&before, "atomic", COUNT, 0);
	expect("anon-zero:%d", COUNT);
	area_free(area, COUNT * PAGE);
}

/*
 * A kprobe's handler may have no fault served, whatever is mapped; and no other
 * kprobe hears of it.
 */
static void in_handler(const char *page, size_t times)
{
	struct counts before;

	if (!probes())
		return;
	/* The first argument of the system call: struct pt_regs has it at 112. */
	fetch_start("x=+u0(+112(%di)):u8");
	read_counts(&before);
	for (int i = 0; i < COUNT; i++)
		fetch_once(page);
	check_grown(&before, "atomic", times, 0);
	fetch_stop();
}

static void handler_no_vma(void)
{
	in_handler(nowhere(), COUNT);
}

static void handler_absent(void)
{
	char *area = area_new(1, PROT_READ);

	watch_start(area);
	in_handler(area, COUNT);
	read_pages(area, 1);
	watch_stop();
	expect("anon-zero:1");
	in_handler(area, 0);
	area_free(area, PAGE);
}

static long list(int folder, char *to)
{
	lseek(folder, 0, SEEK_SET);
	return syscall(SYS_getdents64, folder, to, PAGE);
}

static void tracing_off(void)
{
	file_write(EVENTS "kernel_fault/enable", "0");
}

/* The instruction with which the kernel lists a folder to @bad, as kprobe events have it. */
static void where_it_faults(int folder, char *bad, char *place, size_t size)
{
	static char trace[64 << 10];
	const char *at;

	at_end(tracing_off);
	must_run(": >" TRACING "trace");
	event_set("kernel_fault", "enable", "1");
	list(folder, bad);
	tracing_off();
	ktap_need(file_read(TRACING "trace", trace, sizeof(trace)),
		  "read " TRACING "trace");
	at = strstr(trace, " ip=0xffff");
	ktap_need(at != NULL, "no fault of getdents64 in the trace");
	snprintf(place, size, "%.18s", at + strlen(" ip="));
}

/*
 * An access to user memory under a kprobe runs one step at a time, with interrupts off
 * where it faults; the kernel serves that fault like any other.
 */
static void stepped(void)
{
	char *area = area_new(COUNT, PROT_READ | PROT_WRITE), *hole = nowhere();
	int folder = open("/", O_RDONLY | O_DIRECTORY);
	struct counts before;
	char place[32];

	ktap_need(folder >= 0, "open /");
	if (!probes())
		return;
	where_it_faults(folder, hole, place, sizeof(place));
	fetch_step(place);
	read_counts(&before);
	watch_start(area);
	for (int i = 0; i < COUNT; i++)
		ktap_check(list(folder, area + i * PAGE) > 0, "getdents64");
	watch_stop();
	check_grown(&before, "none of them", 0, 0);
	expect("anon-alloc:%d", COUNT);
	for (int i = 0; i < COUNT; i++)
		ktap_check(list(folder, hole) == -1 && errno == EFAULT,
			   "getdents64 to a bad address");
	fetch_stop();
	check_grown(&before, "no-vma", COUNT, 0);
	close(folder);
	area_free(area, COUNT * PAGE);
}

struct bits {
	unsigned long protection, write, instr, total;
};

static void read_bits(struct bits *bits, bool user)
{
	bits->protection = kernel_faults("error-code", "protection", user);
	bits->write = kernel_faults("error-code", "write", user);
	bits->instr = kernel_faults("error-code", "instr", user);
	bits->total = kernel_faults("total", "page-fault", user);
}

static void check_bits(const struct bits *before, bool user,
		       unsigned long protection, unsigned long write,
		       unsigned long instr, unsigned long total)
{
	struct bits after;

	read_bits(&after, user);
	ktap_check(after.protection - before->protection == protection,
		   "protection grew by %lu, not %lu",
		   after.protection - before->protection, protection);
	ktap_check(after.write - before->write == write,
		   "write grew by %lu, not %lu", after.write - before->write,
		   write);
	ktap_check(after.instr - before->instr == instr,
		   "instr grew by %lu, not %lu", after.instr - before->instr,
		   instr);
	ktap_check(after.total - before->total == total,
		   "page-fault grew by %lu, not %lu",
		   after.total - before->total, total);
}

/* Refused reads and writes, of a hole and of a page that is there. */
static void error_code(void)
{
	char *area = area_new(1, PROT_READ), *hole = nowhere();
	struct bits before;

	if (!loaded())
		return;
	touch_read(area);
	read_bits(&before, true);
	for (int i = 0; i < COUNT; i++)
		ktap_check(touch_raises(hole, false, SIGSEGV, NULL),
			   "no SIGSEGV");
	check_bits(&before, true, 0, 0, 0, COUNT);
	for (int i = 0; i < COUNT; i++)
		ktap_check(touch_raises(area, true, SIGSEGV, NULL),
			   "no SIGSEGV");
	check_bits(&before, true, COUNT, COUNT, 0, 2 * COUNT);
	read_bits(&before, false);
	for (int i = 0; i < COUNT; i++)
		ktap_check(syscall(SYS_getcpu, area, NULL, NULL) == -1 &&
			   errno == EFAULT, "getcpu to a read-only page");
	check_bits(&before, false, COUNT, COUNT, 0, COUNT);
	area_free(area, PAGE);
}

/* What handle_mm_fault() serves is in "faults", and not here. */
static void error_code_served(void)
{
	char *area = area_new(COUNT, PROT_READ | PROT_WRITE);
	struct bits user, kernel;

	if (!loaded())
		return;
	read_bits(&user, true);
	read_bits(&kernel, false);
	watch_start(area);
	read_pages(area, COUNT);
	write_pages(area, COUNT);
	watch_stop();
	check_bits(&user, true, 0, 0, 0, 0);
	check_bits(&kernel, false, 0, 0, 0, 0);
	expect("anon-zero:%d,cow-zero:%d", COUNT, COUNT);
	area_free(area, COUNT * PAGE);
}

/* A jump to memory that holds no code. */
static void error_code_exec(void)
{
	char *area = area_new(1, PROT_READ | PROT_WRITE);
	struct bits before;

	if (!loaded())
		return;
	touch_write(area);
	watch_start(area);
	read_bits(&before, true);
	for (int i = 0; i < COUNT; i++)
		ktap_check(run_raises(area, SIGSEGV), "no SIGSEGV");
	check_bits(&before, true, COUNT, 0, COUNT, COUNT);
	watch_stop();
	area_free(area, PAGE);
}

static const struct ktap_case cases[] = {
	{ "no-vma: an access from user mode", no_vma_user },
	{ "no-vma: a bad pointer to a system call", no_vma_kernel },
	{ "access: a write to a read-only mapping", access_user },
	{ "access: a system call that writes to one", access_kernel },
	{ "atomic: a read that may not sleep", atomic },
	{ "atomic: a kprobe's handler, of no mapping", handler_no_vma },
	{ "atomic: a kprobe's handler, of a page that is not there", handler_absent },
	{ "no-vma: a system call that runs one step at a time", stepped },
	{ "error code: reads and writes", error_code },
	{ "error code: not of faults that were served", error_code_served },
	{ "error code: a jump to data", error_code_exec },
};

int main(void)
{
	return fault_main(cases, ARRAY_SIZE(cases));
}
