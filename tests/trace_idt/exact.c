// SPDX-License-Identifier: GPL-2.0
/*
 * Each vector is counted as often as it came, on the CPU where it came: exceptions
 * that a program causes a known number of times, and what the kernel counts too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include "vectors.h"

#define TIMES	300

static struct vectors before, after;
static int zeros;

/* ---- exceptions, by instructions ---- */

static volatile unsigned long signals;
static int step_over;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	signals++;
	registers[REG_RIP] += step_over;
	registers[REG_EFL] &= ~0x100L;
}

/* Gets @sig and goes on @length bytes behind where that left off. */
static void catch_signal(int sig, int length)
{
	struct sigaction action = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO,
	};

	signals = 0;
	step_over = length;
	ktap_need(sigaction(sig, &action, NULL) == 0, "sigaction");
}

static void divide_by_zero(void)
{
	asm volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx"
		     ::: "eax", "ecx", "edx", "cc");
}

static void single_step(void)
{
	asm volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq;"
		     "nop; lea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

static void breakpoint(void)
{
	asm volatile("int3");
}

static void overflow(void)
{
	asm volatile("int $4");
}

static void bad_opcode(void)
{
	asm volatile("ud2");
}

static void privileged(void)
{
	asm volatile("hlt");
}

static void system_call(void)
{
	long number = 20;	/* getpid */

	asm volatile("int $0x80" : "+a"(number) :: "memory", "r8", "r9", "r10", "r11");
	signals += number == getpid();
}

/* Columns of @vector grew by @times for @cpu, and by nothing for others. */
static bool grew(int vector, int cpu, unsigned long times)
{
	bool good = true;

	for (int i = 0; i < column_count(); i++) {
		unsigned long wanted = i == column_of(cpu) ? times : 0;
		unsigned long found = after.of[vector][i] - before.of[vector][i];

		good = ktap_check(found == wanted, "vector %d, column %d: %lu, wanted %lu",
				  vector, i, found, wanted) && good;
	}
	return good;
}

static void causes(int vector, void (*cause)(void), int sig, int length)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		pin_to_cpu(cpu);
		catch_signal(sig, length);
		vectors_read(&before);
		for (int i = 0; i < TIMES + cpu; i++)
			cause();
		vectors_read(&after);
		signal(sig, SIG_DFL);
		ktap_check(signals == TIMES + (unsigned long)cpu, "CPU %d: %lu signals", cpu, signals);
		grew(vector, cpu, TIMES + cpu);
	}
}

static void divide_error(void)
{
	causes(DIVIDE, divide_by_zero, SIGFPE, 2);
}

static void debug_trap(void)
{
	causes(DEBUG, single_step, SIGTRAP, 0);
}

static void breakpoint_trap(void)
{
	causes(BREAKPOINT, breakpoint, SIGTRAP, 0);
}

static void overflow_trap(void)
{
	causes(OVERFLOW, overflow, SIGSEGV, 0);
}

static void opcode_fault(void)
{
	causes(OPCODE, bad_opcode, SIGILL, 2);
}

static void protection_fault(void)
{
	causes(PROTECTION, privileged, SIGSEGV, 1);
}

static void int_80(void)
{
	causes(SYSTEM_CALL, system_call, SIGURG, 0);
}

/* ---- page faults ---- */

static void write_fault(char *page)
{
	touch_write(page);
}

static void kernel_write_fault(char *page)
{
	ktap_need(read(zeros, page, 1) == 1, "read /dev/zero");
}

/* A known number, while nobody else has the CPU. */
static void page_faults(void (*cause)(char *page), unsigned long *(*of)(struct others *))
{
	static struct others first, last;

	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		size_t pages = TIMES + cpu;
		char *area = area_new(pages, PROT_READ | PROT_WRITE);
		unsigned long found;

		/* No huge ones. */
		madvise(area, pages * PAGE, MADV_NOHUGEPAGE);
		realtime_on(cpu);
		others_read(&first);
		vectors_read(&before);
		for (size_t i = 0; i < pages; i++)
			cause(area + i * PAGE);
		vectors_read(&after);
		others_read(&last);
		realtime_end();
		area_free(area, pages * PAGE);
		found = after.of[PAGE_FAULT][column_of(cpu)] - before.of[PAGE_FAULT][column_of(cpu)];
		ktap_check(found == pages, "CPU %d: %lu, wanted %zu", cpu, found, pages);
		found = of(&last)[column_of(cpu)] - of(&first)[column_of(cpu)];
		ktap_check(found == pages, "CPU %d: the tracepoint has %lu, wanted %zu", cpu, found, pages);
	}
}

