// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "fetch.h"

#define LIST		TRACING "kprobe_events"
#define GROUP		"trapscope_test"
#define ENABLE		TRACING "events/" GROUP "/enable"
#define PROBED		"__x64_sys_getppid"

static size_t count;

bool fetch_possible(void)
{
	return access(LIST, W_OK) == 0;
}

/* 0, or the errno. */
static int add(const char *place, const char *what)
{
	static bool registered;
	char line[256];
	int error;

	if (!registered)
		at_end(fetch_stop);
	registered = true;
	snprintf(line, sizeof(line), "p:" GROUP "/e%zu %s %s", count, place, what);
	error = file_write(LIST, line);
	count += error == 0;
	return error;
}

static void enable(void)
{
	ktap_need(file_write(ENABLE, "1") == 0, "enable " GROUP);
}

void fetch_stop(void)
{
	char line[64];

	if (count)
		file_write(ENABLE, "0");
	while (count) {
		snprintf(line, sizeof(line), "-:" GROUP "/e%zu", --count);
		file_write(LIST, line);
	}
}

void fetch_start(const char *what)
{
	ktap_need(add(PROBED, what) == 0, "add the event \"%s\"", what);
	enable();
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
	ktap_need(file_read(TRACING "trace", text, size), "read " TRACING "trace");
	fetch_stop();
}

void fetch_step(const char *address)
{
	ktap_need(add(address, "") == 0, "add a kprobe at %s", address);
	enable();
}
