// SPDX-License-Identifier: GPL-2.0
/* Nobody but root gets in: not another user, not a user namespace's root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "event.h"
#include "files.h"

#define NOBODY		65534
#define RESTRICT	"/proc/sys/kernel/kptr_restrict"

static void path_of(const struct module_file *file, char *path, size_t size)
{
	snprintf(path, size, TRAPSCOPE "/%s", file->name);
}

static void modes(void)
{
	files_complete();
	for (size_t i = 0; i < FILE_COUNT; i++) {
		mode_t wanted = module_files[i].writable ? 0600 : 0400;
		struct stat stat_of;
		char path[128];

		path_of(&module_files[i], path, sizeof(path));
		ktap_check(stat(path, &stat_of) == 0 &&
			   (stat_of.st_mode & 07777) == wanted &&
			   stat_of.st_uid == 0 && stat_of.st_gid == 0,
			   "%s: mode %o of %d", path, stat_of.st_mode & 07777,
			   stat_of.st_uid);
	}
}

/* In a child: how many files opened, in either way. */
static int opened(void)
{
	int count = 0;

	for (size_t i = 0; i < FILE_COUNT; i++) {
		char path[128];

		path_of(&module_files[i], path, sizeof(path));
		count += open(path, O_RDONLY) >= 0 || errno != EACCES;
		count += open(path, O_WRONLY) >= 0 || errno != EACCES;
	}
	return count;
}

static unsigned long event_ids[2];

static void find_events(void)
{
	static const char *const paths[] = {
		EVENTS "fault/id", EVENTS "kernel_fault/id",
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(event_ids); i++) {
		ktap_need(file_read(paths[i], text, sizeof(text)), "read %s",
			  paths[i]);
		event_ids[i] = strtoul(text, NULL, 10);
	}
}

/* 0, or the errno. */
static int open_event(size_t event, unsigned long sample_type, pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = event_ids[event],
		.sample_type = sample_type,
		.exclude_kernel = 1,
	};

	return syscall(SYS_perf_event_open, &attr, pid, cpu, -1, 0) < 0 ? errno : 0;
}

static bool refused(int error)
{
	return error == EACCES || error == EPERM;
}

/*
 * In a child: how many events opened that tell of others, or of addresses. One that
 * tells neither opens, so that it is not for another reason that the others don't.
 */
static int events_opened(void)
{
	int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(event_ids); i++) {
		count += open_event(i, 0, 0, -1) != 0;
		count += !refused(open_event(i, PERF_SAMPLE_RAW, 0, -1));
		count += !refused(open_event(i, 0, -1, 0));
		count += !refused(open_event(i, 0, getppid(), -1));
	}
	return count + (open(EVENTS "fault/hist", O_RDONLY) >= 0);
}

static void check_child(int (*run)(void), const char *who)
{
	pid_t pid = fork();
	int status;

	ktap_need(pid >= 0, "fork");
	if (pid == 0)
		_exit(run());
	ktap_need(waitpid(pid, &status, 0) == pid, "waitpid");
	ktap_check(status == 0, "%s: %d files or events that should not open, or the other way round", who, WEXITSTATUS(status));
}

static bool open_to_all(void)
{
	return chmod("/sys/kernel/debug", 0755) == 0 && chmod(TRACING, 0755) == 0;
}

/* The folders of debugfs and tracefs may be open to others: the files may not. */
static int as_nobody(void)
{
	if (!open_to_all() || setgid(NOBODY) || setuid(NOBODY))
		return 99;
	return opened() + events_opened();
}

static int as_namespace_root(void)
{
	if (!open_to_all() || setgid(NOBODY) || setuid(NOBODY))
		return 99;
	/* Its files in /proc are its own again, which setuid() took away. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER))
		return 98;
	if (file_write("/proc/self/uid_map", "0 65534 1"))
		return 97;
	return opened() + events_opened();
}

static void other_user(void)
{
	check_child(as_nobody, "another user");
}

static void namespace_root(void)
{
	if (access("/proc/self/ns/user", F_OK)) {
		ktap_skip("no CONFIG_USER_NS: make test-debug has it");
		return;
	}
	check_child(as_namespace_root, "a namespace's root");
}

/* Where a line has sixteen digits of an address above user space; NULL if it has none. */
static const char *kernel_address(const char *line)
{
	for (; (line = strstr(line, "ffff")); line++)
		if (strspn(line, "0123456789abcdef") == 16)
			return line;
	return NULL;
}

/* A file of nothing but addresses (idt/raw) may not open. */
static const char *shown(const char *name)
{
	static char text[1 << 20];
	char path[128];

	snprintf(path, sizeof(path), TRAPSCOPE "/%s", name);
	errno = 0;
	if (file_read(path, text, sizeof(text)))
		return kernel_address(text);
	ktap_need(errno == EPERM && strcmp(name, "idt/raw") == 0, "read %s", path);
	return NULL;
}

static void addresses(void)
{
	bool table;

	knob_set(RESTRICT, "0");
	/* With all that there can be to show. */
	table = file_write(TRAPSCOPE "/trace_idt/enable", "1") == 0;
	ktap_check(shown("idt/table") && shown("idt/idtr"), "none is shown at 0");
	ktap_need(file_write(RESTRICT, "2") == 0, "2 to " RESTRICT);
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const char *address = shown(module_files[i].name);

		ktap_check(!address, "%s: %.60s", module_files[i].name, address);
	}
	if (table)
		ktap_check(file_write(TRAPSCOPE "/trace_idt/enable", "0") == 0,
			   "0 to trace_idt/enable");
}

static void put_back(void)
{
	chmod("/sys/kernel/debug", 0700);
	chmod(TRACING, 0700);
	file_write(TRAPSCOPE "/trace_idt/enable", "0");
}

static const struct ktap_case cases[] = {
	{ "files are root's, 0400, or 0600 where they can be written", modes },
	{ "another user opens none, nor an event", other_user },
	{ "the root of a user namespace opens none, nor an event", namespace_root },
	{ "with kptr_restrict=2 no file shows an address of the kernel", addresses },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	at_end(put_back);
	find_events();
	return fault_plain(cases, ARRAY_SIZE(cases));
}
