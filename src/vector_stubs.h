/* SPDX-License-Identifier: GPL-2.0 */
/* The layout of vector_stubs.S. */
#ifndef TRAPSCOPE_VECTOR_STUBS_H
#define TRAPSCOPE_VECTOR_STUBS_H

/* Sets of 256 stubs: CPU n has set n % 32. */
#define TRAPSCOPE_STUB_SETS 32

/* In bytes. */
#define TRAPSCOPE_STUB_SIZE 24

#endif
