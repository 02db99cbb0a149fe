// SPDX-License-Identifier: GPL-2.0
/*
 * Non-maskable interrupts on demand, counted where they arrive.
 *
 *   echo "1 100" >/sys/module/nmi_source/parameters/send    100 to CPU 1
 *   cat /sys/module/nmi_source/parameters/counts            CPU and count, a line each
 *
 * The next one goes out when the handler has had the last: pending ones would merge.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/sysfs.h>
#include <asm/apic.h>
#include <asm/nmi.h>

static DEFINE_PER_CPU(bool, expected);
static DEFINE_PER_CPU(unsigned long, arrived);

static int handle(unsigned int type, struct pt_regs *regs)
{
	if (!this_cpu_read(expected))
		return NMI_DONE;
	this_cpu_inc(arrived);
	this_cpu_write(expected, false);
	return NMI_HANDLED;
}

/* Beyond any delay: a lost one is an error, not a hang. */
static int send_one(int cpu)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), 10000);

	WRITE_ONCE(per_cpu(expected, cpu), true);
	apic->send_IPI(cpu, NMI_VECTOR);
	while (READ_ONCE(per_cpu(expected, cpu))) {
		if (ktime_after(ktime_get(), deadline)) {
			pr_err("an NMI to CPU %d did not arrive\n", cpu);
			return -ETIMEDOUT;
		}
		cpu_relax();
		cond_resched();
	}
	return 0;
}

static int send(const char *text, const struct kernel_param *unused)
{
	unsigned int cpu, count;
	int ret = 0;

	if (sscanf(text, "%u %u", &cpu, &count) != 2)
		return -EINVAL;
	cpus_read_lock();
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		ret = -ENXIO;
	while (count-- && !ret)
		ret = send_one(cpu);
	cpus_read_unlock();
	return ret;
}

static int show_counts(char *page, const struct kernel_param *unused)
{
	int cpu, used = 0;

	for_each_possible_cpu(cpu)
		used += sysfs_emit_at(page, used, "%d %lu\n", cpu, per_cpu(arrived, cpu));
	return used;
}

static const struct kernel_param_ops send_ops = { .set = send };
module_param_cb(send, &send_ops, NULL, 0200);
MODULE_PARM_DESC(send, "CPU COUNT: sends them");

static const struct kernel_param_ops counts_ops = { .get = show_counts };
module_param_cb(counts, &counts_ops, NULL, 0400);
MODULE_PARM_DESC(counts, "how many each CPU had");

static int __init source_init(void)
{
	return register_nmi_handler(NMI_LOCAL, handle, 0, KBUILD_MODNAME);
}
module_init(source_init);

static void __exit source_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME);
}
module_exit(source_exit);

MODULE_DESCRIPTION("Sends non-maskable interrupts, and counts them");
MODULE_LICENSE("GPL");
