// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that is locked down, in both degrees: debugfs promises that files
 * which change anything can't be opened, and that the others can. There is no
 * way back, so this wants a guest of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fault.h"
#include "files.h"

#define SECURITY	"/sys/kernel/security"

static void check_files(void)
{
	static char text[4096];
	char path[128];

	for (size_t i = 0; i < FILE_COUNT; i++) {
		const struct module_file *file = &module_files[i];

		snprintf(path, sizeof(path), TRAPSCOPE "/%s", file->name);
		if (file->writable)
			ktap_check(open(path, O_RDONLY) < 0 && errno == EPERM,
				   "%s opened for reading", path);
		else
			ktap_check(file_read(path, text, sizeof(text)) || text[0],
				   "read %s: %s", path, strerror(errno));
		ktap_check(open(path, O_WRONLY) < 0 && (!file->writable || errno == EPERM),
			   "%s opened for writing", path);
	}
}

static void locked(const char *degree)
{
	int error = file_write(SECURITY "/lockdown", degree);

	ktap_check(error == 0, "lock down to %s: %s", degree, strerror(error));
	check_files();
	check_counts();
}

static void integrity(void)
{
	locked("integrity");
}

static void confidentiality(void)
{
	locked("confidentiality");
}

static const struct ktap_case cases[] = {
	{ "integrity", integrity },
	{ "confidentiality", confidentiality },
};

int main(void)
{
	char state[128];

	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	mount("securityfs", SECURITY, "securityfs", 0, NULL);
	if (!file_read(SECURITY "/lockdown", state, sizeof(state)))
		ktap_skip_all("no CONFIG_SECURITY_LOCKDOWN_LSM: make test-debug has it");
	if (!strstr(state, "[none]"))
		ktap_skip_all("the kernel is locked down already: %s", state);
	return fault_main(cases, ARRAY_SIZE(cases));
}
