// SPDX-License-Identifier: GPL-2.0
/*
 * SURVIVE_ROUNDS times (25) insmod, enable, disable, reset, rmmod, while faults
 * storm on all processors; the same with tasks asleep in the probed function,
 * with files open, and with processors that go and come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "fault.h"
#include "files.h"
#include "ledger.h"
#include "module.h"
#include "others.h"
#include "sleepers.h"
#include "storm.h"

#define WORKERS		6
#define SLEEPERS	64
#define READINGS	1000
#define DETACHINGS	30
#define PROGRESS	100
/* Of rmmod under a reader: one in twenty works. */
#define MOST_TRIES	100000
/* A worker makes thousands in a second. */
#define FAULTS_A_ROUND	100
#define ON_CPU1		4096
#define CPU1		"/sys/devices/system/cpu/cpu1/online"

static pid_t workers[WORKERS];

static void start_workers(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		ktap_need(workers[i] >= 0, "fork");
		if (workers[i] == 0) {
			if (setpriority(PRIO_PROCESS, 0, 0))
				_exit(5);
			storm_worker(i, 1 << 20);
		}
	}
}

/* Theirs too, which come to this process when they go. */
static void end_workers(void)
{
	for (size_t i = 0; i < WORKERS; i++)
		if (workers[i] > 0)
			kill(workers[i], SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	memset(workers, 0, sizeof(workers));
}

/* One for each processor stays there, so that all of them have faults all the time. */
static void spread_workers(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	for (long i = 0; i < WORKERS && i < processors; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i, &set);
		ktap_need(sched_setaffinity(workers[i], sizeof(set), &set) == 0,
			  "have a worker on CPU %ld", i);
	}
}

/* By itself none of them comes to its end. */
static void check_workers(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		int status = 0;

		ktap_check(waitpid(workers[i], &status, WNOHANG) == 0,
			   "worker %zu ended, with status 0x%x", i, status);
	}
}

static void put_back(void)
{
	end_workers();
	file_write(CPU1, "1");
	file_write(EVENTS "fault/enable", "0");
	file_write(EVENTS "kernel_fault/enable", "0");
	if (!module_loaded())
		module_insert("");
	file_write(TRAPSCOPE "/enable", "1");
}

static void set(const char *file, const char *value)
{
	char path[128];
	int error;

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", file);
	error = file_write(path, value);
	ktap_check(error == 0, "\"%s\" to %s: %s", value, file, strerror(error));
}

static void rounds(void)
{
	unsigned long count = wanted_number("SURVIVE_ROUNDS", 25);
	unsigned long faults = vmstat("pgfault");

	start_workers();
	spread_workers();
	for (unsigned long round = 0; round < count; round++) {
		static const char *const parameters[] = {
			"", "rows=64", "maxactive=1", "rows=64 maxactive=8",
		};
		unsigned long first = round ? 0 : 1;

		if (round % PROGRESS == PROGRESS - 1)
			ktap_diag("%lu rounds of %lu so far", round + 1, count);
		if (!first) {
			set("enable", "0");
			set("reset", "1");
			set("enable", "1");
			usleep(storm_below(3000));
			set("reset", "1");
			if (storm_below(2))
				set("enable", "0");
		}
		module_unload();
		usleep(storm_below(2000));
		module_load(parameters[storm_below(ARRAY_SIZE(parameters))]);
	}
	check_workers();
	end_workers();
	faults = vmstat("pgfault") - faults;
	module_unload();
	module_load("");
	ktap_diag("%lu rounds, %lu faults", count, faults);
	ktap_check(faults >= count * FAULTS_A_ROUND, "only %lu faults", faults);
	check_counts();
}

/* With room for all, whoever reads it, and however the hooks came in between. */
static void none_missed(void)
{
	start_workers();
	spread_workers();
	for (int i = 0; i < READINGS; i++) {
		unsigned long missed = status_value("missed");

		ktap_check(missed == 0, "missed is %lu", missed);
		if (i % 50 == 49) {
			set("enable", "0");
			set("enable", "1");
		}
	}
	check_workers();
	end_workers();
}

/*
 * Nor is anything missed by hooks that go. Where somebody else has a kprobe, the function
 * stays as it is then, and the kernel goes on to call who is there.
 */