static unsigned long *user_faults(struct others *others)
{
	return others->user_faults;
}

static unsigned long *kernel_faults_of(struct others *others)
{
	return others->kernel_faults;
}

static void known_user_faults(void)
{
	page_faults(write_fault, user_faults);
}

static void known_kernel_faults(void)
{
	page_faults(kernel_write_fault, kernel_faults_of);
}

/* Both at one moment: no page fault came between. */
static void read_together(struct vectors *vectors, struct others *others)
{
	static struct vectors again;

	do {
		vectors_read(vectors);
		others_read(others);
		vectors_read(&again);
	} while (memcmp(vectors->of[PAGE_FAULT], again.of[PAGE_FAULT], sizeof(per_cpu_t)));
}

static void touch_everywhere(void)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		char *area = area_new(512, PROT_READ | PROT_WRITE);

		pin_to_cpu(cpu);
		for (size_t i = 0; i < 512; i++)
			(i % 3 ? write_fault : kernel_write_fault)(area + i * PAGE);
		area_free(area, 512 * PAGE);
		/* Nobody's, and the kernel's. */
		ktap_need(touch_raises((void *)PAGE, true, SIGSEGV, NULL), "SIGSEGV");
		ktap_need(touch_raises((void *)0xffffffff80000000UL, false, SIGSEGV, NULL), "SIGSEGV");
		must_run("i=0; while [ $i -lt 20 ]; do /bin/busybox true; i=$((i + 1)); done");
	}
}

static void as_tracepoints(void)
{
	static struct others first, last;
	unsigned long all = 0, user = 0;

	read_together(&before, &first);
	touch_everywhere();
	read_together(&after, &last);
	for (int i = 0; i < column_count(); i++) {
		unsigned long found = after.of[PAGE_FAULT][i] - before.of[PAGE_FAULT][i];
		unsigned long u = last.user_faults[i] - first.user_faults[i];
		unsigned long k = last.kernel_faults[i] - first.kernel_faults[i];

		ktap_check(found == u + k, "column %d: %lu, the tracepoints have %lu + %lu",
			   i, found, u, k);
		ktap_check(u > 0 && k > 0, "column %d: nothing to compare", i);
		all += found;
		user += u;
	}
	ktap_diag("%lu page faults, %lu of user mode", all, user);
}

/* ---- interrupts ---- */

static void nmis(void)
{
	static struct others first, last;

	if (access(NMI_SOURCE, R_OK) != 0) {
		ktap_skip("no " NMI_SOURCE);
		return;
	}
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		int column = column_of(cpu);

		others_read(&first);
		vectors_read(&before);
		ktap_check(nmi_send(cpu, TIMES + cpu) == 0, "NMIs to CPU %d", cpu);
		vectors_read(&after);
		others_read(&last);
		grew(NMI, cpu, TIMES + cpu);
		ktap_check(last.nmi_handled[column] - first.nmi_handled[column] == TIMES + (unsigned long)cpu,
			   "CPU %d: the handler had %lu", cpu,
			   last.nmi_handled[column] - first.nmi_handled[column]);
		ktap_check(last.nmi[column] - first.nmi[column] == TIMES + (unsigned long)cpu,
			   "CPU %d: /proc/interrupts has %lu", cpu,
			   last.nmi[column] - first.nmi[column]);
	}
}

static volatile bool busy;
static pthread_t threads[MAX_CPUS];
static int pipes[MAX_CPUS][2];

