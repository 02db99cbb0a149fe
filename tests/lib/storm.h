/* SPDX-License-Identifier: GPL-2.0 */
/* Processes that do everything by which pages fault, as their seeds tell them. */
#ifndef TESTS_STORM_H
#define TESTS_STORM_H

#include <stddef.h>
#include <stdint.h>

/* A number below @n; the sequence follows from the thread's seed. */
void storm_seed(uint64_t seed);
size_t storm_below(size_t n);

/* What can't be told by the counters: each is counted once it was done. */
enum storm_deed {
	STORM_EXEC, STORM_MUNMAP, STORM_MREMAP, STORM_MPROTECT, STORM_HEAP,
	STORM_WRITEV, STORM_POPULATE, STORM_ANSWERED, STORM_KILLED, STORM_DEEDS
};
extern const char *const storm_deeds[STORM_DEEDS];

/* How often, by all workers that were started after the first call. */
unsigned long storm_done(enum storm_deed deed);

/* For a process of its own: does so many things and ends with status 0. */
void storm_worker(uint64_t seed, size_t actions) __attribute__((noreturn));

#endif