static void none_missed_at_the_end(void)
{
	unsigned long missed = 0;

	others[KPROBE].start(&others[KPROBE]);
	start_workers();
	spread_workers();
	for (int i = 0; i < DETACHINGS && !missed; i++) {
		set("enable", "0");
		missed = status_value("missed");
		set("enable", "1");
		ktap_check(missed == 0, "missed is %lu, detached %d times", missed, i + 1);
	}
	check_workers();
	end_workers();
	others[KPROBE].stop(&others[KPROBE]);
}

/* ---- tasks asleep in handle_mm_fault() ---- */

/* They return when the module is gone, or there again, or twice so. */
static void unload_under_sleepers(void)
{
	for (int loads = 0; loads < 3; loads++) {
		sleepers_start(SLEEPERS);
		module_unload();
		for (int i = 0; i < loads; i++) {
			module_load("");
			if (i + 1 < loads)
				module_unload();
		}
		sleepers_wake();
		if (!loads)
			module_load("");
		check_nothing_in_flight();
		check_counts();
	}
}

/* ---- files that are in use ---- */

/* What rmmod asks for, and nothing else. */
static unsigned long users(void)
{
	char text[32], *end;
	unsigned long count;

	ktap_need(file_read("/sys/module/trapscope/refcnt", text, sizeof(text)),
		  "read the module's refcnt");
	count = strtoul(text, &end, 10);
	ktap_need(end > text && strcmp(end, "\n") == 0, "refcnt is %s", text);
	return count;
}

static void check_unused(const char *name)
{
	unsigned long left = users();

	ktap_check(left == 0, "users after %s: %lu", name, left);
}

/* Half read, or open for all that can be done with it. */
static void unload_under_file(bool half_read)
{
	char piece[64];

	for (size_t i = 0; i < FILE_COUNT; i++) {
		bool writing = module_files[i].writable && !half_read;
		int fd = file_open(&module_files[i], writing ? O_RDWR : O_RDONLY);
		int error;

		if (half_read)
			ktap_check(read(fd, piece, sizeof(piece)) > 0,
				   "read the start of %s", module_files[i].name);
		error = module_remove();
		ktap_check(error == EAGAIN, "rmmod under an open %s: %s",
			   module_files[i].name, error ? strerror(error) : "done");
		if (!error)
			return;
		while (read(fd, piece, sizeof(piece)) > 0)
			;
		close(fd);
		check_unused(module_files[i].name);
	}
	module_unload();
	module_load("");
	check_counts();
}

static void unload_under_open(void)
{
	unload_under_file(false);
}

static void unload_half_way(void)
{
	unload_under_file(true);
}

/* Of its buffer all but the first byte has no page until then: others go on. */
static void unload_under_asleep_read(void)
{
	static char text[256 << 10];

	for (size_t i = 0; i < FILE_COUNT; i++) {
		const char *name = module_files[i].name;
		int fd = file_open(&module_files[i], O_RDONLY), error;
		char path[128];
		ssize_t got;

		sleepers_read(fd);
		error = module_remove();
		if (!ktap_check(error == EAGAIN, "rmmod under a read of %s: %s",
				name, error ? strerror(error) : "done"))
			return;
		snprintf(path, sizeof(path), TRAPSCOPE "/%s", name);
		ktap_check(file_read(path, text, sizeof(text)),
			   "another read of %s", name);
		set("enable", "0");
		set("enable", "1");
		got = sleepers_end_read();
		ktap_check(got > 1, "read() of %s returned %zd", name, got);
		close(fd);
		check_unused(name);
	}
	module_unload();
	module_load("");
	check_counts();
}

static void read_for_ever(const char *name)
{
	static char text[256 << 10];
	char path[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), TRAPSCOPE "/%s", name);
	for (;;)
		file_read(path, text, sizeof(text));
}

/* Before that rmmod works, and is done in vain. */
static void wait_for_user(const char *name)
{
	for (unsigned long waits = 0; !users(); waits++) {
		ktap_need(waits < MOST_TRIES, "nobody reads %s", name);
		usleep(100);
	}
}

/* Sooner or later rmmod comes upon a read, and is refused, and between two, and works. */
static void unload_under_readers(void)
{
	unsigned long refused = 0;

	for (size_t i = 0; i < FILE_COUNT; i++) {
		unsigned long before = refused, tries = 0;
		pid_t reader = fork();
		int error;

		ktap_need(reader >= 0, "fork");
		if (reader == 0)
			read_for_ever(module_files[i].name);
		wait_for_user(module_files[i].name);
		while ((error = module_remove()) || refused == before) {
			if (!ktap_check((!error || error == EAGAIN) && tries++ < MOST_TRIES,
					"rmmod under a reader of %s: %s, %lu times refused",
					module_files[i].name, strerror(error),
					refused - before))
				break;
			if (error)
				refused++;
			else
				module_load("");
			usleep(100);
		}
		/* First: without the module the program ends, and waits for its children. */
		child_end(reader);
		if (!module_loaded())
			module_load("");
	}
	ktap_diag("rmmod was refused %lu times before it worked for each", refused);
	check_counts();
}

