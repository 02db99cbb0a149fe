// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "fetch.h"

#define TRACING		"/sys/kernel/tracing/"
#define EVENT		"trapscope_test"
#define EVENT_DIR	TRACING "events/kprobes/" EVENT "/"
#define PROBED		"__x64_sys_getppid"

void fetch_stop(void)
{
	file_write(EVENT_DIR "enable", "0");
	file_write(TRACING "kprobe_events", "-:" EVENT);
}

void fetch_needed(void)
{
	if (access(TRACING "kprobe_events", W_OK))
		ktap_skip_all("no " TRACING "kprobe_events: mount tracefs, be root");
	at_end(fetch_stop);
}

void fetch_start(const char *what)
{
	char line[256];

	snprintf(line, sizeof(line), "p:" EVENT " " PROBED " %s", what);
	ktap_need(file_write(TRACING "kprobe_events", line) == 0,
		  "add the event \"%s\"", line);
	ktap_need(file_write(EVENT_DIR "enable", "1") == 0,
		  "enable the event");
}

void fetch_once(const void *argument)
{
	syscall(SYS_getppid, argument);
}

void fetch_text(const char *what, char *text, size_t size)
{
	/* What others have left there may be more than fits. */
	must_run(": >" TRACING "trace");
	fetch_start(what);
	fetch_once(NULL);
	ktap_need(file_read(TRACING "trace", text, size),
		  "read " TRACING "trace");
	fetch_stop();
}