/* Wakes the thread on the next CPU, and waits to be woken. */
static void *bounce(void *data)
{
	long cpu = (long)data;
	char byte = 0;

	pin_to_cpu(cpu);
	while (read(pipes[cpu][0], &byte, 1) == 1 && busy) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
		if (write(pipes[(cpu + 1) % cpu_count()][1], &byte, 1) != 1)
			break;
	}
	return NULL;
}

static void bounce_start(void)
{
	busy = true;
	ktap_need(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
		  "membarrier");
	for (long cpu = 0; cpu < cpu_count(); cpu++)
		ktap_need(pipe(pipes[cpu]) == 0, "pipe");
	for (long cpu = 0; cpu < cpu_count(); cpu++)
		ktap_need(pthread_create(&threads[cpu], NULL, bounce, (void *)cpu) == 0, "thread");
	for (long cpu = 0; cpu < cpu_count(); cpu += 2)
		ktap_need(write(pipes[cpu][1], "", 1) == 1, "write to a pipe");
}

static void bounce_stop(void)
{
	busy = false;
	for (long cpu = 0; cpu < cpu_count(); cpu++)
		ktap_need(write(pipes[cpu][1], "", 1) == 1, "write to a pipe");
	for (long cpu = 0; cpu < cpu_count(); cpu++) {
		pthread_join(threads[cpu], NULL);
		close(pipes[cpu][0]);
		close(pipes[cpu][1]);
	}
}

static void *spin(void *data)
{
	pin_to_cpu((long)data);
	while (busy)
		;
	return NULL;
}

/*
 * A task that waits for a busy CPU becomes a more urgent one, by what another CPU
 * does: that has to tell it.
 */
static void preempt_from_afar(void)
{
	const struct sched_param urgent = { .sched_priority = 10 };
	const struct sched_param ordinary = { .sched_priority = 0 };
	pthread_t first, second;

	for (long cpu = 0; cpu < cpu_count(); cpu++) {
		busy = true;
		pin_to_cpu((cpu + 1) % cpu_count());
		ktap_need(pthread_create(&first, NULL, spin, (void *)cpu) == 0, "thread");
		ktap_need(pthread_create(&second, NULL, spin, (void *)cpu) == 0, "thread");
		for (int i = 0; i < 20; i++) {
			pthread_setschedparam(i % 2 ? first : second, SCHED_FIFO, &urgent);
			usleep(1000);
			pthread_setschedparam(i % 2 ? first : second, SCHED_OTHER, &ordinary);
			usleep(1000);
		}
		busy = false;
		pthread_join(first, NULL);
		pthread_join(second, NULL);
	}
}

/* One reading of ours, then of the others, then of ours. */
struct moment {
	struct vectors low;
	struct others others;
	struct vectors high;
};

static void read_moment(struct moment *moment)
{
	vectors_read(&moment->low);
	others_read(&moment->others);
	vectors_read(&moment->high);
}

static unsigned long of_range(const struct vectors *vectors, int first, int last, int column)
{
	unsigned long sum = 0;

	for (int vector = first; vector <= last; vector++)
		sum += vectors->of[vector][column];
	return sum;
}

static struct moment start, end;

static unsigned long cpus_of_column(int column)
{
	unsigned long cpus = 0;

	for (int cpu = column; cpu < cpu_count(); cpu += column_count())
		cpus++;
	return cpus;
}

/*
 * Between two moments, a count of the kernel's grew by what the vectors did, give or
 * take what came while the moments were read. Of each vector that came one may have
 * been counted by us and not by the kernel yet, on a CPU that is in the handler's
 * first instructions.
 */
static unsigned long compare(const char *name, const unsigned long *earlier, const unsigned long *later,
			     int first, int last)
{
	unsigned long all = 0;

	for (int i = 0; i < column_count(); i++) {
		unsigned long found = later[i] - earlier[i];
		unsigned long pending = 0, least, most;

		for (int vector = first; vector <= last; vector++)
			if (end.high.of[vector][i] != start.low.of[vector][i])
				pending += cpus_of_column(i);
		least = of_range(&end.low, first, last, i) - of_range(&start.high, first, last, i);
		most = of_range(&end.high, first, last, i) - of_range(&start.low, first, last, i);
		ktap_check(found + pending >= least && found <= most + pending,
			   "%s, column %d: /proc/interrupts has %lu, vectors %lu to %lu",
			   name, i, found, least, most);
		all += found;
	}
	return all;
}