/* ---- processors ---- */

static bool one_processor(void)
{
	if (access(CPU1, F_OK) == 0)
		return false;
	ktap_skip("one processor, or CONFIG_HOTPLUG_CPU is off");
	return true;
}

static void switch_cpu1(bool on)
{
	ktap_need(file_write(CPU1, on ? "1" : "0") == 0, "CPU 1 %s",
		  on ? "on" : "off");
}

static void events_set(bool on)
{
	event_set("fault", "enable", on ? "1" : "0");
	event_set("kernel_fault", "enable", on ? "1" : "0");
}

/* With the events off and on. */
static void processors(void)
{
	unsigned long count = wanted_number("SURVIVE_SWITCHES", 6);
	struct ledger before, after;

	if (one_processor())
		return;
	ledger_read(&before);
	start_workers();
	for (unsigned long i = 0; i < count; i++) {
		events_set(i % 2);
		usleep(20000);
		switch_cpu1(false);
		usleep(20000);
		switch_cpu1(true);
		if (i % PROGRESS == PROGRESS - 1)
			ktap_diag("%lu times of %lu so far", i + 1, count);
	}
	events_set(false);
	check_workers();
	end_workers();
	ledger_read(&after);
	ktap_diag("CPU 1 went and came %lu times", count);
	ledger_check_all(&before, &after);
	check_counts();
}

static void fault_on_cpu1(void)
{
	pid_t pid = fork();
	int status;

	ktap_need(pid >= 0, "fork");
	if (pid == 0) {
		pin_to_cpu(1);
		write_pages(area_new(ON_CPU1, PROT_READ | PROT_WRITE), ON_CPU1);
		_exit(0);
	}
	ktap_need(waitpid(pid, &status, 0) == pid && status == 0,
		  "have faults on CPU 1");
}

/* What it counted there stays when it goes again, and a reset reaches it. */
static void module_without_cpu1(void)
{
	struct ledger before, after;

	if (one_processor())
		return;
	switch_cpu1(false);
	module_unload();
	module_load("");
	ledger_read(&before);
	start_workers();
	switch_cpu1(true);
	fault_on_cpu1();
	switch_cpu1(false);
	check_workers();
	end_workers();
	ledger_read(&after);
	ledger_check_all(&before, &after);
	set("enable", "0");
	set("reset", "1");
	ktap_check(faults_total(COMPLETED) == 0 && faults_total(RETRIES) == 0,
		   "after a reset, with CPU 1 away: %lu faults, %lu retries",
		   faults_total(COMPLETED), faults_total(RETRIES));
	set("enable", "1");
	switch_cpu1(true);
	check_counts();
}

static const struct ktap_case cases[] = {
	{ "rounds of insmod, enable, disable, reset, rmmod in a storm", rounds },
	{ "missed is 0 in a storm, and when the hooks come again", none_missed },
	{ "missed is 0 when the hooks go, another kprobe there", none_missed_at_the_end },
	{ "rmmod with tasks asleep in handle_mm_fault()", unload_under_sleepers },
	{ "rmmod with each file open", unload_under_open },
	{ "rmmod with each file half read", unload_half_way },
	{ "rmmod with a read of each file asleep for its buffer", unload_under_asleep_read },
	{ "rmmod with each file being read in a loop", unload_under_readers },
	{ "processors that go and come in a storm: all books agree", processors },
	{ "loaded and reset while a processor is away: all books agree", module_without_cpu1 },
};

int main(void)
{
	module_needed();
	others_needed();
	storm_seed(1);
	knob_set("/proc/sys/kernel/modprobe", "");
	ktap_need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "become a subreaper");
	/* Who loads and unloads would wait for its turn most of the time. */
	ktap_need(setpriority(PRIO_PROCESS, 0, -20) == 0, "setpriority");
	at_end(put_back);
	ledger_open();
	return fault_plain(cases, ARRAY_SIZE(cases));
}
