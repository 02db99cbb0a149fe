// SPDX-License-Identifier: GPL-2.0
/*
 * What a hook on handle_mm_fault() costs before it does anything: empty handlers,
 * with the data that trapscope keeps per call. For bench/ only.
 */
#include <linux/fprobe.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>

#define FUNCTION	"handle_mm_fault"
#define DATA		64

static char *kind = "kretprobe";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "kprobe, kretprobe or fprobe");

static int before(struct kprobe *probe, struct pt_regs *regs)
{
	return 0;
}

static struct kprobe entry = {
	.symbol_name = FUNCTION,
	.pre_handler = before,
};

static int enter(struct kretprobe_instance *call, struct pt_regs *regs)
{
	return 0;
}

static int leave(struct kretprobe_instance *call, struct pt_regs *regs)
{
	return 0;
}

/* As many calls at a time as trapscope provides for. */
static struct kretprobe pair = {
	.kp.symbol_name = FUNCTION,
	.entry_handler = enter,
	.handler = leave,
	.data_size = DATA,
	.maxactive = 4096,
};

static int frame_enter(struct fprobe *probe, unsigned long ip,
		       unsigned long back, struct ftrace_regs *regs, void *data)
{
	return 0;
}

static void frame_leave(struct fprobe *probe, unsigned long ip,
			unsigned long back, struct ftrace_regs *regs, void *data)
{
}

static struct fprobe frame = {
	.entry_handler = frame_enter,
	.exit_handler = frame_leave,
	.entry_data_size = DATA,
};

static int __init floor_init(void)
{
	if (!strcmp(kind, "kprobe"))
		return register_kprobe(&entry);
	if (!strcmp(kind, "kretprobe"))
		return register_kretprobe(&pair);
	if (!strcmp(kind, "fprobe"))
		return register_fprobe(&frame, FUNCTION, NULL);
	pr_err("floor: kind=%s is unknown; give kprobe, kretprobe or fprobe\n", kind);
	return -EINVAL;
}

static void __exit floor_exit(void)
{
	if (!strcmp(kind, "kprobe"))
		unregister_kprobe(&entry);
	else if (!strcmp(kind, "kretprobe"))
		unregister_kretprobe(&pair);
	else
		unregister_fprobe(&frame);
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Empty hooks on handle_mm_fault(), to measure what they cost");
