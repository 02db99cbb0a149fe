// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "module.h"
#include "others.h"

#define PROBED		"handle_mm_fault"

static int try_trace(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), TRACING "%s", file);
	return file_write(path, text);
}

static void trace(const char *file, const char *text)
{
	errno = try_trace(file, text);
	ktap_need(errno == 0, "write \"%s\" to " TRACING "%s", text, file);
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

/* As small as it gets: more would be allocated for nothing. */
#define MINE		"hist:keys=common_pid:size=128 if common_pid==%d"

static void event_start(const struct other *other)
{
	const struct event *event = other->data;
	char text[128], path[128];

	trace(event->definitions, event->line);
	snprintf(path, sizeof(path), "events/%s/trigger", event->folder);
	snprintf(text, sizeof(text), MINE, getpid());
	trace(path, text);
}

/* The errno of what failed. */
static int event_remove(const struct event *event)
{
	char text[128], path[128];
	int error, other;

	snprintf(path, sizeof(path), "events/%s/trigger", event->folder);
	snprintf(text, sizeof(text), "!" MINE, getpid());
	error = try_trace(path, text);
	/* Also if it has no trigger yet. */
	snprintf(text, sizeof(text), "-:%s", event->folder);
	other = try_trace(event->definitions, text);
	return error ? error : other;
}

static void event_stop(const struct other *other)
{
	errno = event_remove(other->data);
	ktap_need(errno == 0, "remove %s", other->name);
}

static unsigned long event_count(const struct other *other)
{
	const struct event *event = other->data;
	char path[128], text[4096];
	const char *hits;

	snprintf(path, sizeof(path), TRACING "events/%s/hist", event->folder);
	ktap_need(file_read(path, text, sizeof(text)), "read %s", path);
	hits = strstr(text, "Hits: ");
	return hits ? strtoul(hits + strlen("Hits: "), NULL, 10) : 0;
}

/* ---- tracers: the trace buffer has those of this process ---- */

static void tracer_start(const struct other *other)
{
	const char *tracer = other->data;
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

static void tracer_stop(const struct other *other)
{
	const char *tracer = other->data;

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
static unsigned long tracer_count(const struct other *other)
{
	static char line[512];
	unsigned long count = 0;
	FILE *file = fopen(TRACING "trace", "r");

	(void)other;
	ktap_need(file != NULL, "open " TRACING "trace");
	while (fgets(line, sizeof(line), file))
		count += strstr(line, " " PROBED " <-") != NULL ||
			strstr(line, " " PROBED "();") != NULL ||
			strstr(line, " " PROBED "() {") != NULL;
	fclose(file);
	return count;
}

/* ---- tests/survive/direct, which counts those of this process ---- */

#define DIRECT		"/lib/trapscope/direct.ko"
#define PARAMETERS	"/sys/module/direct/parameters/"

static void direct_start(const struct other *other)
{
	const char *kind = other->data;
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "kind=%s pid=%d", kind,
		 getpid());
	errno = module_insert_file(DIRECT, parameters);
	ktap_need(errno == 0, "insmod " DIRECT " %s", parameters);
}

static void direct_stop(const struct other *other)
{
	(void)other;
	errno = module_remove_name("direct");
	ktap_need(errno == 0, "rmmod direct");
}

static unsigned long direct_number(const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	ktap_need(file_read(path, text, sizeof(text)), "read %s", path);
	return strtoul(text, NULL, 10);
}

/* What is replaced, or probed at its return, must come back each time. */
static unsigned long direct_count(const struct other *other)
{
	unsigned long calls = direct_number("calls");

	if (strcmp(other->data, "replace") == 0 || strcmp(other->data, "kretprobe") == 0) {
		unsigned long returns = direct_number("returns");

		ktap_check(returns == calls, "%lu calls, %lu returns", calls,
			   returns);
	}
	return calls;
}

/* ---- who they are ---- */

#define EVENT(its_name, its_definitions, its_line, its_folder)		\
	{								\
		.name = its_name,					\
		.start = event_start,					\
		.stop = event_stop,					\
		.count = event_count,					\
		.data = &(const struct event) {				\
			its_definitions, its_line, its_folder },	\
	}
#define TRACER(its_name, tracer)					\
	{ its_name, tracer_start, tracer_stop, tracer_count, tracer }
#define DIRECT_KIND(its_name, kind)					\
	{ its_name, direct_start, direct_stop, direct_count, kind }

const struct other others[OTHERS] = {
	[KPROBE] = EVENT("a kprobe event", "kprobe_events",
			 "p:trapscope_u/entry " PROBED, "trapscope_u/entry"),
	[KRETPROBE] = EVENT("a kretprobe event", "kprobe_events",
			    "r:trapscope_u/ret " PROBED, "trapscope_u/ret"),
	[FENTRY] = EVENT("an fprobe event", "dynamic_events",
			 "f:trapscope_u/fentry " PROBED, "trapscope_u/fentry"),
	[FEXIT] = EVENT("an fprobe event at the return", "dynamic_events",
			"f:trapscope_u/fexit " PROBED "%return",
			"trapscope_u/fexit"),
	[FUNCTION] = TRACER("the function tracer", "function"),
	[GRAPH] = TRACER("the function graph tracer", "function_graph"),
	[CALL] = DIRECT_KIND("a direct call", "call"),
	[REPLACE] = DIRECT_KIND("a function in its place", "replace"),
	[MODULE_KPROBE] = DIRECT_KIND("a module's kprobe", "kprobe"),
	[MODULE_KRETPROBE] = DIRECT_KIND("a module's kretprobe", "kretprobe"),
};

bool others_direct_missing(void)
{
	if (access(DIRECT, R_OK) == 0)
		return false;
	ktap_skip("no " DIRECT ": scripts/setup/tests-modules.sh makes it");
	return true;
}

static void all_see(const struct other *const more[], size_t count, bool trapscope,
		    const char *when)
{
	for (size_t i = 0; i < GRAPH; i++)
		both_see(&others[i], trapscope, true, when);
	for (size_t i = 0; i < count; i++)
		both_see(more[i], trapscope, true, when);
}

void beside_all(const struct other *const more[], size_t count)
{
	for (size_t i = 0; i < GRAPH; i++)
		others[i].start(&others[i]);
	for (size_t i = 0; i < count; i++)
		more[i]->start(more[i]);
	all_see(more, count, true, "with all");
	ktap_need(file_write(TRAPSCOPE "/enable", "0") == 0, "0 to enable");
	all_see(more, count, false, "with all");
	module_unload();
	module_load("");
	all_see(more, count, true, "with all, loaded again");
	for (size_t i = 0; i < GRAPH; i++)
		others[i].stop(&others[i]);
	for (size_t i = 0; i < count; i++) {
		both_see(more[i], true, true, "when the others are gone");
		more[i]->stop(more[i]);
	}
	both_see(&others[KPROBE], true, false, "afterwards");
}

static void put_back(void)
{
	module_remove_name("direct");
	/* Those that are there still. */
	for (size_t i = 0; i < FUNCTION; i++)
		event_remove(others[i].data);
	file_write(TRACING "current_tracer", "nop");
	empty("set_ftrace_filter");
	empty("set_graph_function");
	empty("set_ftrace_pid");
	file_write(TRACING "max_graph_depth", "0");
	if (!module_loaded())
		module_insert("");
	file_write(TRAPSCOPE "/enable", "1");
}

void others_needed(void)
{
	if (access(TRACING "dynamic_events", W_OK))
		ktap_skip_all("no " TRACING "dynamic_events");
	at_end(put_back);
}
