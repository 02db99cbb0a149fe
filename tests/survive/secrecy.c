// SPDX-License-Identifier: GPL-2.0
/* Nobody but root gets in: not another user, not a user namespace's root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "files.h"

#define NOBODY	65534

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

static void check_child(int (*run)(void), const char *who)
{
	pid_t pid = fork();
	int status;

	ktap_need(pid >= 0, "fork");
	if (pid == 0)
		_exit(run());
	ktap_need(waitpid(pid, &status, 0) == pid, "waitpid");
	ktap_check(status == 0, "%s opened %d files", who, WEXITSTATUS(status));
}

/* The folder of debugfs may be open to others: the files may not. */
static int as_nobody(void)
{
	if (chmod("/sys/kernel/debug", 0755) || setgid(NOBODY) ||
	    setuid(NOBODY))
		return 99;
	return opened();
}

static int as_namespace_root(void)
{
	if (chmod("/sys/kernel/debug", 0755) || setgid(NOBODY) ||
	    setuid(NOBODY))
		return 99;
	/* Its files in /proc are its own again, which setuid() took away. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER))
		return 98;
	if (file_write("/proc/self/uid_map", "0 65534 1"))
		return 97;
	return opened();
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

static void put_back(void)
{
	chmod("/sys/kernel/debug", 0700);
}

static const struct ktap_case cases[] = {
	{ "files are root's, 0400, or 0600 where they can be written", modes },
	{ "another user opens none", other_user },
	{ "the root of a user namespace opens none", namespace_root },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
