/* SPDX-License-Identifier: GPL-2.0 */
/* KTAP output for test programs: one result a case, plan first. */
#ifndef TESTS_KTAP_H
#define TESTS_KTAP_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of kselftest. */
#define KTAP_PASS	0
#define KTAP_FAIL	1
#define KTAP_SKIP	4

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct ktap_case {
	const char *name;
	void (*run)(void);
};

/* Ends the program as skipped; only before the first case. */
void ktap_skip_all(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Prints version and plan. */
void ktap_plan(size_t cases);

/* Runs one case and prints its result. */
void ktap_run(const struct ktap_case *c);

/* Inside a case: a failed check prints why and fails the case. */
bool ktap_check(bool good, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Inside a case: the case can't be decided here. A failed check wins. */
void ktap_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line for people. */
void ktap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A set-up step that must work: without it nothing after it means anything. */
void ktap_need(bool good, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The exit code of the program. */
int ktap_exit_code(void);

#endif
