// SPDX-License-Identifier: GPL-2.0
/*
 * Others that watch handle_mm_fault() at the same time, by each of the kernel's
 * own means: whoever comes first or goes first, both see every call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "module.h"

#define TRACING		"/sys/kernel/tracing/"
#define PROBED		"handle_mm_fault"
#define PAGES		32

static void trace(const char *file, const char *text)
{
	char path[256];
	int error;

	snprintf(path, sizeof(path), TRACING "%s", file);
	error = file_write(path, text);
	ktap_need(error == 0, "write \"%s\" to %s: %s", text, path,
		  strerror(error));
}

/* A list of functions or pids is emptied by opening it anew. */
static void empty(const char *file)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ktap_need(fd >= 0, "open %s", path);
	close(fd);
}

/* ---- events: a histogram counts those of this process ---- */

struct event {
	const char *definitions;
	const char *line;
	const char *folder;
};

static void event_start(const struct event *event)
{
	char text[128], path[128];

	trace(event->definitions, event->line);
	snprintf(path, sizeof(path), "events/%s/trigger", event->folder);
	snprintf(text, sizeof(text), "hist:keys=common_pid if common_pid==%d",
		 getpid());
	trace(path, text);
}

static void event_stop(const struct event *event)
{
	char text[128], path[128];

	snprintf(path, sizeof(path), "events/%s/trigger", event->folder);
	snprintf(text, sizeof(text), "!hist:keys=common_pid if common_pid==%d",
		 getpid());
	trace(path, text);
	snprintf(text, sizeof(text), "-:%s", event->folder);
	trace(event->definitions, text);
}

static unsigned long event_count(const struct event *event)
{
	char path[128], text[4096];
	const char *hits;

	snprintf(path, sizeof(path), TRACING "events/%s/hist", event->folder);
	ktap_need(file_read(path, text, sizeof(text)), "read %s", path);
	hits = strstr(text, "Hits: ");
	return hits ? strtoul(hits + strlen("Hits: "), NULL, 10) : 0;
}

/* ---- tracers: the trace buffer has those of this process ---- */

static void tracer_start(const char *tracer)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	trace("set_ftrace_pid", pid);
	if (strcmp(tracer, "function") == 0) {
		trace("set_ftrace_filter", PROBED);
	} else {
		trace("set_graph_function", PROBED);
		trace("max_graph_depth", "1");
	}
	trace("current_tracer", tracer);
}

static void tracer_stop(const char *tracer)
{
	trace("current_tracer", "nop");
	if (strcmp(tracer, "function") == 0) {
		empty("set_ftrace_filter");
	} else {
		empty("set_graph_function");
		trace("max_graph_depth", "0");
	}
	empty("set_ftrace_pid");
}

/* Lines of the trace that are calls of the function. */
static unsigned long tracer_count(void)
{
	static char line[512];
	unsigned long count = 0;
	FILE *file = fopen(TRACING "trace", "r");

	ktap_need(file != NULL, "open " TRACING "trace");
	while (fgets(line, sizeof(line), file))
		count += strstr(line, " " PROBED " <-") != NULL ||
			strstr(line, " " PROBED "();") != NULL ||
			strstr(line, " " PROBED "() {") != NULL;
	fclose(file);
	return count;
}

/* ---- who they are ---- */

static const struct user {
	const char *name;
	const char *tracer;
	struct event event;
} users[] = {
	{ "a kprobe event", NULL, { "kprobe_events",
		"p:trapscope_u/entry " PROBED, "trapscope_u/entry" } },
	{ "a kretprobe event", NULL, { "kprobe_events",
		"r:trapscope_u/ret " PROBED, "trapscope_u/ret" } },
	{ "an fprobe event", NULL, { "dynamic_events",
		"f:trapscope_u/fentry " PROBED, "trapscope_u/fentry" } },
	{ "an fprobe event at the return", NULL, { "dynamic_events",
		"f:trapscope_u/fexit " PROBED "%return", "trapscope_u/fexit" } },
	{ "the function tracer", "function", { 0 } },
	{ "the function graph tracer", "function_graph", { 0 } },
};

static void start(const struct user *user)
{
	if (user->tracer)
		tracer_start(user->tracer);
	else
		event_start(&user->event);
}

