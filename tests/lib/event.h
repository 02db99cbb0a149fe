/* SPDX-License-Identifier: GPL-2.0 */
/* The trace events of trapscope, by tracefs alone. */
#ifndef TESTS_EVENT_H
#define TESTS_EVENT_H

#include "fault.h"

#define EVENTS	TRACING "events/trapscope/"

/* A file of an event: "enable", "filter"; ends the test if it can't be written. */
void event_set(const char *event, const char *file, const char *text);

/*
 * A trigger, taken away again at the end of the program, or by event_untrigger(): only
 * one at a time.
 */
void event_trigger(const char *event, const char *trigger);
void event_untrigger(void);

#define HIST_VALUES	4

/* The rows of a hist trigger that have this key, summed up. */
struct hist {
	unsigned long hits;
	unsigned long values[HIST_VALUES];
};

/* Reads the trigger's histogram; false if it lost any. */
bool hist_read(void);

/* The row in which every "key: number" pair of @key stands; zeros if none does. */
struct hist hist_row(const char *key, const char *const values[HIST_VALUES]);

/* What the trigger counted at all. */
unsigned long hist_hits(void);

#endif
