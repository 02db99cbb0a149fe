/* SPDX-License-Identifier: GPL-2.0 */
/* perf's own count of a trace event, without the tool. */
#ifndef TESTS_PERF_H
#define TESTS_PERF_H

#include <sys/types.h>

/*
 * Counts @event, "group/name", from now on until it is closed: of @pid or all (-1), on
 * @cpu or all (-1). Each makes a sample with @sample of it: PERF_SAMPLE_.
 */
int perf_open(const char *event, pid_t pid, int cpu, unsigned long long sample);

unsigned long perf_count(int fd);

#endif
