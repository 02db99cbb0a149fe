/* SPDX-License-Identifier: GPL-2.0 */
/* A kprobe event whose handler reads memory: a fault there is one inside of a kprobe. */
#ifndef TESTS_FETCH_H
#define TESTS_FETCH_H

#include <stddef.h>

/* Ends the test as skipped without kprobe events; the event goes when the program does. */
void fetch_needed(void);

/* From now on each getppid() reads @what: the arguments of the event. */
void fetch_start(const char *what);
void fetch_stop(void);

/* One getppid() with @argument as the first of its system call. */
void fetch_once(const void *argument);

/* What one read of @what gives, as the trace has it, in @text. */
void fetch_text(const char *what, char *text, size_t size);

#endif
