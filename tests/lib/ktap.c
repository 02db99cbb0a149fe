// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"

static size_t planned;
static size_t done;
static size_t failed;
static size_t skipped;
static const char *current;
static bool case_failed;
static char case_skip[256];

void ktap_skip_all(const char *fmt, ...)
{
	va_list args;

	printf("KTAP version 1\n1..0 # SKIP ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	exit(KTAP_SKIP);
}

void ktap_plan(size_t cases)
{
	planned = cases;
	printf("KTAP version 1\n1..%zu\n", cases);
}

void ktap_run(const struct ktap_case *c)
{
	current = c->name;
	case_failed = false;
	case_skip[0] = '\0';
	c->run();
	done++;
	if (case_failed) {
		failed++;
		printf("not ok %zu %s\n", done, c->name);
	} else if (case_skip[0]) {
		skipped++;
		printf("ok %zu %s # SKIP %s\n", done, c->name, case_skip);
	} else {
		printf("ok %zu %s\n", done, c->name);
	}
	current = NULL;
}

bool ktap_check(bool good, const char *fmt, ...)
{
	va_list args;

	if (good)
		return true;
	case_failed = true;
	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return false;
}

void ktap_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(case_skip, sizeof(case_skip), fmt, args);
	va_end(args);
}

void ktap_diag(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	/* It may be all that is seen of a long test for half an hour. */
	fflush(stdout);
}

void ktap_need(bool good, const char *fmt, ...)
{
	int error = errno;
	va_list args;

	if (good)
		return;
	printf("# set-up failed: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(": %s\n", strerror(error));
	done++;
	printf("not ok %zu %s\n", done, current ? current : "set-up");
	exit(KTAP_FAIL);
}

int ktap_exit_code(void)
{
	if (failed || done != planned)
		return KTAP_FAIL;
	if (done && skipped == done)
		return KTAP_SKIP;
	return KTAP_PASS;
}
