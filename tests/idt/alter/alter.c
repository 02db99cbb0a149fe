// SPDX-License-Identifier: GPL-2.0
/*
 * Gives one processor another IDTR, to test that trapscope notices. Taking the
 * module away puts back what was.
 *
 *   insmod idt_alter.ko cpu=1 vector=14 change=handler
 *
 * base=copy: a table of its own, equal to the kernel's but for what change= says;
 * base=alias: the kernel's table by its address in the direct map; base=same.
 * base=remap: such a table of its own at the kernel's address, for all processors.
 * base=kernel: the kernel's table itself is changed, for all processors.
 * base=same targets=ADDRESS: what changes is where trapscope's stubs go on to, by the
 * address of trapscope_stub_targets.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/cpu_entry_area.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/pgtable.h>

static int cpu;
module_param(cpu, int, 0400);
MODULE_PARM_DESC(cpu, "processor");

static char *base = "copy";
module_param(base, charp, 0400);
MODULE_PARM_DESC(base, "copy, alias, remap, kernel or same");

static int vector = 14;
module_param(vector, int, 0400);
MODULE_PARM_DESC(vector, "gate that is changed");

static char *change = "none";
module_param(change, charp, 0400);
MODULE_PARM_DESC(change, "handler, neighbour, type, dpl, present, ist, selector, reserved, empty or none");

static int limit;
module_param(limit, int, 0400);
MODULE_PARM_DESC(limit, "limit of the IDTR; 0 leaves it as it is");

static unsigned long targets;
module_param(targets, ulong, 0400);
MODULE_PARM_DESC(targets, "handlers that are called by the gates' stubs; 0: none");

/* The handler, and where it goes on. */
void altered(void);
unsigned long altered_next;

static struct desc_ptr before, after;
static gate_desc *copy, *own, kept;
static pte_t *entry, mapped;

static void read_idtr(void *unused)
{
	store_idt(&before);
}

static void load_idtr(void *dtr)
{
	native_load_idt(dtr);
}

/* Unless somebody did so already: what was there before may be gone by now. */
static void put_back(void *unused)
{
	struct desc_ptr now;

	store_idt(&now);
	if (now.address == after.address && now.size == after.size)
		native_load_idt(&before);
}

/* Only what does no harm if the vector comes, or for one that never does. */
static int alter(gate_desc *gate)
{
	if (!strcmp(change, "none"))
		return 0;

	if (!strcmp(change, "handler")) {
		unsigned long address = (unsigned long)altered;

		altered_next = gate_offset(gate);
		gate->offset_low = (u16)address;
		gate->offset_middle = (u16)(address >> 16);
		gate->offset_high = (u32)(address >> 32);
	} else if (!strcmp(change, "neighbour") && vector + 1 < IDT_ENTRIES) {
		gate->offset_low = gate[1].offset_low;
		gate->offset_middle = gate[1].offset_middle;
		gate->offset_high = gate[1].offset_high;
	} else if (!strcmp(change, "type")) {
		gate->bits.type = GATE_TRAP;
	} else if (!strcmp(change, "dpl")) {
		gate->bits.dpl = 3;
	} else if (!strcmp(change, "present")) {
		gate->bits.p = 0;
	} else if (!strcmp(change, "ist")) {
		gate->bits.ist = 1;
	} else if (!strcmp(change, "selector")) {
		gate->segment = __KERNEL_DS;
	} else if (!strcmp(change, "reserved")) {
		gate->reserved = 0x12345678;
		gate->bits.zero = 0x15;
	} else if (!strcmp(change, "empty")) {
		memset(gate, 0, sizeof(*gate));
	} else {
		pr_err("change=%s: give one that modinfo lists\n", change);
		return -EINVAL;
	}
	return 0;
}

static int make_copy(unsigned long from)
{
	int ret;

	copy = vzalloc(PAGE_SIZE);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, (void *)from, min_t(size_t, before.size + 1, PAGE_SIZE));
	ret = alter(&copy[vector]);
	if (ret) {
		vfree(copy);
		copy = NULL;
	}
	return ret;
}

