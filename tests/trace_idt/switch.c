// SPDX-License-Identifier: GPL-2.0
/*
 * On and off, many times, while every CPU has page faults, system calls of 32 bits,
 * bad instructions, IPIs and NMIs: nothing is lost, and each time the counts lie
 * between what the kernel counted while it was certainly on, and since before until
 * after.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "vectors.h"

#define ROUNDS	200

static volatile bool busy = true;
static bool have_nmis;

/* What the load did, and what came of it. */
static unsigned long tried[MAX_CPUS], signals[MAX_CPUS], calls[MAX_CPUS];
static bool lost_memory, lost_nmi;
static __thread long own_cpu;

static void on_bad_opcode(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	signals[own_cpu]++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

/* One round of each; the page is a new one each time. */
static void *load(void *data)
{
	char *area = area_new(8, PROT_READ | PROT_WRITE);

	own_cpu = (long)data;
	pin_to_cpu(own_cpu);
	while (busy) {
		long number = 20;	/* getpid */

		for (int i = 0; i < 8; i++) {
			if (area[i * PAGE])
				lost_memory = true;
			area[i * PAGE] = 1;
		}
		for (int i = 0; i < 8; i++) {
			if (area[i * PAGE] != 1)
				lost_memory = true;
		}
		/* The other CPU has to be told. */
		madvise(area, 8 * PAGE, MADV_DONTNEED);
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
		asm volatile("ud2" ::: "memory");
		asm volatile("int $0x80" : "+a"(number) :: "memory", "r8", "r9", "r10", "r11");
		calls[own_cpu] += number == getpid();
		tried[own_cpu]++;
	}
	return NULL;
}

static void *nmi_load(void *unused)
{
	(void)unused;
	while (busy) {
		for (int cpu = 0; cpu < cpu_count(); cpu++) {
			if (nmi_send(cpu, 3))
				lost_nmi = true;
		}
	}
	return NULL;
}

static struct line {
	const char *name;
	int first;
	int last;
	unsigned long least;
	unsigned long counted;
	unsigned long most;
} lines[] = {
	{ .name = "#PF", .first = PAGE_FAULT, .last = PAGE_FAULT },
	{ .name = "timer", .first = 236, .last = 236 },
	{ .name = "reschedule", .first = 253, .last = 253 },
	{ .name = "call function", .first = 251, .last = 252 },
	{ .name = "NMI", .first = NMI, .last = NMI },
	{ .name = "NMI, by its handler", .first = NMI, .last = NMI },
};

static unsigned long of_line(const struct others *others, size_t line, int column)
{
	switch (line) {
	case 0:
		return others->user_faults[column] + others->kernel_faults[column];
	case 1:
		return others->timer[column];
	case 2:
		return others->reschedule[column];
	case 3:
		return others->call_function[column];
	case 4:
		return others->nmi[column];
	default:
		return others->nmi_handled[column];
	}
}

/*
 * No tolerance: a CPU changes tables between two interrupts, so whatever came by a
 * stub has been counted by the kernel before the table is off.
 */
static void judge(int round, const struct others others[4], const struct vectors *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct line *line = &lines[i];

		for (int column = 0; column < column_count(); column++) {
			unsigned long least = of_line(&others[2], i, column) - of_line(&others[1], i, column);
			unsigned long most = of_line(&others[3], i, column) - of_line(&others[0], i, column);
			unsigned long found = 0;

			for (int vector = line->first; vector <= line->last; vector++)
				found += counts->of[vector][column];
			if (i == 5 && !have_nmis)
				continue;
			ktap_check(found >= least && found <= most,
				   "round %d, %s, column %d: %lu, not %lu to %lu",
				   round, line->name, column, found, least, most);
			line->least += least;
			line->counted += found;
			line->most += most;
		}
	}
}

static pthread_t threads[MAX_CPUS + 1];

static void rounds(void)
{
	static struct others others[4];
	static struct vectors counts;

	for (int round = 0; round < ROUNDS; round++) {
		others_read(&others[0]);
		trace_idt_switch(true);
		others_read(&others[1]);
		/* Some of them long enough for every CPU to be in all of it. */
		usleep(round % 20 ? 0 : 100000);
		others_read(&others[2]);
		trace_idt_switch(false);
		others_read(&others[3]);
		vectors_read(&counts);
		judge(round, others, &counts);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (i == 5 && !have_nmis)
			continue;
		ktap_diag("%s: %lu counted, of %lu to %lu", lines[i].name,
			  lines[i].counted, lines[i].least, lines[i].most);
		/* Of these there was enough to compare. */
		if (i != 2 && (i != 3 || cpu_count() > 1) && (i != 4 || have_nmis))
			ktap_check(lines[i].least > 100, "%s: too few", lines[i].name);
	}
}

static void nothing_lost(void)
{
	busy = false;
	for (int cpu = 0; cpu < cpu_count(); cpu++)
		pthread_join(threads[cpu], NULL);
	if (have_nmis)
		pthread_join(threads[MAX_CPUS], NULL);
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		ktap_check(tried[cpu] > ROUNDS, "CPU %d: %lu times is no load", cpu, tried[cpu]);
		ktap_check(signals[cpu] == tried[cpu], "CPU %d: %lu signals of %lu", cpu,
			   signals[cpu], tried[cpu]);
		ktap_check(calls[cpu] == tried[cpu], "CPU %d: %lu system calls of %lu", cpu,
			   calls[cpu], tried[cpu]);
	}
	ktap_check(!lost_memory, "memory was not as it had been written");
	ktap_check(!lost_nmi, "an NMI did not arrive");
}

static void all_as_before(void)
{
	char text[1 << 12];

	ktap_need(file_read(TRAPSCOPE "/idt/check", text, sizeof(text)), "read idt/check");
	ktap_check(!strcmp(text, "OK\n# what cpu vector reasons before after\n"), "idt/check: %s", text);
}

static void nmis(void)
{
	if (!have_nmis) {
		ktap_skip("no " NMI_SOURCE);
		return;
	}
	ktap_check(lines[5].counted > ROUNDS, "%lu is no load", lines[5].counted);
}

static void switch_off(void)
{
	trace_idt_switch(false);
}

static const struct ktap_case cases[] = {
	{ "200 times on and off under load", rounds },
	{ "with NMIs", nmis },
	{ "nothing was lost", nothing_lost },
	{ "all tables are as before", all_as_before },
};

int main(void)
{
	const struct sigaction action = {
		.sa_sigaction = on_bad_opcode,
		.sa_flags = SA_SIGINFO,
	};

	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	if (file_write(TRACE_IDT "/enable", "1"))
		ktap_skip_all("trace_idt can't be switched on here: see its status");
	at_end(switch_off);
	trace_idt_switch(false);
	have_nmis = nmi_source();
	others_start();
	ktap_need(sigaction(SIGILL, &action, NULL) == 0, "sigaction");
	ktap_need(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
		  "membarrier");
	for (long cpu = 0; cpu < cpu_count(); cpu++)
		ktap_need(pthread_create(&threads[cpu], NULL, load, (void *)cpu) == 0, "thread");
	if (have_nmis)
		ktap_need(pthread_create(&threads[MAX_CPUS], NULL, nmi_load, NULL) == 0, "thread");
	ktap_plan(ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ktap_run(&cases[i]);
	return ktap_exit_code();
}
