// SPDX-License-Identifier: GPL-2.0
/*
 * around SECONDS REPORT COMMAND...: runs one of the kernel's own tests, and ends it with
 * all that it started when its time is over (status 124). With trapscope loaded, all
 * books must agree about it: that goes to REPORT, since the test's output is its own.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"

#define TIME_IS_OVER	124
#define BY_SIGNAL	128

static struct ledger before, after;
static volatile sig_atomic_t over;

static void time_is_over(int sig)
{
	(void)sig;
	over = 1;
}

static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	ktap_need(proc != NULL, "open /proc");
	while ((entry = readdir(proc))) {
		char path[300], text[1024];
		const char *rest;
		pid_t parent;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (!isdigit(entry->d_name[0]) ||
		    !file_read(path, text, sizeof(text)))
			continue;
		rest = strrchr(text, ')');
		if (rest && sscanf(rest, ") %*c %d", &parent) == 1 &&
		    parent == getpid())
			kill(atoi(entry->d_name), SIGKILL);
	}
	closedir(proc);
}

/* Ends what the test left: whose parent ends is a child here before that one is waited for. */
static void end_children(void)
{
	do
		kill_children();
	while (waitpid(-1, NULL, 0) >= 0 || errno != ECHILD);
}

/* The status by which a shell would know how it ended. */
static int run(unsigned int seconds, int output, char **command)
{
	struct sigaction action = { .sa_handler = time_is_over };
	int status = 0;
	pid_t pid, ended;

	ktap_need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "become a subreaper");
	pid = fork();
	ktap_need(pid >= 0, "fork");
	if (pid == 0) {
		setsid();
		dup2(output, STDOUT_FILENO);
		execvp(command[0], command);
		fprintf(stderr, "around: can't run %s: %s\n", command[0],
			strerror(errno));
		_exit(127);
	}
	/* Without SA_RESTART: the wait ends. */
	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
	while ((ended = waitpid(-1, &status, 0)) != pid && !over)
		;
	alarm(0);
	if (ended != pid)
		kill(-pid, SIGKILL);
	end_children();
	if (ended != pid)
		return TIME_IS_OVER;
	return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

LEDGER_COMPARISONS

static const struct ktap_case cases[] = {
	LEDGER_CASES,
};

int main(int argc, char **argv)
{
	int output, report, status;

	if (argc < 4) {
		fprintf(stderr, "usage: around SECONDS REPORT COMMAND...\n");
		return KTAP_FAIL;
	}
	output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	report = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ktap_need(output >= 0 && report >= 0 &&
		  dup2(report, STDOUT_FILENO) == STDOUT_FILENO, "open %s", argv[2]);
	if (module_loaded()) {
		ledger_open();
		ledger_read(&before);
	}
	status = run(strtoul(argv[1], NULL, 10), output, argv + 3);
	if (module_loaded()) {
		ledger_read(&after);
		fault_plain(cases, ARRAY_SIZE(cases));
	}
	return status;
}
