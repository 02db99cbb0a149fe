/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The counts of trace_idt, and who else counts the same: the page fault's
 * tracepoints, /proc/interrupts, and the module that sends NMIs.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdbool.h>

#include "fault.h"

#define TRACE_IDT	TRAPSCOPE "/trace_idt"
#define NMI_SOURCE	"/lib/trapscope/nmi_source.ko"

#define VECTORS		256
#define MAX_CPUS	64

enum { DIVIDE = 0, DEBUG = 1, NMI = 2, BREAKPOINT = 3, OVERFLOW = 4, OPCODE = 6,
       PROTECTION = 13, PAGE_FAULT = 14, SYSTEM_CALL = 128 };

/* A count for each column of the file counts, of CPUs that share one: once. */
typedef unsigned long per_cpu_t[MAX_CPUS];

struct vectors {
	per_cpu_t of[VECTORS];
};

/* CPUs that are online; they are the first ones. */
int cpu_count(void);

/* The column in which a CPU is counted, and how many there are. */
int column_of(int cpu);
int column_count(void);

/* Reads counts; ends the test if its form is not as it should be. */
void vectors_read(struct vectors *vectors);

void trace_idt_switch(bool on);

/* What else counts, by column. */
struct others {
	/* #PF, by exceptions:page_fault_user and page_fault_kernel. */
	per_cpu_t user_faults;
	per_cpu_t kernel_faults;
	/* Rows of /proc/interrupts; devices are all that have a number. */
	per_cpu_t timer;
	per_cpu_t reschedule;
	per_cpu_t call_function;
	per_cpu_t nmi;
	per_cpu_t devices;
	/* By the handler of nmi_source. */
	per_cpu_t nmi_handled;
};

/* Begins to count the two tracepoints, on every CPU. */
void others_start(void);
void others_read(struct others *others);

/* Loads nmi_source.ko until the program ends; false if it is not there. */
bool nmi_source(void);

/* Sends NMIs to a CPU; each has arrived when this returns. 0, or an errno. */
int nmi_send(int cpu, unsigned int count);

/* All that was mapped stays, so that only what is meant to fault does. */
void lock_memory(void);

/*
 * Nobody else gets the CPU until realtime_end(), unless that is a second away: keep
 * it short.
 */
void realtime_on(int cpu);
void realtime_end(void);

#endif
