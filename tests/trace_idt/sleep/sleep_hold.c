// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a machine that is about to sleep, after everybody else has been told and
 * before tasks are frozen.
 *
 *   insmod sleep_hold.ko; echo mem >/sys/power/state &
 *   echo 0 >/sys/module/sleep_hold/parameters/hold
 *
 * lets it go on, or keeps it from sleeping with fail=1. held is 1 meanwhile.
 */

#include <linux/delay.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/suspend.h>

static bool hold = true;
module_param(hold, bool, 0600);
MODULE_PARM_DESC(hold, "wait until this is 0");

static bool held;
module_param(held, bool, 0400);
MODULE_PARM_DESC(held, "somebody waits");

static bool fail;
module_param(fail, bool, 0400);
MODULE_PARM_DESC(fail, "refuse in the end");

static int news(struct notifier_block *block, unsigned long what, void *unused)
{
	if (what != PM_SUSPEND_PREPARE)
		return NOTIFY_DONE;
	WRITE_ONCE(held, true);
	while (READ_ONCE(hold))
		msleep(10);
	WRITE_ONCE(held, false);
	return fail ? NOTIFY_BAD : NOTIFY_DONE;
}

static struct notifier_block last = {
	.notifier_call = news,
	.priority = INT_MIN,
};

static int __init hold_init(void)
{
	return register_pm_notifier(&last);
}
module_init(hold_init);

static void __exit hold_exit(void)
{
	unregister_pm_notifier(&last);
}
module_exit(hold_exit);

MODULE_DESCRIPTION("Holds a machine that is about to sleep");
MODULE_LICENSE("GPL");
