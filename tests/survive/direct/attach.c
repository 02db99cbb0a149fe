// SPDX-License-Identifier: GPL-2.0
/*
 * Gets into handle_mm_fault() by the other means that the kernel has for that, and counts
 * the calls of one process, to test trapscope beside it.
 *
 *   insmod direct.ko kind=call pid=123
 *
 * kind=call: the function's head calls this module directly, as BPF programs have it.
 * kind=replace: another function runs in its place, as livepatch has it, and calls it.
 * kind=kprobe, kind=kretprobe: a probe at its entry, and one at its return too.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/ibt.h>

static char *kind = "call";
module_param(kind, charp, 0400);
MODULE_PARM_DESC(kind, "call, replace, kprobe or kretprobe");

static int pid;
module_param(pid, int, 0400);
MODULE_PARM_DESC(pid, "process whose calls are counted; it has one thread");

static unsigned long calls;
module_param(calls, ulong, 0400);
MODULE_PARM_DESC(calls, "what was counted");

static unsigned long returns;
module_param(returns, ulong, 0400);
MODULE_PARM_DESC(returns, "kind=replace or kretprobe: how many of the calls came back");

/* How many are in replacement(), and so in the module. */
static atomic_t inside = ATOMIC_INIT(0);

void direct_entry(void);
vm_fault_t direct_original(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags, struct pt_regs *regs);
void direct_seen(void);

notrace void direct_seen(void)
{
	if (task_tgid_nr(current) == pid)
		calls++;
}

static notrace vm_fault_t replacement(struct vm_area_struct *vma, unsigned long address,
				      unsigned int flags, struct pt_regs *regs)
{
	vm_fault_t ret;

	atomic_inc(&inside);
	direct_seen();
	ret = direct_original(vma, address, flags, regs);
	if (task_tgid_nr(current) == pid)
		returns++;
	atomic_dec(&inside);
	return ret;
}

static notrace void redirect(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)replacement);
}

/* Each has its own: the kernel writes into them what it made of the flags. */
static struct ftrace_ops call_ops;
static struct ftrace_ops replace_ops = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_DYNAMIC | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

static int probe_entered(struct kprobe *probe, struct pt_regs *regs)
{
	direct_seen();
	return 0;
}
NOKPROBE_SYMBOL(probe_entered);

static int call_entered(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	direct_seen();
	return 0;
}
NOKPROBE_SYMBOL(call_entered);

static int call_returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (task_tgid_nr(current) == pid)
		returns++;
	return 0;
}
NOKPROBE_SYMBOL(call_returned);

static struct kprobe kprobe = {
	.symbol_name = "handle_mm_fault",
	.pre_handler = probe_entered,
};
static struct kretprobe kretprobe = {
	.kp.symbol_name = "handle_mm_fault",
	.entry_handler = call_entered,
	.handler = call_returned,
	.maxactive = 256,
};

static int attach(struct ftrace_ops *ops, int (*attach_ops)(struct ftrace_ops *ops))
{
	unsigned long head = (unsigned long)handle_mm_fault + ENDBR_INSN_SIZE;
	int ret;

	/* Not just the symbol: direct_original() has to know how long the head is. */
	ret = ftrace_set_filter_ip(ops, head, 0, 0);
	if (!ret)
		ret = attach_ops(ops);
	if (ret)
		ftrace_free_filter(ops);
	return ret;
}

static int attach_call(struct ftrace_ops *ops)
{
	return register_ftrace_direct(ops, (unsigned long)direct_entry);
}

static int __init direct_init(void)
{
	if (!strcmp(kind, "call"))
		return attach(&call_ops, attach_call);
	if (!strcmp(kind, "replace"))
		return attach(&replace_ops, register_ftrace_function);
	if (!strcmp(kind, "kprobe"))
		return register_kprobe(&kprobe);
	if (!strcmp(kind, "kretprobe"))
		return register_kretprobe(&kretprobe);
	pr_err("kind=%s: give call, replace, kprobe or kretprobe\n", kind);
	return -EINVAL;
}
module_init(direct_init);

static void __exit direct_exit(void)
{
	if (!strcmp(kind, "kprobe")) {
		unregister_kprobe(&kprobe);
		return;
	}
	if (!strcmp(kind, "kretprobe")) {
		unregister_kretprobe(&kretprobe);
		return;
	}
	if (!strcmp(kind, "replace")) {
		unregister_ftrace_function(&replace_ops);
		ftrace_free_filter(&replace_ops);
	} else {
		unregister_ftrace_direct(&call_ops, (unsigned long)direct_entry, true);
	}
	/* Those on the way in, then those who sleep in the function, then on the way out. */
	synchronize_rcu_tasks();
	while (atomic_read(&inside))
		msleep(20);
	synchronize_rcu_tasks();
}
module_exit(direct_exit);

MODULE_DESCRIPTION("Counts calls of handle_mm_fault() by a direct call, a probe or in its place");
MODULE_LICENSE("GPL");