static void stop(const struct user *user)
{
	if (user->tracer)
		tracer_stop(user->tracer);
	else
		event_stop(&user->event);
}

static unsigned long count(const struct user *user)
{
	return user->tracer ? tracer_count() : event_count(&user->event);
}

/* The same faults, seen by those that are there. */
static void both_see(const struct user *user, bool trapscope, bool other,
		     const char *when)
{
	char *area = area_new(PAGES, PROT_READ | PROT_WRITE);
	unsigned long seen = other ? count(user) : 0;
	unsigned long own = faults_class("anon-alloc", COMPLETED);

	/* The first fault under the VMA lock may have to be made again. */
	touch_write(area);
	if (other)
		seen = count(user);
	own = faults_class("anon-alloc", COMPLETED);
	write_pages(area + PAGE, PAGES - 1);
	own = faults_class("anon-alloc", COMPLETED) - own;
	if (other) {
		unsigned long more = count(user) - seen;

		ktap_check(more == PAGES - 1, "%s: %s saw %lu calls, not %lu",
			   when, user->name, more, PAGES - 1UL);
	}
	if (trapscope)
		ktap_check(own >= PAGES - 1, "%s, with %s: trapscope saw %lu",
			   when, user->name, own);
	else
		ktap_check(own == 0, "%s: trapscope saw %lu, detached", when,
			   own);
	if (trapscope) {
		struct row row;

		ktap_check(rows_at(getpid(), area, true, &row) == 1 &&
			   row.faults == PAGES,
			   "%s, with %s: the row has %lu faults, not %d", when,
			   user->name, row.faults, (int)PAGES);
	}
	area_free(area, PAGES * PAGE);
}

static void attach(bool on)
{
	ktap_need(file_write(TRAPSCOPE "/enable", on ? "1" : "0") == 0,
		  "write to enable");
}

/* Each order of coming and going. */
static void beside(const struct user *user)
{
	for (int order = 0; order < 4; order++) {
		bool other_comes_first = order & 1;
		bool other_goes_first = order & 2;

		attach(!other_comes_first);
		start(user);
		if (other_comes_first) {
			both_see(user, false, true, "before trapscope came");
			attach(true);
		}
		both_see(user, true, true, "with both");
		if (other_goes_first) {
			stop(user);
			both_see(user, true, false, "when the other is gone");
			attach(false);
		} else {
			attach(false);
			both_see(user, false, true, "when trapscope is gone");
			stop(user);
		}
		attach(true);
		both_see(user, true, false, "afterwards");
	}
}

static void kprobe_event(void)
{
	beside(&users[0]);
}

static void kretprobe_event(void)
{
	beside(&users[1]);
}

static void fprobe_event(void)
{
	beside(&users[2]);
}

static void fprobe_return(void)
{
	beside(&users[3]);
}

static void function_tracer(void)
{
	beside(&users[4]);
}

static void graph_tracer(void)
{
	beside(&users[5]);
}

/* Two events of each kind and the module, which comes and goes in between. */
static void all_at_once(void)
{
	for (size_t i = 0; i < 5; i++)
		start(&users[i]);
	module_unload();
	module_load("");
	for (size_t i = 0; i < 5; i++) {
		both_see(&users[i], true, true, "with all");
		stop(&users[i]);
	}
	both_see(&users[0], true, false, "afterwards");
}

static void put_back(void)
{
	file_write(TRACING "current_tracer", "nop");
	empty("set_ftrace_filter");
	empty("set_graph_function");
	empty("set_ftrace_pid");
	file_write(TRACING "max_graph_depth", "0");
	if (!module_loaded())
		module_insert("");
	file_write(TRAPSCOPE "/enable", "1");
}

static const struct ktap_case cases[] = {
	{ "beside a kprobe event", kprobe_event },
	{ "beside a kretprobe event", kretprobe_event },
	{ "beside an fprobe event", fprobe_event },
	{ "beside an fprobe event at the return", fprobe_return },
	{ "beside the function tracer", function_tracer },
	{ "beside the function graph tracer", graph_tracer },
	{ "beside all of them, loaded when they are there", all_at_once },
};

int main(void)
{
	module_needed();
	if (access(TRACING "dynamic_events", W_OK))
		ktap_skip_all("no " TRACING "dynamic_events");
	at_end(put_back);
	return fault_plain(cases, ARRAY_SIZE(cases));
}
