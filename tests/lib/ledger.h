/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All books at one moment: what trapscope counted, and what the kernel did by
 * counters that know nothing of it.
 */
#ifndef TESTS_LEDGER_H
#define TESTS_LEDGER_H

struct ledger {
	/* /proc/vmstat */
	unsigned long pgfault;
	unsigned long vma_lock_retry;
	/* min_flt and maj_flt of all tasks, those that ended too */
	unsigned long minor;
	unsigned long major;
	/* hist triggers on exceptions:page_fault_user and page_fault_kernel */
	unsigned long raised_user;
	unsigned long raised_kernel;
	/* the file faults */
	unsigned long completed;
	unsigned long completed_major;
	unsigned long failed;
	unsigned long user;
	unsigned long kernel;
	unsigned long remote;
	unsigned long retries;
	/* the file kernel: all exceptions without handle_mm_fault(), and by reason */
	unsigned long seen_user;
	unsigned long seen_kernel;
	unsigned long reasons_user;
	unsigned long reasons_kernel;
	/* the file status */
	unsigned long retries_vma_lock;
	unsigned long missed;
	unsigned long in_flight;
};

/* Starts the kernel's own count of exceptions; they end with the program. */
void ledger_open(void);

/* Reads until no fault is under way, or came between the first number and the last. */
void ledger_read(struct ledger *ledger);

/* What grew from one to the other; each is a check of the running case. */
void ledger_check_classes(const struct ledger *from, const struct ledger *to);
void ledger_check_tasks(const struct ledger *from, const struct ledger *to);
void ledger_check_reasons(const struct ledger *from, const struct ledger *to);
void ledger_check_calls(const struct ledger *from, const struct ledger *to);
void ledger_check_vma_lock(const struct ledger *from, const struct ledger *to);
void ledger_check_missed(const struct ledger *from, const struct ledger *to);

/* All of these, and the rows. */
void ledger_check_all(const struct ledger *from, const struct ledger *to);

/* Faults of all rows and of those without one, against all classes. */
void ledger_check_rows(void);

/*
 * A case for each of these, for a file whose ledgers are called before and after:
 * LEDGER_COMPARISONS defines what LEDGER_CASES names.
 */
#define LEDGER_COMPARISON(name)						\
	static void compare_##name(void)				\
	{								\
		ledger_check_##name(&before, &after);			\
	}
#define LEDGER_COMPARISONS						\
	LEDGER_COMPARISON(classes)					\
	LEDGER_COMPARISON(tasks)					\
	LEDGER_COMPARISON(reasons)					\
	LEDGER_COMPARISON(calls)					\
	LEDGER_COMPARISON(vma_lock)					\
	LEDGER_COMPARISON(missed)
#define LEDGER_CASES							\
	{ "the sum of the classes is vmstat's pgfault", compare_classes }, \
	{ "minor and major faults are the tasks' min_flt and maj_flt", compare_tasks }, \
	{ "what had no call has one reason each", compare_reasons },	\
	{ "the kernel's tracepoints came for a fault, or for a reason by name", compare_calls }, \
	{ "retries under the VMA lock are vma_lock_retry", compare_vma_lock }, \
	{ "nothing was missed, nothing is under way", compare_missed },	\
	{ "the rows and what has none are the sum of the classes", ledger_check_rows }

#endif