static void as_interrupts(void)
{
	unsigned long timer, reschedule, call;

	bounce_start();
	read_moment(&start);
	touch_everywhere();
	usleep(300000);
	bounce_stop();
	preempt_from_afar();
	read_moment(&end);
	timer = compare("timer", start.others.timer, end.others.timer, 236, 236);
	reschedule = compare("reschedule", start.others.reschedule, end.others.reschedule, 253, 253);
	call = compare("call function", start.others.call_function, end.others.call_function, 251, 252);
	ktap_check(timer > 10, "%lu timer interrupts", timer);
	if (cpu_count() > 1) {
		ktap_check(reschedule > 10, "%lu reschedule IPIs", reschedule);
		ktap_check(call > 10, "%lu call-function IPIs", call);
	}
	ktap_diag("%lu timer, %lu reschedule, %lu call-function interrupts", timer, reschedule, call);
}

static void as_devices(void)
{
	unsigned long devices, ours = 0;
	int port = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);

	ktap_need(port >= 0, "open /dev/ttyS0");
	read_moment(&start);
	for (int i = 0; i < 10; i++)
		ktap_need(write(port, "trace_idt/exact writes\n", 23) == 23 && tcdrain(port) == 0,
			  "write to the serial port");
	read_moment(&end);
	close(port);
	devices = compare("devices", start.others.devices, end.others.devices, 32, 235);
	for (int i = 0; i < column_count(); i++)
		ours += of_range(&end.high, 32, 235, i) - of_range(&start.low, 32, 235, i);
	ktap_check(devices > 0, "no device interrupted");
	ktap_check(ours > 0, "none of %lu interrupts was counted", devices);
	ktap_diag("%lu interrupts", devices);
}

/* ---- reset ---- */

static void reset(void)
{
	pin_to_cpu(0);
	signals = 0;
	for (int i = 0; i < 10; i++)
		system_call();
	vectors_read(&before);
	ktap_check(before.of[SYSTEM_CALL][0] >= 10, "%lu calls", before.of[SYSTEM_CALL][0]);
	ktap_check(file_write(TRAPSCOPE "/reset", "1") == 0, "write to reset");
	vectors_read(&after);
	for (int i = 0; i < column_count(); i++)
		ktap_check(after.of[SYSTEM_CALL][i] == 0, "column %d: %lu after reset",
			   i, after.of[SYSTEM_CALL][i]);
	for (int i = 0; i < 7; i++)
		system_call();
	vectors_read(&after);
	ktap_check(after.of[SYSTEM_CALL][0] == 7, "%lu calls since, made 7", after.of[SYSTEM_CALL][0]);
}

static void switch_off(void)
{
	trace_idt_switch(false);
}

static const struct ktap_case cases[] = {
	{ "#DE", divide_error },
	{ "#DB", debug_trap },
	{ "#BP", breakpoint_trap },
	{ "#OF", overflow_trap },
	{ "#UD", opcode_fault },
	{ "#GP", protection_fault },
	{ "int 0x80", int_80 },
	{ "#PF of user mode, a known number", known_user_faults },
	{ "#PF of kernel mode, a known number", known_kernel_faults },
	{ "#PF as the tracepoints", as_tracepoints },
	{ "NMI as its handler and /proc/interrupts", nmis },
	{ "timer, reschedule and call-function as /proc/interrupts", as_interrupts },
	{ "devices as /proc/interrupts", as_devices },
	{ "reset while it is on", reset },
};

int main(void)
{
	if (!module_loaded())
		ktap_skip_all("trapscope is not loaded");
	if (file_write(TRACE_IDT "/enable", "1"))
		ktap_skip_all("trace_idt can't be switched on here: see its status");
	at_end(switch_off);
	zeros = open("/dev/zero", O_RDONLY);
	ktap_need(zeros >= 0, "open /dev/zero");
	nmi_source();
	others_start();
	lock_memory();
	ktap_plan(ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ktap_run(&cases[i]);
	return ktap_exit_code();
}
