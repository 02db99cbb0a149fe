/* SPDX-License-Identifier: GPL-2.0 */
/* Others that watch handle_mm_fault(), and trapscope beside them. */
#ifndef TESTS_BESIDE_H
#define TESTS_BESIDE_H

#include <stdbool.h>

/* Someone who counts the calls that this process makes. */
struct other {
	const char *name;
	void (*start)(const struct other *other);
	void (*stop)(const struct other *other);
	unsigned long (*count)(const struct other *other);
	const void *data;
};

/*
 * Checks of the running case. The same faults, as seen by trapscope and by the other,
 * of whom each is there or not.
 */
void both_see(const struct other *other, bool trapscope, bool there,
	      const char *when);

/* In each order of coming and going, both see every call. */
void beside(const struct other *other);

#endif
