// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "ledger.h"

/* An instance of its own: who puts back all events of the guest leaves these alone. */
#define INSTANCE	TRACING "instances/ledger"
#define EVENTS		INSTANCE "/events/exceptions/"
#define TRIGGER		"hist:keys=error_code:size=128"
#define TRIES		400

/* PF_KTHREAD, include/linux/sched.h */
#define KERNEL_THREAD	0x00200000UL

static const char *const events[] = { "page_fault_user", "page_fault_kernel" };

static void each_line(const char *path, void (*take)(const char *line, void *data),
		      void *data)
{
	FILE *file = fopen(path, "r");
	char line[512];

	ktap_need(file != NULL, "open %s", path);
	while (fgets(line, sizeof(line), file))
		take(line, data);
	fclose(file);
}

/* ---- the exceptions' own counts ---- */

static void set_triggers(const char *text)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(path, sizeof(path), EVENTS "%s/trigger", events[i]);
		if (file_write(path, text))
			ktap_need(text[0] == '!', "write \"%s\" to %s", text,
				  path);
	}
}

static void close_triggers(void)
{
	set_triggers("!" TRIGGER);
	rmdir(INSTANCE);
}

void ledger_open(void)
{
	at_end(close_triggers);
	/* A test that was killed left it. */
	if (access(INSTANCE, F_OK) == 0)
		close_triggers();
	ktap_need(mkdir(INSTANCE, 0700) == 0, "create " INSTANCE);
	set_triggers(TRIGGER);
}

/* Those that found no room in the histogram are events all the same. */
static void take_hist(const char *line, void *data)
{
	unsigned long value;

	if (sscanf(line, " Hits: %lu", &value) == 1 ||
	    sscanf(line, " Dropped: %lu", &value) == 1)
		*(unsigned long *)data += value;
}

static unsigned long raised(const char *event)
{
	unsigned long sum = 0;
	char path[128];

	snprintf(path, sizeof(path), EVENTS "%s/hist", event);
	each_line(path, take_hist, &sum);
	return sum;
}

/* ---- the tasks' own counts ---- */

/*
 * A process's min_flt has its threads that ended, its cmin_flt its children
 * that ended and were waited for, with all that these had. What was not waited
 * for is a zombie, which has its own numbers. So nothing is lost as long as no
 * parent ignores SIGCHLD, and nobody in the guest does but kthreadd: a kworker
 * ends some time, and with it what it has from programs that the kernel started
 * at boot. So that is left out; callers see to it that it starts none meanwhile.
 */
static void tasks(unsigned long *minor, unsigned long *major)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	ktap_need(proc != NULL, "open /proc");
	*minor = *major = 0;
	while ((entry = readdir(proc))) {
		unsigned long own[2], children[2], flags;
		char path[300], text[1024];
		const char *rest;

		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (!file_read(path, text, sizeof(text)))
			continue;
		/* A name may hold anything, brackets too. */
		rest = strrchr(text, ')');
		if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %lu %lu %lu %lu %lu",
				    &flags, &own[0], &children[0], &own[1],
				    &children[1]) != 5)
			continue;
		if (flags & KERNEL_THREAD)
			children[0] = children[1] = 0;
		*minor += own[0] + children[0];
		*major += own[1] + children[1];
	}
	closedir(proc);
}

/* ---- trapscope's counts ---- */

static void take_faults(const char *line, void *data)
{
	struct ledger *ledger = data;
	unsigned long value[7];
	char family[16], class[16];

	if (sscanf(line, "%15s %15s %lu %lu %lu %*s %*s %*s %lu %lu %lu",
		   family, class, &value[0], &value[1], &value[2], &value[3],
		   &value[4], &value[5]) != 8 || strcmp(class, "*"))
		return;
	if (strcmp(family, "failed") == 0)
		ledger->failed = value[0];
	if (strcmp(family, "total"))
		return;
	ledger->completed = value[0];
	ledger->completed_major = value[1];
	ledger->retries = value[2];
	ledger->user = value[3];
	ledger->kernel = value[4];
	ledger->remote = value[5];
}

static void take_kernel(const char *line, void *data)
{
	struct ledger *ledger = data;
	unsigned long kernel, user;
	char kind[16];

	if (sscanf(line, "%15s %*s %lu %lu", kind, &kernel, &user) != 3)
		return;
	if (strcmp(kind, "region") == 0 || strcmp(kind, "bad-area") == 0) {
		ledger->reasons_kernel += kernel;
		ledger->reasons_user += user;
	} else if (strcmp(kind, "total") == 0) {
		ledger->seen_kernel = kernel;
		ledger->seen_user = user;
	}
}

static void take_status(const char *line, void *data)
{
	struct ledger *ledger = data;

	sscanf(line, "retries_vma_lock %lu", &ledger->retries_vma_lock);
	sscanf(line, "missed %lu", &ledger->missed);
	sscanf(line, "in_flight %lu", &ledger->in_flight);
}

static void take_vmstat(const char *line, void *data)
{
	struct ledger *ledger = data;

	sscanf(line, "pgfault %lu", &ledger->pgfault);
	sscanf(line, "vma_lock_retry %lu", &ledger->vma_lock_retry);
}

