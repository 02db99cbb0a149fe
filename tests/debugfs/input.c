// SPDX-License-Identifier: GPL-2.0
/* What is written to the files, good and bad. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "sleepers.h"

#define MIB	(1UL << 20)
#define KPROBES	"/sys/kernel/debug/kprobes/"
#define PAGES	16

static char flood[MIB];

/* What writing these bytes at once gives: 0 or the errno. */
static int write_bytes(const char *file, const char *bytes, size_t count)
{
	char path[128];
	ssize_t written;
	int error;
	int fd;

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", file);
	fd = open(path, O_WRONLY);
	ktap_need(fd >= 0, "open %s", path);
	written = write(fd, bytes, count);
	error = written < 0 ? errno : 0;
	ktap_check(written < 0 || written == (ssize_t)count,
		   "%s took %zd of %zu bytes", file, written, count);
	close(fd);
	return error;
}

static void content(const char *file, char *text, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", file);
	ktap_need(file_read(path, text, size), "read %s", path);
}

static void check_content(const char *file, const char *wanted)
{
	char text[256];

	content(file, text, sizeof(text));
	ktap_check(strcmp(text, wanted) == 0, "%s is \"%s\", not \"%s\"", file,
		   text, wanted);
}

/* Refused with EINVAL, and nothing has changed. */
static void check_refused(const char *file, const char *bytes, size_t count)
{
	unsigned long total = faults_total(COMPLETED);
	char enable[64], filter[256], shown[40];
	int error;

	content("enable", enable, sizeof(enable));
	content("filter", filter, sizeof(filter));
	error = write_bytes(file, bytes, count);
	snprintf(shown, sizeof(shown), "%s", bytes);
	ktap_check(error == EINVAL, "%zu bytes \"%s\" to %s: %s", count, shown,
		   file, error ? strerror(error) : "taken");
	check_content("enable", enable);
	check_content("filter", filter);
	ktap_check(faults_total(COMPLETED) >= total, "the counts are gone");
}

static const char *const bad[] = {
	"word", "-1", "18446744073709551616", "18446744073709551617", "2",
	"0x", "1 1", "key=1", "\n", " ", "1\n1", "99999999999999999999999999",
};

static void bad_input(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_refused(file, bad[i], strlen(bad[i]));
	check_refused(file, "", 0);
	check_refused(file, "1\0", 2);
	memset(flood, '1', sizeof(flood));
	check_refused(file, flood, sizeof(flood));
	memset(flood, 0xff, sizeof(flood));
	check_refused(file, flood, sizeof(flood));
	memset(flood, 0, sizeof(flood));
	check_refused(file, flood, sizeof(flood));
}

static void bad_enable(void)
{
	bad_input("enable");
}

static void bad_reset(void)
{
	bad_input("reset");
	check_refused("reset", "0", 1);
}

static void bad_filter(void)
{
	static const char *const terms[] = {
		"pid", "pid=", "pid=x", "pid=-1", "pid=0x10", "pid= 1",
		"pid=18446744073709551616", "pid=4294967297", "comm", "comm=",
		"user=1", "pid=1 pid=2", "pid=1,comm=sh", "none pid=1",
		"pid=1 none", "comm=0123456789abcdef", "PID=1", "=1",
	};

	bad_input("filter");
	for (size_t i = 0; i < ARRAY_SIZE(terms); i++)
		check_refused("filter", terms[i], strlen(terms[i]));
	/* The same with a filter that is set. */
	ktap_check(write_bytes("filter", "comm=nobody\n", 12) == 0,
		   "comm=nobody");
	check_refused("filter", "word", 4);
	check_content("filter", "comm=nobody\n");
	ktap_check(write_bytes("filter", "none", 4) == 0, "none");
	check_content("filter", "none\n");
}

