/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that sleep inside handle_mm_fault(), until they are woken: by userfaultfd. */
#ifndef TESTS_SLEEPERS_H
#define TESTS_SLEEPERS_H

#include <stddef.h>

#define MAX_SLEEPERS	4000

/* Returns when each of @count threads is asleep in a read fault of a page of its own. */
void sleepers_start(size_t count);

/* They get their pages, and end. */
void sleepers_wake(void);

#endif
