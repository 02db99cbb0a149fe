/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two addresses that bench/plugin/watch.c knows: between them, a program's faults are
 * watched. They are far from where any other program has its code.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK	__attribute__((noinline, section(".mark")))

MARK void mark_begin(void)
{
	__asm__ volatile("");
}

MARK void mark_end(void)
{
	__asm__ volatile("");
}

#endif
