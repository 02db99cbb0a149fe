/* SPDX-License-Identifier: GPL-2.0 */
/* Those who watch handle_mm_fault() by the kernel's own means, except BPF. */
#ifndef TESTS_OTHERS_H
#define TESTS_OTHERS_H

#include <stdbool.h>
#include <stddef.h>

#include "beside.h"

/* Up to GRAPH, all of them can be there at once, and one of those behind it. */
enum {
	KPROBE, KRETPROBE, FENTRY, FEXIT, FUNCTION, GRAPH, CALL, REPLACE, MODULE_KPROBE,
	MODULE_KRETPROBE, OTHERS
};
extern const struct other others[OTHERS];

/* Ends the test as skipped without trace events; all goes when the program does. */
void others_needed(void);

/* For CALL and all behind it: skips the case without the module that they are. */
bool others_direct_missing(void);

/*
 * Checks of the running case: events, tracer and these @count more are there at once,
 * trapscope comes and goes in between, and each sees every call.
 */
void beside_all(const struct other *const more[], size_t count);

#endif
