// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG that watches the kernel while a program of the guest is
 * between two marks: which instructions run, and which cache lines each processor
 * reads and writes.
 *
 *   -plugin file=watch.so,begin=ADDRESS,end=ADDRESS,out=FILE
 *
 * ADDRESS: of an instruction that the program runs when it begins, or ends, what is
 * to be watched. FILE gets, when QEMU ends:
 *
 *   windows COUNT                       how often it began
 *   ran PC COUNT
 *   line LINE WRITERS READERS           masks of processors
 *   access PC LINE PROCESSOR r|w COUNT  only for lines that several processors use
 *
 * QEMU has to run all processors on one thread (thread=single): nothing here is locked.
 * Debian has no package with QEMU's header, so that what is used of it stands here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t plugin_id;
typedef uint32_t plugin_meminfo;
enum { NO_REGISTERS = 0, MEMORY_RW = 3 };

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
		void (*cb)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id, void *),
		void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
		size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
		void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
		void (*cb)(unsigned int, plugin_meminfo, uint64_t, void *),
		int flags, int rw, void *data);
bool qemu_plugin_mem_is_store(plugin_meminfo info);

#define EXPORT	__attribute__((visibility("default")))

#ifndef PLUGIN_API
#define PLUGIN_API	1
#endif
EXPORT int qemu_plugin_version = PLUGIN_API;

#define KERNEL		(1UL << 63)
#define LINE_SHIFT	6
#define PROCESSORS	64

static uint64_t begin, end;
static FILE *out;
static bool watching[PROCESSORS];
static unsigned long windows;

/* ---- tables: open addressing, a power of two, never full ---- */

#define SIZE	(1UL << 22)
#define FULL	(SIZE / 2)

struct program_counter {
	uint64_t pc;
	unsigned long count;
};

struct line {
	uint64_t line;
	uint64_t writers, readers;
};

struct access {
	uint64_t pc, line;
	unsigned int processor;
	bool store;
	unsigned long count;
};

static struct program_counter *counters;
static struct line *lines;
static struct access *accesses;
static size_t counters_used, lines_used, accesses_used;

static size_t place(uint64_t key)
{
	return (key * 0x9e3779b97f4a7c15UL) >> 42;
}

static void one_more(size_t *used)
{
	if (++*used < FULL)
		return;
	fprintf(stderr, "watch: the tables are full: watch fewer faults\n");
	exit(1);
}

static struct program_counter *counter_of(uint64_t pc)
{
	size_t i = place(pc);

	while (counters[i].pc && counters[i].pc != pc)
		i = (i + 1) % SIZE;
	if (!counters[i].pc) {
		counters[i].pc = pc;
		one_more(&counters_used);
	}
	return &counters[i];
}

static struct line *line_of(uint64_t line)
{
	size_t i = place(line);

	while (lines[i].line && lines[i].line != line)
		i = (i + 1) % SIZE;
	if (!lines[i].line) {
		lines[i].line = line;
		one_more(&lines_used);
	}
	return &lines[i];
}

static struct access *access_of(uint64_t pc, uint64_t line,
				unsigned int processor, bool store)
{
	size_t i = place(pc ^ (line << 7) ^ (processor << 1) ^ store);

	while (accesses[i].count &&
	       (accesses[i].pc != pc || accesses[i].line != line ||
		accesses[i].processor != processor || accesses[i].store != store))
		i = (i + 1) % SIZE;
	if (!accesses[i].count) {
		accesses[i] = (struct access){ pc, line, processor, store, 0 };
		one_more(&accesses_used);
	}
	return &accesses[i];
}

/* ---- what QEMU calls ---- */

static void on_begin(unsigned int processor, void *data)
{
	(void)data;
	watching[processor] = true;
	windows++;
}

static void on_end(unsigned int processor, void *data)
{
	(void)data;
	watching[processor] = false;
}

static void on_run(unsigned int processor, void *data)
{
	struct program_counter *counter = data;

	if (watching[processor])
		counter->count++;
}

static void on_access(unsigned int processor, plugin_meminfo info,
		      uint64_t address, void *data)
{
	struct program_counter *counter = data;
	bool store = qemu_plugin_mem_is_store(info);
	struct line *line;

	if (!watching[processor] || !(address & KERNEL))
		return;
	line = line_of(address >> LINE_SHIFT);
	if (store)
		line->writers |= 1UL << processor;
	else
		line->readers |= 1UL << processor;
	access_of(counter->pc, address >> LINE_SHIFT, processor, store)->count++;
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t pc = qemu_plugin_insn_vaddr(insn);

		if (pc == begin)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_begin,
							       NO_REGISTERS, NULL);
		else if (pc == end)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_end,
							       NO_REGISTERS, NULL);
		else if (pc & KERNEL) {
			struct program_counter *counter = counter_of(pc);

			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_run,
							       NO_REGISTERS, counter);
			qemu_plugin_register_vcpu_mem_cb(insn, on_access,
							 NO_REGISTERS, MEMORY_RW,
							 counter);
		}
	}
}

static bool several(uint64_t mask)
{
	return mask & (mask - 1);
}

static void on_exit_of_qemu(plugin_id id, void *data)
{
	(void)id;
	(void)data;
	fprintf(out, "windows %lu\n", windows);
	for (size_t i = 0; i < SIZE; i++)
		if (counters[i].count)
			fprintf(out, "ran %016" PRIx64 " %lu\n",
				counters[i].pc, counters[i].count);
	for (size_t i = 0; i < SIZE; i++)
		if (lines[i].line)
			fprintf(out, "line %016" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
				lines[i].line << LINE_SHIFT,
				lines[i].writers, lines[i].readers);
	for (size_t i = 0; i < SIZE; i++) {
		struct access *access = &accesses[i];
		struct line *line = access->count ? line_of(access->line) : NULL;

		if (!line || !line->writers ||
		    !several(line->writers | line->readers))
			continue;
		fprintf(out, "access %016" PRIx64 " %016" PRIx64 " %u %c %lu\n",
			access->pc, access->line << LINE_SHIFT, access->processor,
			access->store ? 'w' : 'r', access->count);
	}
	fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "begin=", 6))
			begin = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "end=", 4))
			end = strtoull(argv[i] + 4, NULL, 0);
		else if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	}
	counters = calloc(SIZE, sizeof(*counters));
	lines = calloc(SIZE, sizeof(*lines));
	accesses = calloc(SIZE, sizeof(*accesses));
	if (!begin || !end || !out || !counters || !lines || !accesses) {
		fprintf(stderr, "watch: give begin=ADDRESS,end=ADDRESS,out=FILE, and 350 MiB of memory\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
