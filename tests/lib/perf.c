// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "perf.h"

int perf_open(const char *event, pid_t pid, int cpu, unsigned long long sample)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = !!sample,
		.sample_type = sample,
	};
	char path[128], text[32];
	int fd;

	snprintf(path, sizeof(path), TRACING "events/%s/id", event);
	ktap_need(file_read(path, text, sizeof(text)), "read %s", path);
	attr.config = strtoul(text, NULL, 10);
	fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	ktap_need(fd >= 0, "count %s of pid %d on CPU %d by perf", event, pid, cpu);
	return fd;
}

unsigned long perf_count(int fd)
{
	unsigned long count;

	ktap_need(read(fd, &count, sizeof(count)) == sizeof(count),
		  "read what perf counted");
	return count;
}