static void enable(void)
{
	char *area = area_new(3 * PAGES, PROT_READ | PROT_WRITE);
	static char probes[64 << 10];
	unsigned long total;
	struct row row;

	write_pages(area, PAGES);
	ktap_check(write_bytes("enable", "0\n", 2) == 0, "0 to enable");
	check_content("enable", "0\n");
	ktap_need(file_read(KPROBES "list", probes, sizeof(probes)),
		  "read " KPROBES "list");
	ktap_check(!strstr(probes, "handle_mm_fault"),
		   "there is a probe on handle_mm_fault still");
	total = faults_total(COMPLETED);
	write_pages(area + PAGES * PAGE, PAGES);
	ktap_check(faults_total(COMPLETED) == total,
		   "faults were counted while disabled");
	ktap_check(write_bytes("enable", "0", 1) == 0, "0 to enable again");
	ktap_check(write_bytes("enable", "1", 1) == 0, "1 to enable");
	ktap_check(write_bytes("enable", "1\n", 2) == 0, "1 to enable again");
	check_content("enable", "1\n");
	ktap_need(file_read(KPROBES "list", probes, sizeof(probes)),
		  "read " KPROBES "list");
	ktap_check(strstr(probes, "handle_mm_fault") != NULL,
		   "there is no probe on handle_mm_fault");
	write_pages(area + 2 * PAGES * PAGE, PAGES);
	/* Nobody watched meanwhile: it might be another mapping by now. */
	ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
		   row.faults == PAGES,
		   "the row has %lu faults, not %d", row.faults, PAGES);
	ktap_check(rows_at(getpid(), area, false, &row) == 1 &&
		   row.faults == PAGES,
		   "the older row has %lu faults, not %d", row.faults, PAGES);
	area_free(area, 3 * PAGES * PAGE);
}

/* Hooks that were attached while all kprobes were off work when these come on. */
static void enable_unarmed(void)
{
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	unsigned long total, missed = status_value("missed");

	ktap_need(write_bytes("enable", "0", 1) == 0, "0 to enable");
	ktap_need(file_write(KPROBES "enabled", "0") == 0, "0 to " KPROBES "enabled");
	ktap_check(write_bytes("enable", "1", 1) == 0, "1 to enable");
	total = faults_total(COMPLETED);
	write_pages(area, PAGES);
	ktap_check(faults_total(COMPLETED) == total, "faults were counted");
	ktap_need(file_write(KPROBES "enabled", "1") == 0, "1 to " KPROBES "enabled");
	watch_start(area + PAGES * PAGE);
	write_pages(area + PAGES * PAGE, PAGES);
	watch_stop();
	expect("anon-alloc:%d", PAGES);
	ktap_check(status_value("missed") == missed, "missed was %lu, and is %lu",
		   missed, status_value("missed"));
	area_free(area, 2 * PAGES * PAGE);
}

static bool add_faults(const struct row *row, void *data)
{
	unsigned long *sum = data;

	*sum += row->faults;
	return true;
}

static void reset(void)
{
	static const char *const cleared[] = {
		"missed", "unfinished", "retry_links_dropped", "filtered",
		"rows_used", "rows_evicted", "faults_evicted",
		"faults_without_row", "paths_used", "paths_dropped",
	};
	char *area = area_new(2 * PAGES, PROT_READ | PROT_WRITE);
	char *hole = area_new(1, PROT_READ);
	unsigned long sum = 0;
	struct row row;

	area_free(hole, PAGE);
	write_pages(area, PAGES);
	ktap_check(syscall(SYS_getcpu, hole, NULL, NULL) == -1,
		   "getcpu to a bad address");
	ktap_check(kernel_faults("total", "page-fault", false) > 0,
		   "kernel has no counts");
	/* Without the hooks nothing is counted between reset and read. */
	ktap_check(write_bytes("enable", "0", 1) == 0, "0 to enable");
	ktap_check(write_bytes("reset", "1\n", 2) == 0, "1 to reset");
	ktap_check(faults_total(COMPLETED) == 0 && faults_total(RETRIES) == 0,
		   "a total of %lu", faults_total(COMPLETED));
	rows_each(add_faults, &sum);
	ktap_check(sum == 0, "rows with %lu faults", sum);
	for (size_t i = 0; i < ARRAY_SIZE(cleared); i++)
		ktap_check(status_value(cleared[i]) == 0, "%s is %lu",
			   cleared[i], status_value(cleared[i]));
	ktap_check(kernel_faults("total", "page-fault", false) == 0,
		   "kernel has counts");
	ktap_check(write_bytes("enable", "1", 1) == 0, "1 to enable");
	write_pages(area + PAGES * PAGE, PAGES);
	ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
		   row.faults == PAGES,
		   "the row has %lu faults, not %d", row.faults, PAGES);
	area_free(area, 2 * PAGES * PAGE);
}