static void read_once(struct ledger *ledger)
{
	memset(ledger, 0, sizeof(*ledger));
	each_line("/proc/vmstat", take_vmstat, ledger);
	tasks(&ledger->minor, &ledger->major);
	ledger->raised_user = raised(events[0]);
	ledger->raised_kernel = raised(events[1]);
	each_line(TRAPSCOPE "/faults", take_faults, ledger);
	each_line(TRAPSCOPE "/kernel", take_kernel, ledger);
	each_line(TRAPSCOPE "/status", take_status, ledger);
}

void ledger_read(struct ledger *ledger)
{
	struct ledger again;

	read_once(ledger);
	for (int i = 0; i < TRIES; i++) {
		read_once(&again);
		/* A call under way may be in the kernel's books only. */
		if (!again.in_flight && memcmp(ledger, &again, sizeof(again)) == 0)
			return;
		*ledger = again;
		usleep(20000);
	}
	never_quiet();
}

/* ---- one against the other ---- */

#define GREW(field)	(to->field - from->field)

void ledger_check_classes(const struct ledger *from, const struct ledger *to)
{
	ktap_check(GREW(completed) == GREW(pgfault),
		   "the classes grew by %lu, pgfault by %lu", GREW(completed),
		   GREW(pgfault));
	ktap_check(GREW(user) + GREW(kernel) + GREW(remote) == GREW(completed),
		   "user, kernel and remote are %lu of %lu",
		   GREW(user) + GREW(kernel) + GREW(remote), GREW(completed));
}

void ledger_check_tasks(const struct ledger *from, const struct ledger *to)
{
	unsigned long served = GREW(completed) - GREW(failed);

	ktap_check(served == GREW(minor) + GREW(major),
		   "%lu faults were served, the tasks had %lu minor and %lu major",
		   served, GREW(minor), GREW(major));
	ktap_check(GREW(completed_major) == GREW(major),
		   "%lu were major, the tasks had %lu", GREW(completed_major),
		   GREW(major));
}

void ledger_check_reasons(const struct ledger *from, const struct ledger *to)
{
	ktap_check(GREW(seen_user) == GREW(reasons_user) &&
		   GREW(seen_kernel) == GREW(reasons_kernel),
		   "user: %lu in all, %lu by reason; kernel: %lu in all, %lu by reason",
		   GREW(seen_user), GREW(reasons_user), GREW(seen_kernel),
		   GREW(reasons_kernel));
}

void ledger_check_calls(const struct ledger *from, const struct ledger *to)
{
	ktap_check(GREW(raised_user) == GREW(user) + GREW(reasons_user),
		   "user mode: %lu exceptions, %lu completed, %lu for other reasons",
		   GREW(raised_user), GREW(user), GREW(reasons_user));
	ktap_check(GREW(raised_kernel) == GREW(kernel) + GREW(reasons_kernel),
		   "kernel mode: %lu exceptions, %lu completed, %lu for other reasons",
		   GREW(raised_kernel), GREW(kernel), GREW(reasons_kernel));
}

void ledger_check_vma_lock(const struct ledger *from, const struct ledger *to)
{
	ktap_check(GREW(retries_vma_lock) == GREW(vma_lock_retry),
		   "%lu retries under the VMA lock, vma_lock_retry grew by %lu",
		   GREW(retries_vma_lock), GREW(vma_lock_retry));
}

void ledger_check_missed(const struct ledger *from, const struct ledger *to)
{
	ktap_check(GREW(missed) == 0, "%lu calls were missed", GREW(missed));
	ktap_check(to->in_flight == 0, "%lu calls are under way",
		   to->in_flight);
}

static bool add_row(const struct row *row, void *data)
{
	unsigned long classes = row->unnamed;

	for (size_t i = 0; i < CLASS_COUNT; i++)
		classes += row->classes[i];
	ktap_check(classes == row->faults,
		   "pid %d %lx-%lx: %lu faults, %lu in classes", row->pid,
		   row->start, row->end, row->faults, classes);
	*(unsigned long *)data += row->faults;
	return true;
}

/* With the hooks off, so that nothing comes between. */
void ledger_check_rows(void)
{
	unsigned long rows = 0, without, evicted, total;

	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0, "0 to enable");
	rows_each(add_row, &rows);
	without = status_value("faults_without_row");
	evicted = status_value("faults_evicted");
	total = faults_total(COMPLETED);
	ktap_check(rows + without + evicted == total,
		   "%lu in rows, %lu without one, %lu evicted: %lu of %lu",
		   rows, without, evicted, rows + without + evicted, total);
	ktap_need(file_write(TRAPSCOPE "/enable", "1") == 0, "1 to enable");
}

void ledger_check_all(const struct ledger *from, const struct ledger *to)
{
	ledger_check_classes(from, to);
	ledger_check_tasks(from, to);
	ledger_check_reasons(from, to);
	ledger_check_calls(from, to);
	ledger_check_vma_lock(from, to);
	ledger_check_missed(from, to);
	ledger_check_rows();
}
