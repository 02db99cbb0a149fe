// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is short at each allocation in turn, by /proc/thread-self/fail-nth:
 * a clean error, and the second try works; leaks/kmemleak comes later. SURVIVE_STRIDE
 * (17) is how far apart the allocations of insmod are that fail, and three times as
 * far as those of enable; 1 is each of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "fault.h"
#include "files.h"
#include "module.h"
#include "storm.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define WARNS		"event_define_fields"
#define MOST		100000UL

/* With these every allocation of this task may fail, those that may wait too. */
static const struct {
	const char *path;
	const char *value;
} knobs[] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
};

/* From where to where in the kernel no allocation fails, for either kind. */
static const char *const rejected[] = {
	"/sys/kernel/debug/failslab/reject-start",
	"/sys/kernel/debug/failslab/reject-end",
	"/sys/kernel/debug/fail_page_alloc/reject-start",
	"/sys/kernel/debug/fail_page_alloc/reject-end",
};

static int fail_nth = -1;

/*
 * Of a module's trace events the kernel warns by itself where memory is short for
 * their fields (WARN_ON_ONCE in kernel/trace/trace_events.c): there nothing fails.
 */
static void spare_event_fields(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	unsigned long address = 0, start = 0, end = 0;
	char name[256], bounds[2][32];

	ktap_need(symbols != NULL, "open /proc/kallsyms");
	/* The kernel's own symbols are sorted: the end is where the next one starts. */
	while (!end && fscanf(symbols, "%lx %*c %255s%*[^\n]", &address, name) == 2)
		if (strcmp(name, WARNS) == 0)
			start = address;
		else if (start && address > start)
			end = address;
	fclose(symbols);
	ktap_need(end, "find " WARNS " in /proc/kallsyms, with its end");
	snprintf(bounds[0], sizeof(bounds[0]), "%#lx", start);
	snprintf(bounds[1], sizeof(bounds[1]), "%#lx", end);
	for (size_t i = 0; i < ARRAY_SIZE(rejected); i++)
		ktap_need(knob_set(rejected[i], bounds[i % 2]), "write %s", rejected[i]);
}

/* The @nth allocation of this thread from here on fails; 0: none. */
static void fail(unsigned long nth)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%lu", nth);

	ktap_need(pwrite(fail_nth, text, length, 0) == length,
		  "write %lu to " FAIL_NTH, nth);
}

/* Whether an allocation has failed since fail(). */
static bool has_failed(void)
{
	char text[32] = "";
	ssize_t got;

	/* Reading may allocate as well, and 0 is what is left after the failure. */
	got = pread(fail_nth, text, sizeof(text) - 1, 0);
	fail(0);
	return got < 0 || strtoul(text, NULL, 10) == 0;
}

static bool all_attached(void)
{
	static char text[8192];

	ktap_need(file_read(TRAPSCOPE "/status", text, sizeof(text)),
		  "read status");
	return !strstr(text, " failed ");
}

static void loading(void)
{
	unsigned long stride = wanted_number("SURVIVE_STRIDE", 17);
	unsigned long tries = 0, refused = 0, partly = 0, nth;

	module_unload();
	/* Another offset with each seed, so that in the end each had its turn. */
	for (nth = 1 + storm_below(stride); nth < MOST; nth += stride) {
		bool failed;
		int error;

		fail(nth);
		error = module_insert("rows=64 maxactive=4");
		failed = has_failed();
		tries++;
		if (error) {
			refused++;
			ktap_check(failed && (error == ENOMEM ||
					      error == EAGAIN),
				   "allocation %lu: %s", nth, strerror(error));
			ktap_check(!module_loaded(), "there are files");
			continue;
		}
		/* A hook that could not be attached says so, the others work. */
		partly += !all_attached();
		module_unload();
		if (!failed)
			break;
	}
	ktap_diag("%lu loads with a failure within %lu allocations: %lu refused, %lu with a hook less",
		  tries, nth, refused, partly);
	ktap_check(nth < MOST, "no end after %lu allocations", nth);
	ktap_check(refused + partly > 0, "all of them were of no consequence");
	module_load("");
	ktap_check(all_attached(), "the next try has not all hooks");
	check_counts();
}

