// SPDX-License-Identifier: GPL-2.0
/*
 * Loses memory of each kind that trapscope takes, to test that kmemleak notices. Each
 * piece begins with what kind it is.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

/*
 * Some seem in use: a word equal to the address may be left on a stack, or in memory that
 * was not cleared.
 */
#define PIECES	32
#define SIZE	200

static int __init lose_pieces(void)
{
	char *slab = kmalloc(SIZE, GFP_KERNEL);
	char *area = vmalloc(SIZE);
	char __percpu *each = __alloc_percpu(SIZE, sizeof(long));
	int cpu;

	if (!slab || !area || !each) {
		kfree(slab);
		vfree(area);
		free_percpu(each);
		return -ENOMEM;
	}
	strscpy(slab, "lost: slab", SIZE);
	strscpy(area, "lost: vmalloc", SIZE);
	for_each_possible_cpu(cpu)
		strscpy(per_cpu_ptr(each, cpu), "lost: percpu", SIZE);
	return 0;
}

static int __init leak_init(void)
{
	for (int i = 0; i < PIECES; i++) {
		int ret = lose_pieces();

		if (ret)
			return ret;
	}
	return 0;
}
module_init(leak_init);

static void __exit leak_exit(void)
{
}
module_exit(leak_exit);

MODULE_DESCRIPTION("Loses memory, for a test of kmemleak");
MODULE_LICENSE("GPL");
