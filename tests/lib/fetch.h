/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kprobe events: in the handler of one that reads memory a fault is one inside of a
 * kprobe, and one on an instruction has that run one step at a time.
 */
#ifndef TESTS_FETCH_H
#define TESTS_FETCH_H

#include <stdbool.h>
#include <stddef.h>

bool fetch_possible(void);

/* From now on each getppid() reads @what: the arguments of the event. */
void fetch_start(const char *what);

/* One getppid() with @argument as the first of its system call. */
void fetch_once(const void *argument);

/* What one read of @what gives, as the trace has it, in @text. */
void fetch_text(const char *what, char *text, size_t size);

/* From now on a kprobe is on the instruction at this address. */
void fetch_step(const char *address);

/* Takes all of them away; so does the end of the program. */
void fetch_stop(void);

#endif
