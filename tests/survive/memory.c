// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is short at each allocation in turn, by /proc/thread-self/fail-nth:
 * a clean error, and the second try works; leaks/kmemleak comes later. SURVIVE_STRIDE
 * (6) is how far apart the allocations of insmod and of enable are that fail; 1 is each
 * of them.
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
#define LOADER		"do_init_module"
#define MOST		100000UL
#define PROGRESS	50

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

/* Where an allocation has to come from, to fail. */
static const char *const required[] = {
	"/sys/kernel/debug/failslab/require-start",
	"/sys/kernel/debug/failslab/require-end",
	"/sys/kernel/debug/fail_page_alloc/require-start",
	"/sys/kernel/debug/fail_page_alloc/require-end",
};
static const char *const anywhere[] = { "0", "0xffffffffffffffff" };

static int fail_nth = -1;

/* From @bounds[0] to @bounds[1] in the kernel's text. */
static void fail_within(const char *const bounds[2])
{
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		ktap_need(file_write(required[i], bounds[i % 2]) == 0,
			  "write %s", required[i]);
}

/*
 * What calls a module's init function: below it are the allocations of the module. The
 * loader's own before that are not, and of two of those the kernel warns where memory is
 * short (jump_label_add_module() and event_define_fields()).
 */
static void fail_within_init(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "r");
	unsigned long address = 0, start = 0, end = 0;
	char name[256], bounds[2][32];

	ktap_need(symbols != NULL, "open /proc/kallsyms");
	/* The kernel's own symbols are sorted: the end is where the next one starts. */
	while (!end && fscanf(symbols, "%lx %*c %255s%*[^\n]", &address, name) == 2)
		if (strcmp(name, LOADER) == 0)
			start = address;
		else if (start && address > start)
			end = address;
	fclose(symbols);
	ktap_need(end, "find " LOADER " in /proc/kallsyms, with its end");
	snprintf(bounds[0], sizeof(bounds[0]), "%#lx", start);
	snprintf(bounds[1], sizeof(bounds[1]), "%#lx", end);
	fail_within((const char *[]){ bounds[0], bounds[1] });
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

static bool all_files(void)
{
	return files_there() == FILE_COUNT;
}

/* Whether that is what short memory looks like. */
static bool is_clean(int error, bool failed)
{
	return failed && (error == ENOMEM || error == EAGAIN);
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

/* Whether the kernel's log says that, from where @log stands. */
static bool log_says(int log, const char *text)
{
	char record[2048];
	ssize_t got;

	while ((got = read(log, record, sizeof(record) - 1)) > 0) {
		record[got] = '\0';
		if (strstr(record, text))
			return true;
	}
	return false;
}

/* Loaded without a file or more: the log names them, and the others are whole. */
static void without_file(int log, unsigned long nth)
{
	char path[128];

	ktap_check(log_says(log, "trapscope: no file "),
		   "allocation %lu: no word of the file that is missing", nth);
	for (size_t i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof(path), TRAPSCOPE "/%s", module_files[i].name);
		reading = path;
		ktap_check(access(path, F_OK) || read_file() == 0,
			   "allocation %lu: %s can't be read", nth, path);
	}
}

static void loading(void)
{
	unsigned long stride = wanted_number("SURVIVE_STRIDE", 6);
	unsigned long tries = 0, refused = 0, no_file = 0, no_hook = 0, nth;
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int error = 0;

	ktap_need(log >= 0, "open /dev/kmsg");
	module_unload();
	fail_within_init();
	/* Another offset with each seed, so that in the end each had its turn. */
	for (nth = 1 + storm_below(stride); nth < MOST; nth += stride) {
		bool failed;

		lseek(log, 0, SEEK_END);
		fail(nth);
		error = module_insert("rows=64 maxactive=4");
		failed = has_failed();
		if (!error) {
			/*
			 * A file that debugfs could not make is not there, a hook that
			 * could not be attached says so, and all others work.
			 */
			if (!all_files()) {
				no_file++;
				without_file(log, nth);
			} else {
				no_hook += !all_attached();
			}
			module_unload();
		}
		if (!failed)
			break;
		tries++;
		if (error) {
			refused++;
			ktap_check(is_clean(error, failed),
				   "allocation %lu: %s", nth, strerror(error));
			ktap_check(!module_loaded(), "there are files");
		}
		if (tries % PROGRESS == 0)
			ktap_diag("allocation %lu so far", nth);
	}
	close(log);
	fail_within(anywhere);
	ktap_check(!error, "insmod, though no allocation failed: %s", strerror(error));
	ktap_diag("%lu loads with a failure within %lu allocations: %lu refused, %lu without a file, %lu without a hook",
		  tries, nth, refused, no_file, no_hook);
	ktap_check(nth < MOST, "no end after %lu allocations", nth);
	ktap_check(refused > 0, "none was refused");
	module_load("");
	ktap_check(all_files() && all_attached(),
		   "the next try has not all files and hooks");
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
		ktap_check(!error || is_clean(error, failed),
			   "%s, allocation %lu: %s", what, nth,
			   strerror(error));
		if (!failed)
			break;
	}
	ktap_diag("%s: %lu allocations", what, nth - 1);
	ktap_check(nth > 1, "%s: no allocation failed", what);
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
	unsigned long stride = wanted_number("SURVIVE_STRIDE", 6);
	unsigned long nth;

	for (nth = 1 + storm_below(stride); nth < MOST; nth += stride) {
		bool failed;
		int error;

		ktap_check(disable() == 0, "0 to enable");
		fail(nth);
		error = enable();
		failed = has_failed();
		ktap_check(!error || is_clean(error, failed),
			   "enable, allocation %lu: %s", nth, strerror(error));
		if (!failed)
			break;
		ktap_check(disable() == 0 && enable() == 0 && all_attached(),
			   "allocation %lu: 0 and 1 did not mend it", nth);
	}
	ktap_diag("enable: %lu allocations", nth - 1);
	ktap_check(nth > stride, "enable: no allocation failed");
	ktap_check(all_attached(), "a hook is missing");
	/* Not while hooks go: the kernel warns where ftrace has no memory for that. */
	ktap_check(disable() == 0, "0 to enable");
	each("disable, once more", disable);
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
	if (fail_nth < 0 || access(required[0], W_OK))
		ktap_skip_all("no CONFIG_FAULT_INJECTION_STACKTRACE_FILTER: make test-debug has it");
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		knob_set(knobs[i].path, knobs[i].value);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++)
		ktap_need(knob_set(required[i], anywhere[i % 2]), "write %s",
			  required[i]);
	ktap_need(getrandom(&seed, 4, 0) == 4, "a seed");
	seed = wanted_number("SOAK_SEED", seed);
	ktap_diag("SOAK_SEED=%lu does the same again", seed);
	storm_seed(seed);
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
