// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the kernel complain or hang on purpose, to test that scripts/vm
 * notices: insmod provoke.ko what=warn
 */

#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0400);
MODULE_PARM_DESC(what, "warn, oops, softlockup, irqs-off or hung-task");

static void stop_cpu(void *unused)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static int sleep_forever(void *unused)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule();
	}
	return 0;
}

static int __init provoke_init(void)
{
	if (!strcmp(what, "warn")) {
		WARN(1, "provoked\n");
	} else if (!strcmp(what, "oops")) {
		*(volatile int *)8 = 1;
	} else if (!strcmp(what, "softlockup")) {
		preempt_disable();
		for (;;)
			cpu_relax();
	} else if (!strcmp(what, "irqs-off")) {
		smp_call_function(stop_cpu, NULL, 0);
		stop_cpu(NULL);
	} else if (!strcmp(what, "hung-task")) {
		kthread_run(sleep_forever, NULL, "provoked");
		msleep(1000 * 1000);
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(provoke_init);

MODULE_DESCRIPTION("Provokes complaints of the kernel");
MODULE_LICENSE("GPL");
