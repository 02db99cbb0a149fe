// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "perf.h"
#include "vectors.h"

#define SETS		32
#define NMI_PARAMETERS	"/sys/module/nmi_source/parameters/"

static char text[1 << 18];

int cpu_count(void)
{
	static int count;

	if (!count)
		count = sysconf(_SC_NPROCESSORS_ONLN);
	ktap_need(count <= MAX_CPUS, "more than %d CPUs", MAX_CPUS);
	return count;
}

int column_of(int cpu)
{
	return cpu % SETS;
}

int column_count(void)
{
	return cpu_count() < SETS ? cpu_count() : SETS;
}

/* The next number of a line; ends the test if there is none. */
static unsigned long number(char **at, const char *file)
{
	char *end;
	unsigned long value = strtoul(*at, &end, 10);

	ktap_need(end != *at, "a number in %s, at: %.40s", file, *at);
	*at = end;
	return value;
}

static char *next_word(char *at)
{
	at += strcspn(at, " ");
	return at + strspn(at, " ");
}

void vectors_read(struct vectors *vectors)
{
	char *line, *rest = text;

	ktap_need(file_read(TRACE_IDT "/counts", text, sizeof(text)), "read counts");
	memset(vectors, 0, sizeof(*vectors));
	line = strsep(&rest, "\n");
	ktap_need(!strncmp(line, "# vector hex mnemonic name all cpu0", 35),
		  "columns of counts: %s", line);
	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned long vector = number(&line, "counts");
		unsigned long all, sum = 0;

		ktap_need(vector < VECTORS, "vector %lu in counts", vector);
		line = next_word(next_word(next_word(next_word(line))));
		all = number(&line, "counts");
		for (int i = 0; i < column_count(); i++)
			sum += vectors->of[vector][i] = number(&line, "counts");
		ktap_need(all == sum && all, "vector %lu: all is %lu, the CPUs' are %lu",
			  vector, all, sum);
	}
}

void trace_idt_switch(bool on)
{
	int error = file_write(TRACE_IDT "/enable", on ? "1" : "0");

	errno = error;
	ktap_need(error == 0, "write %d to trace_idt/enable (see its status)", on);
}

static int user_events[MAX_CPUS];
static int kernel_events[MAX_CPUS];
static bool nmi_source_loaded;

void others_start(void)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		user_events[cpu] = perf_open("exceptions/page_fault_user", -1, cpu, 0);
		kernel_events[cpu] = perf_open("exceptions/page_fault_kernel", -1, cpu, 0);
	}
}

/* A row of /proc/interrupts, added to what is there. */
static void add_row(char *at, per_cpu_t counts)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++)
		counts[column_of(cpu)] += number(&at, "/proc/interrupts");
}

static void read_interrupts(struct others *others)
{
	const struct {
		const char *name;
		unsigned long *counts;
	} rows[] = {
		{ "LOC:", others->timer },
		{ "RES:", others->reschedule },
		{ "CAL:", others->call_function },
		{ "NMI:", others->nmi },
	};
	char *line, *rest = text;
	size_t found = 0;

	ktap_need(file_read("/proc/interrupts", text, sizeof(text)), "read /proc/interrupts");
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && *line) {
		line += strspn(line, " ");
		if (isdigit((unsigned char)*line))
			add_row(strchr(line, ':') + 1, others->devices);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			if (strncmp(line, rows[i].name, 4))
				continue;
			add_row(line + 4, rows[i].counts);
			found++;
		}
	}
	ktap_need(found == ARRAY_SIZE(rows), "%zu rows in /proc/interrupts", found);
}

static void read_nmi_source(struct others *others)
{
	char *at = text;

	ktap_need(file_read(NMI_PARAMETERS "counts", text, sizeof(text)), "read counts of nmi_source");
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		ktap_need((int)number(&at, "nmi_source") == cpu, "CPU %d in nmi_source", cpu);
		others->nmi_handled[column_of(cpu)] += number(&at, "nmi_source");
	}
}

void others_read(struct others *others)
{
	memset(others, 0, sizeof(*others));
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		others->user_faults[column_of(cpu)] += perf_count(user_events[cpu]);
		others->kernel_faults[column_of(cpu)] += perf_count(kernel_events[cpu]);
	}
	read_interrupts(others);
	if (nmi_source_loaded)
		read_nmi_source(others);
}

static void unload_nmi_source(void)
{
	must_run("rmmod nmi_source");
}

bool nmi_source(void)
{
	if (access(NMI_SOURCE, R_OK) != 0)
		return false;
	must_run("insmod " NMI_SOURCE);
	nmi_source_loaded = true;
	at_end(unload_nmi_source);
	return true;
}

int nmi_send(int cpu, unsigned int count)
{
	char order[32];

	snprintf(order, sizeof(order), "%d %u", cpu, count);
	return file_write(NMI_PARAMETERS "send", order);
}

void lock_memory(void)
{
	/* A hint fault is one that nobody asked for. */
	knob_set("/proc/sys/kernel/numa_balancing", "0");
	ktap_need(mlockall(MCL_CURRENT) == 0, "mlockall");
}

static void schedule(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	ktap_need(sched_setscheduler(0, policy, &param) == 0, "sched_setscheduler");
}

void realtime_on(int cpu)
{
	pin_to_cpu(cpu);
	schedule(SCHED_FIFO, 50);
}

void realtime_end(void)
{
	schedule(SCHED_OTHER, 0);
}