/* A call under way when the hooks go is unfinished, until the next reset. */
static void unfinished(void)
{
	sleepers_start(1);
	ktap_check(status_value("in_flight") >= 1, "in_flight is 0");
	ktap_check(write_bytes("enable", "0", 1) == 0, "0 to enable");
	ktap_check(status_value("unfinished") >= 1, "unfinished is 0");
	ktap_check(write_bytes("reset", "1", 1) == 0, "1 to reset");
	ktap_check(status_value("unfinished") == 0, "after reset it is %lu",
		   status_value("unfinished"));
	/* It sleeps still, but it is not the new hook's. */
	ktap_check(write_bytes("enable", "1", 1) == 0, "1 to enable");
	check_nothing_in_flight();
	sleepers_wake();
}

/* How many of the child's faults in a new area are counted under the filter. */
static unsigned long counted(const char *filter, const char *comm,
			     bool pid_in_filter)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	int start[2], end[2];
	char text[128], byte;
	struct row row;
	size_t found;
	pid_t child;

	ktap_need(pipe(start) == 0 && pipe(end) == 0, "pipe");
	child = fork();
	ktap_need(child >= 0, "fork");
	if (child == 0) {
		if (comm)
			prctl(PR_SET_NAME, comm);
		if (write(end[1], "", 1) != 1 || read(start[0], &byte, 1) != 1)
			_exit(1);
		write_pages(area, PAGES);
		if (write(end[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (pid_in_filter)
		snprintf(text, sizeof(text), filter, child);
	else
		snprintf(text, sizeof(text), "%s", filter);
	ktap_need(read(end[0], &byte, 1) == 1, "wait for the child's name");
	ktap_check(write_bytes("filter", text, strlen(text)) == 0,
		   "\"%s\" was refused", text);
	ktap_need(write(start[1], "", 1) == 1 && read(end[0], &byte, 1) == 1,
		  "talk to the child");
	found = rows_at(child, area, true, &row);
	child_end(child);
	close(start[0]);
	close(start[1]);
	close(end[0]);
	close(end[1]);
	area_free(area, PAGES * PAGE);
	return found ? row.faults : 0;
}

static void check_counted(const char *filter, const char *comm, bool pid,
			  unsigned long wanted)
{
	unsigned long faults = counted(filter, comm, pid);

	ktap_check(faults == wanted,
		   "\"%s\": %lu faults of a process \"%s\", not %lu", filter,
		   faults, comm ? comm : "input", wanted);
}

static void filter(void)
{
	unsigned long filtered;

	check_counted("pid=%d", NULL, true, PAGES);
	filtered = status_value("filtered");
	check_counted("pid=1", NULL, false, 0);
	ktap_check(status_value("filtered") >= filtered + PAGES,
		   "filtered did not grow");
	check_counted("comm=some one", "some one", false, PAGES);
	check_counted("comm=some one", "some", false, 0);
	check_counted("comm=some", "some one", false, 0);
	check_counted("pid=%d comm=some one\n", "some one", true, PAGES);
	check_counted("pid=%d comm=some one", "another", true, 0);
	check_counted("pid=1 comm=some one", "some one", false, 0);
	check_counted("none\n", NULL, false, PAGES);
	check_content("filter", "none\n");
}

/* Bad areas, like faults on kernel addresses, belong to nobody. */
static void filter_spares_kernel(void)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	unsigned long all, total;

	ktap_check(write_bytes("filter", "comm=nobody", 11) == 0,
		   "comm=nobody");
	total = faults_total(COMPLETED);
	write_pages(area, PAGES);
	area_free(area, PAGES * PAGE);
	all = kernel_faults("total", "page-fault", false);
	for (int i = 0; i < PAGES; i++)
		ktap_check(syscall(SYS_getcpu, area, NULL, NULL) == -1,
			   "getcpu to a bad address");
	ktap_check(kernel_faults("total", "page-fault", false) == all + PAGES,
		   "total page-fault did not grow by %d", PAGES);
	ktap_check(faults_total(COMPLETED) == total,
		   "faults of a process \"nobody\" were counted");
	ktap_check(write_bytes("filter", "none", 4) == 0, "none");
}

/* Reading is no fault, and counts nothing. */
static void reading(void)
{
	static const char *const files[] = {
		"README", "status", "faults", "latency", "vmas", "processes",
		"kernel", "enable", "filter",
	};
	static char text[256 << 10];
	unsigned long total;
	char pid[32];

	snprintf(pid, sizeof(pid), "pid=%d", getpid());
	ktap_check(write_bytes("filter", pid, strlen(pid)) == 0, "%s", pid);
	watch_start(text);
	total = faults_total(COMPLETED);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			content(files[i], text, sizeof(text));
	ktap_check(faults_total(COMPLETED) == total,
		   "reading added %lu faults",
		   faults_total(COMPLETED) - total);
	watch_stop();
	expect("anon-zero:0");
	ktap_check(write_bytes("filter", "none", 4) == 0, "none");
}

/* Readers that stop half way, and one that takes a byte at a time. */
static void half_way(void)
{
	static char whole[256 << 10], piece[256 << 10];
	size_t length, used = 0;
	ssize_t got;
	int fd;

	/* Rows of a few programs: whatever ran before would be too much for byte by byte. */
	ktap_check(write_bytes("reset", "1", 1) == 0, "1 to reset");
	must_run("for i in 1 2 3 4 5 6 7 8; do ls / >/dev/null; done");
	ktap_check(write_bytes("enable", "0", 1) == 0, "0 to enable");
	for (int i = 0; i < 100; i++) {
		fd = open(TRAPSCOPE "/vmas", O_RDONLY);
		ktap_need(fd >= 0 && read(fd, piece, 1 + i * 7) > 0,
			  "read the start of vmas");
		close(fd);
	}
	content("vmas", whole, sizeof(whole));
	length = strlen(whole);
	fd = open(TRAPSCOPE "/vmas", O_RDONLY);
	ktap_need(fd >= 0, "open vmas");
	while (used < sizeof(piece) && (got = read(fd, piece + used, 1)) == 1)
		used++;
	close(fd);
	ktap_check(got == 0 && used == length && used > 1 + 99 * 7 &&
		   memcmp(whole, piece, length) == 0,
		   "byte by byte vmas has %zu bytes, not the same %zu", used,
		   length);
	fd = open(TRAPSCOPE "/vmas", O_RDONLY);
	ktap_need(fd >= 0, "open vmas");
	used = length / 2;
	got = pread(fd, piece, 4096, used);
	ktap_check(got > 0 && memcmp(whole + used, piece, got) == 0,
		   "from the middle on vmas is another");
	close(fd);
	ktap_check(write_bytes("enable", "1", 1) == 0, "1 to enable");
}

static const struct ktap_case cases[] = {
	{ "enable: bad input", bad_enable },
	{ "reset: bad input", bad_reset },
	{ "filter: bad input", bad_filter },
	{ "reading adds nothing", reading },
	{ "readers that stop half way", half_way },
	{ "filter: by pid, by name, by both", filter },
	{ "filter: the file kernel has all", filter_spares_kernel },
	{ "enable: 0 and 1", enable },
	{ "enable: while all kprobes are off", enable_unarmed },
	{ "reset: all counts", reset },
	{ "reset: calls that were unfinished", unfinished },
};

static void put_back(void)
{
	file_write(KPROBES "enabled", "1");
	file_write(TRAPSCOPE "/filter", "none");
	file_write(TRAPSCOPE "/enable", "1");
}

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
