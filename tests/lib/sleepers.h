/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that sleep inside handle_mm_fault(), until they are woken: by userfaultfd. */
#ifndef TESTS_SLEEPERS_H
#define TESTS_SLEEPERS_H

#include <stddef.h>
#include <sys/types.h>

#define MAX_SLEEPERS	4000

/* Returns when each of @count threads is asleep in a read fault of a page of its own. */
void sleepers_start(size_t count);

/* They get their pages, and end. */
void sleepers_wake(void);

#define SLEEPERS_READ	64

/*
 * Returns when a thread is asleep in read() of so many bytes of the file: it has the
 * first, for the others its buffer has no page.
 */
void sleepers_read(int fd);

/* It gets its page; what its read() returned. */
ssize_t sleepers_end_read(void);

#endif