/* Calls @run with each of its allocations failing, until none is left. */
static void each(const char *what, int (*run)(void))
{
	unsigned long nth;

	for (nth = 1; nth < MOST; nth++) {
		bool failed;
		int error;

		fail(nth);
		error = run();
		failed = has_failed();
		ktap_check(!error || (failed && (error == ENOMEM ||
						 error == EAGAIN)),
			   "%s, allocation %lu: %s", what, nth,
			   strerror(error));
		if (!failed)
			break;
	}
	ktap_diag("%s: %lu allocations", what, nth - 1);
	ktap_check(run() == 0, "%s: the next try", what);
}

static int enable(void)
{
	return file_write(TRAPSCOPE "/enable", "1");
}

static int disable(void)
{
	return file_write(TRAPSCOPE "/enable", "0");
}

static int reset(void)
{
	return file_write(TRAPSCOPE "/reset", "1");
}

static int filter(void)
{
	return file_write(TRAPSCOPE "/filter", "pid=1 comm=some one");
}

/* The second descriptor table, there and gone again. */
static int table(void)
{
	int error = file_write(TRAPSCOPE "/trace_idt/enable", "1");

	return error ? error : file_write(TRAPSCOPE "/trace_idt/enable", "0");
}

/* Attached or not, what status says is true, and 0 and 1 mend it. */
static void switching(void)
{
	unsigned long stride = (wanted_number("SURVIVE_STRIDE", 17) + 2) / 3;
	unsigned long nth;

	for (nth = 1 + storm_below(stride); nth < MOST; nth += stride) {
		bool failed;

		ktap_check(disable() == 0, "0 to enable");
		fail(nth);
		enable();
		failed = has_failed();
		if (!failed)
			break;
		ktap_check(disable() == 0 && enable() == 0 && all_attached(),
			   "allocation %lu: 0 and 1 did not mend it", nth);
	}
	ktap_diag("enable: %lu allocations", nth - 1);
	ktap_check(all_attached(), "a hook is missing");
	/* Not while hooks go: the kernel warns where ftrace has no memory for that. */
	each("disable", disable);
	ktap_check(enable() == 0, "1 to enable");
	each("reset", reset);
	each("filter", filter);
	ktap_check(file_write(TRAPSCOPE "/filter", "none") == 0, "none");
	if (table())
		ktap_diag("no second table: this machine has page-table isolation");
	else
		each("trace_idt/enable", table);
	check_counts();
}

static const char *reading;

static int read_file(void)
{
	static char piece[4096];
	int fd = open(reading, O_RDONLY);
	int error = fd < 0 ? errno : 0;
	ssize_t got;

	while (!error && (got = read(fd, piece, sizeof(piece))))
		if (got < 0)
			error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static void readers(void)
{
	char path[128];

	for (size_t i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof(path), TRAPSCOPE "/%s", module_files[i].name);
		reading = path;
		each(module_files[i].name, read_file);
	}
	check_counts();
}

static void put_back(void)
{
	if (fail_nth >= 0)
		fail(0);
	file_write(TRAPSCOPE "/filter", "none");
	if (!module_loaded())
		module_insert("");
}

static const struct ktap_case cases[] = {
	{ "while the module is loaded", loading },
	{ "while it is switched, reset, filtered", switching },
	{ "while files are read", readers },
};

int main(void)
{
	unsigned long seed = 0;

	module_needed();
	fail_nth = open(FAIL_NTH, O_RDWR);
	if (fail_nth < 0 || access(rejected[0], W_OK))
		ktap_skip_all("no CONFIG_FAULT_INJECTION_STACKTRACE_FILTER: make test-debug has it");
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		knob_set(knobs[i].path, knobs[i].value);
	spare_event_fields();
	ktap_need(getrandom(&seed, 4, 0) == 4, "a seed");
	seed = wanted_number("SOAK_SEED", seed);
	ktap_diag("SOAK_SEED=%lu does the same again", seed);
	storm_seed(seed);
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
