// SPDX-License-Identifier: GPL-2.0
/* More of everything than there is room for, and names that nobody expects. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"
#include "module.h"
#include "storm.h"

#define WORKERS		8
#define PAGES		16
#define AT_A_TIME	8

static struct ledger before, after;

static void reload(const char *parameters)
{
	module_unload();
	module_load(parameters);
}

static void full_table(void)
{
	pid_t workers[WORKERS];
	int status;

	reload("rows=64");
	ledger_read(&before);
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		ktap_need(workers[i] >= 0, "fork");
		if (workers[i] == 0)
			storm_worker(i, 20);
	}
	for (size_t i = 0; i < WORKERS; i++)
		ktap_check(waitpid(workers[i], &status, 0) == workers[i] && status == 0,
			   "worker %zu ended with status 0x%x", i, status);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	ledger_read(&after);
	ledger_check_all(&before, &after);
	ktap_check(status_value("rows_used") <= 64, "%lu rows of 64",
		   status_value("rows_used"));
	ktap_check(status_value("faults_evicted") +
		   status_value("faults_without_row") > 0,
		   "the table was not full");
	reload("");
}

/* Whether the file has a process of that number. */
static bool in_processes(pid_t pid)
{
	FILE *file = fopen(TRAPSCOPE "/processes", "r");
	char line[1024];
	bool found = false;
	int number;

	ktap_need(file != NULL, "open " TRAPSCOPE "/processes");
	while (fgets(line, sizeof(line), file))
		found |= sscanf(line, "%d", &number) == 1 && number == pid;
	fclose(file);
	return found;
}

/* Each with another number of faults; @stop: they stay until told to go on. */
static void start_children(pid_t children[], char *area, bool stop)
{
	for (size_t n = 0; n < AT_A_TIME; n++) {
		children[n] = fork();
		ktap_need(children[n] >= 0, "fork");
		if (children[n] == 0) {
			write_pages(area, 1 + n);
			if (stop)
				raise(SIGSTOP);
			_exit(0);
		}
	}
}

static void end_children(const pid_t children[])
{
	int status;

	for (size_t n = 0; n < AT_A_TIME; n++)
		ktap_check(waitpid(children[n], &status, 0) == children[n] && status == 0,
			   "a child ended with status 0x%x", status);
}

/* Their pids come round again. The last are there still: rows of the others may have given way. */
static void many_processes(void)
{
	unsigned long count = wanted_number("SURVIVE_PROCESSES", 1000);
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	pid_t children[AT_A_TIME];
	struct row row;
	int status;

	write_pages(area, PAGES);
	ledger_read(&before);
	for (unsigned long i = 0; i + AT_A_TIME < count; i += AT_A_TIME) {
		start_children(children, area, false);
		end_children(children);
	}
	start_children(children, area, true);
	for (size_t n = 0; n < AT_A_TIME; n++)
		ktap_need(waitpid(children[n], &status, WUNTRACED) == children[n] &&
			  WIFSTOPPED(status), "have a child stop");
	ledger_read(&after);
	ktap_diag("%lu processes, %lu faults", count,
		  after.completed - before.completed);
	for (size_t n = 0; n < AT_A_TIME; n++) {
		ktap_check(rows_at(children[n], area, true, &row) == 1 && row.faults == 1 + n,
			   "a child's row has %lu faults, not %zu", row.faults, 1 + n);
		ktap_check(in_processes(children[n]), "a child is not in processes");
		kill(children[n], SIGCONT);
	}
	end_children(children);
	/* With the hooks off no mapping is known to be there. */
	ledger_check_all(&before, &after);
	area_free(area, PAGES * PAGE);
}

/* As in the files: all but visible ASCII of a comm, newlines of a path. */
static void escape(const char *text, bool all, char *out)
{
	for (; *text; text++) {
		unsigned char byte = *text;

		if (byte == '\n' || (all && (byte <= ' ' || byte > '~' ||
					     byte == '\\')))
			out += sprintf(out, "\\%03o", byte);
		else
			*out++ = byte;
	}
	*out = '\0';
}

static void names(void)
{
	static const char *const words[] = {
		"two words", "new\nline", "\xff\xfe\x80", " ", "\\ \t",
		"gone 0-1 rw-p",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char path[128], comm[80], shown[256], *area;
		struct row row;
		int fd;

		snprintf(path, sizeof(path), "/tmp/%s", words[i]);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		ktap_need(fd >= 0 && ftruncate(fd, PAGE) == 0, "make a file");
		prctl(PR_SET_NAME, words[i]);
		area = area_map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
		touch_write(area);
		escape(words[i], true, comm);
		escape(path, false, shown);
		ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
			   row.faults == 1 && strcmp(row.comm, comm) == 0 &&
			   strcmp(row.path, shown) == 0,
			   "name %zu: \"%s\" \"%s\", not \"%s\" \"%s\"", i,
			   row.comm, row.path, comm, shown);
		area_free(area, PAGE);
		close(fd);
		unlink(path);
	}
	prctl(PR_SET_NAME, "crowd");
}

static void put_back(void)
{
	if (!module_loaded())
		module_insert("");
}

static const struct ktap_case cases[] = {
	{ "a table of 64 rows in a storm: all books agree", full_table },
	{ "processes that come and go: all books agree", many_processes },
	{ "names with blanks, newlines, and bytes that are no UTF-8", names },
};

int main(void)
{
	module_needed();
	knob_set("/proc/sys/kernel/modprobe", "");
	ktap_need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "become a subreaper");
	at_end(put_back);
	ledger_open();
	return fault_plain(cases, ARRAY_SIZE(cases));
}
