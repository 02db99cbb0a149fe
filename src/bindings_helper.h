/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen reads: see bindgen_parameters. */

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>

#include "fault_events.h"
#include "shim.h"

/* mm_struct is opaque to bindgen: it is large, and this is all that matters. */
enum trapscope_offset {
	TRAPSCOPE_MM_PGD = offsetof(struct mm_struct, pgd),
};
