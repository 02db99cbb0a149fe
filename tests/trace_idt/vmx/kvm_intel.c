// SPDX-License-Identifier: GPL-2.0
/*
 * Has the name of the module that keeps the base of the IDT it finds, for VM exits,
 * and loads only where all CPUs have the kernel's.
 *
 *   insmod kvm_intel.ko hold=1; echo 0 >/sys/module/kvm_intel/parameters/hold
 *
 * waits in between, before it looks.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>

static bool hold;
module_param(hold, bool, 0600);
MODULE_PARM_DESC(hold, "wait until this is 0");

static void look(void *foreign)
{
	struct desc_ptr idtr;

	store_idt(&idtr);
	if (idtr.address != CPU_ENTRY_AREA_RO_IDT)
		atomic_inc(foreign);
}

static int __init look_init(void)
{
	atomic_t foreign = ATOMIC_INIT(0);

	while (READ_ONCE(hold)) {
		if (msleep_interruptible(10) && signal_pending(current))
			return -EINTR;
	}
	on_each_cpu(look, &foreign, 1);
	if (atomic_read(&foreign)) {
		pr_err("%d CPUs have another IDT than the kernel's\n", atomic_read(&foreign));
		return -EBUSY;
	}
	return 0;
}
module_init(look_init);

static void __exit look_exit(void)
{
}
module_exit(look_exit);

MODULE_DESCRIPTION("Looks at the IDTR when it is loaded, as kvm_intel does");
MODULE_LICENSE("GPL");