static void forget(void *unused)
{
	asm volatile("invlpg (%0)" : : "r" (CPU_ENTRY_AREA_RO_IDT) : "memory");
}

/* The entry is one of a page, so that no other address is touched. */
static int remap(void)
{
	unsigned int level;
	int ret = make_copy(CPU_ENTRY_AREA_RO_IDT);

	if (ret)
		return ret;
	entry = lookup_address(CPU_ENTRY_AREA_RO_IDT, &level);
	mapped = *entry;
	WRITE_ONCE(*entry, pfn_pte(vmalloc_to_pfn(copy), PAGE_KERNEL));
	on_each_cpu(forget, NULL, 1);
	return 0;
}

/* Byte by byte: for a vector that does not come meanwhile. */
static int change_kernels(void)
{
	phys_addr_t where = slow_virt_to_phys((void *)CPU_ENTRY_AREA_RO_IDT);
	struct page *page = pfn_to_page(PHYS_PFN(where));
	int ret;

	own = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	if (!own)
		return -ENOMEM;
	kept = own[vector];
	ret = alter(&own[vector]);
	if (ret)
		vunmap(own);
	return ret;
}

static void change_target(void)
{
	unsigned long *target = (unsigned long *)targets + vector;

	altered_next = READ_ONCE(*target);
	WRITE_ONCE(*target, (unsigned long)altered);
}

static int choose_base(void)
{
	if (!strcmp(base, "copy")) {
		int ret = make_copy(before.address);

		if (ret)
			return ret;
		after.address = (unsigned long)copy;
	} else if (!strcmp(base, "remap")) {
		return remap();
	} else if (!strcmp(base, "kernel")) {
		return change_kernels();
	} else if (!strcmp(base, "alias")) {
		after.address = (unsigned long)__va(slow_virt_to_phys((void *)before.address));
	} else if (strcmp(base, "same")) {
		pr_err("base=%s: give copy, alias, remap, kernel or same\n", base);
		return -EINVAL;
	}
	return 0;
}

static int __init alter_init(void)
{
	int ret;

	/* The copy is not in the page tables of user mode: no fault would get in. */
	if (cpu_feature_enabled(X86_FEATURE_PTI) || cpu_feature_enabled(X86_FEATURE_XENPV) ||
	    cpu_feature_enabled(X86_FEATURE_FRED)) {
		pr_err("page-table isolation, Xen PV or FRED is on: boot with CPU=EPYC or pti=off\n");
		return -EOPNOTSUPP;
	}
	if (vector < 0 || vector >= IDT_ENTRIES || limit < 0 || limit > U16_MAX) {
		pr_err("vector=%d limit=%d: give a vector to 255 and a limit to 65535\n", vector, limit);
		return -EINVAL;
	}

	cpus_read_lock();
	ret = smp_call_function_single(cpu, read_idtr, NULL, 1);
	if (ret) {
		pr_err("cpu=%d: give one that is online\n", cpu);
		goto unlock;
	}
	after = before;
	ret = choose_base();
	if (ret)
		goto unlock;
	if (limit)
		after.size = limit;
	smp_call_function_single(cpu, load_idtr, &after, 1);
	if (targets)
		change_target();
unlock:
	cpus_read_unlock();
	return ret;
}
module_init(alter_init);

static void __exit alter_exit(void)
{
	/*
	 * A processor that went off meanwhile came back with the kernel's IDTR. One
	 * that answers is not inside altered(), which runs with interrupts off.
	 */
	smp_call_function_single(cpu, put_back, NULL, 1);
	if (entry) {
		WRITE_ONCE(*entry, mapped);
		on_each_cpu(forget, NULL, 1);
	}
	if (own) {
		own[vector] = kept;
		vunmap(own);
	}
	if (targets) {
		WRITE_ONCE(*((unsigned long *)targets + vector), altered_next);
		kick_all_cpus_sync();
	}
	vfree(copy);
}
module_exit(alter_exit);

MODULE_DESCRIPTION("Alters the interrupt descriptor table of one processor");
MODULE_LICENSE("GPL");
