/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page faults that are counted on purpose: areas to fault in, and a watch that
 * compares what the kernel and trapscope counted while it ran.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktap.h"

#define PAGE		4096UL
#define HUGE		(2UL << 20)

#define TRAPSCOPE	"/sys/kernel/debug/trapscope"
#define TRACING		"/sys/kernel/tracing/"

/* Runs the cases, then one more: the kernel's totals against the module's. */
int fault_main(const struct ktap_case *cases, size_t count);

/* The cases only: for programs that switch the module off meanwhile. */
int fault_plain(const struct ktap_case *cases, size_t count);

bool module_loaded(void);

/* ---- area.c: mappings that have a VMA of their own ---- */

/* Private anonymous memory between two inaccessible pages: never merges. */
char *area_new(size_t pages, int prot);

/* The same for a mapping of @fd, or with more flags. */
char *area_map(size_t pages, int prot, int flags, int fd);

/* Aligned to 2 MiB; @flags as for mmap. */
char *area_huge(size_t huge_pages, int prot, int flags);

void area_free(char *area, size_t bytes);

static inline char touch_read(const void *p)
{
	return *(volatile const char *)p;
}

static inline void touch_write(void *p)
{
	*(volatile char *)p = 1;
}

/* One access to each page. */
void read_pages(const char *area, size_t pages);
void write_pages(char *area, size_t pages);

/* One processor for the calling thread: what is per CPU then is in order. */
void pin_to_cpu(int cpu);

/* A child that does nothing but hold its copy of the memory. */
pid_t child_hold(void);
void child_end(pid_t child);

/*
 * Reads (or writes) the byte; true if that raised @sig, which is then over.
 * The code of the signal goes to @code if that is not NULL.
 */
bool touch_raises(void *p, bool write, int sig, int *code);

/* Calls the address; true if that raised @sig. */
bool run_raises(void *p, int sig);

/* ---- row.c: the file vmas ---- */

enum { CLASS_COUNT = 30, CLASS_FAILED = 26 };
/* From CLASS_FAILED on: the classes of failed faults. */
extern const char *const class_names[CLASS_COUNT];

/* The index of a class; ends the test if there is none of that name. */
size_t class_index(const char *name);

struct row {
	pid_t pid;
	bool live;
	unsigned long start;
	unsigned long end;
	char perms[8];
	char dev[16];
	unsigned long offset;
	unsigned long inode;
	unsigned long faults;
	unsigned long major;
	unsigned long retries;
	unsigned long classes[CLASS_COUNT];
	/* Of classes beyond the seven that a row names. */
	unsigned long unnamed;
	char comm[80];
	char path[512];
};

/* Calls @each for every row until it returns false. */
void rows_each(bool (*each)(const struct row *row, void *data), void *data);

/* How many rows of @pid in that state hold the address; the last one in @row. */
size_t rows_at(pid_t pid, const void *address, bool live, struct row *row);

/* How many rows of @pid there are in that state. */
size_t rows_of(pid_t pid, bool live);

/* ---- book.c: totals ---- */

/* A line of /proc/vmstat; ends the test if there is none. */
unsigned long vmstat(const char *name);

/* A column of the row of that class (or "total *") in the file faults. */
enum column {
	COMPLETED = 2, MAJOR, RETRIES,
	USER = 8, KERNEL, REMOTE, READ, WRITE, EXEC, VMA_LOCK,
};
unsigned long faults_class(const char *class, enum column column);
unsigned long faults_total(enum column column);

/* A line of the file kernel: faults from kernel mode, or from user mode. */
unsigned long kernel_faults(const char *kind, const char *name, bool user);

/* An item of the file status. */
unsigned long status_value(const char *item);

/* Check of the running case: others may be in a call, but not for ever. */
void check_nothing_in_flight(void);

/*
 * The total of the module and the kernel's pgfault at one moment: both are
 * read again until no fault came between.
 */
struct book {
	unsigned long total;
	unsigned long pgfault;
};
void book_read(struct book *book);

/* Ends the test: books were read again and again, and faults came between each time. */
void never_quiet(void);

/* ---- watch.c: what happened between start and stop ---- */

/* Faults of the calling thread in the VMA at @address. */
void watch_start(const void *address);

/* Faults in the VMA of another process, whoever causes them. */
void watch_start_of(pid_t pid, const void *address);

void watch_stop(void);

/*
 * Checks that the row grew by exactly these ("anon-zero:4,cow-zero:2"), and
 * that the thread's min_flt and maj_flt grew by as many (failed ones apart).
 */
void expect(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The row only: the thread had other faults as well. */
void expect_row(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As expect, and every fault was a major one. */
void expect_major(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The thread's faults between start and stop, minor and major. */
unsigned long watch_thread_faults(void);

/* The thread's faults since the start. */
unsigned long watch_faults_now(void);

/* How much a class of the row grew. */
unsigned long watch_grown(const char *class);
unsigned long watch_grown_retries(void);

/* That the module counts as it should: to be asked after each ordeal. */
void check_counts(void);

/* ---- knob.c: settings, put back at the end of the program ---- */

/* False if there is no such file. */
bool knob_set(const char *path, const char *value);

/* Whole file as text, cut at @size. */
bool file_read(const char *path, char *text, size_t size);

/* 0, or the errno of what failed. */
int file_write(const char *path, const char *text);

/* Runs a shell command that must work. */
void must_run(const char *command);

/* Called at the end of the program, last one first. */
void at_end(void (*undo)(void));

#endif
