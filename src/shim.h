/* SPDX-License-Identifier: GPL-2.0 */
/* What the Rust side needs of the kernel that is inline or a macro in C. */
#ifndef TRAPSCOPE_SHIM_H
#define TRAPSCOPE_SHIM_H

#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "vector_stubs.h"

struct file;
struct inode;
struct mm_struct;
struct notifier_block;
struct seq_file;
struct tracepoint;
struct vm_area_struct;

/* Who owns an address space. */
struct trapscope_owner {
	u64 start_time;
	s32 tgid;
	char comm[TASK_COMM_LEN];
};

/* Two tasks never have both in common. */
struct trapscope_task {
	u64 address;
	u64 start_time;
};

/* A task that had to wait. */
struct trapscope_sleeper {
	/* Of the instruction of user mode that it came from; 0 for a kernel thread. */
	u64 instruction;
	s32 tgid;
	s32 tid;
	char comm[TASK_COMM_LEN];
};

/* What names a mapping: enough to tell whether two have the same name. */
struct trapscope_backing {
	u64 pgoff;
	u64 inode;
	u64 name[3];
	u32 dev;
	u8 kind;
};

enum trapscope_backing_kind {
	TRAPSCOPE_ANON,
	TRAPSCOPE_HEAP,
	TRAPSCOPE_STACK,
	TRAPSCOPE_NAMED,
};

/* VM_GROWSDOWN, which bindgen does not see. */
static const u32 TRAPSCOPE_VM_GROWSDOWN = 1U << 8;

/* What sprint_symbol() may write. */
static const u32 TRAPSCOPE_SYMBOL_LEN = KSYM_SYMBOL_LEN;

/* What the event of a fault says of its begin, and of its mapping. */
struct trapscope_fault_begin {
	u64 ip;
	u64 vma_start;
	u64 vma_end;
	u64 ino;
	/* FAULT_FLAG_* */
	u32 flags;
	/* As the kernel has it: MAJOR(), MINOR(). */
	u32 dev;
	s32 tgid;
	/* Attempts that ended in VM_FAULT_RETRY. */
	u16 retries;
	/* The lowest of VM_*. */
	u8 vm_flags;
};

/* What the event of a fault says. */
struct trapscope_fault {
	struct trapscope_fault_begin begin;
	u64 address;
	u64 latency_ns;
	/* VM_FAULT_* */
	u32 result;
	u8 class;
	bool major;
};

/* A kretprobe, and a counter for each CPU of the calls that its handler did not get. */
struct trapscope_kretprobe {
	struct kretprobe probe;
	u64 __percpu *missed;
};

/* Bits of trapscope_vma_traits(): those of VmaTraits in decode/classify.rs. */
enum trapscope_vma_trait {
	TRAPSCOPE_VMA_ANONYMOUS		= 1 << 0,
	TRAPSCOPE_VMA_SHARED		= 1 << 1,
	TRAPSCOPE_VMA_WRITE_SHARED	= 1 << 2,
	TRAPSCOPE_VMA_COW		= 1 << 3,
	TRAPSCOPE_VMA_HUGETLB		= 1 << 4,
	TRAPSCOPE_VMA_SPECIAL		= 1 << 5,
	TRAPSCOPE_VMA_SHMEM		= 1 << 6,
	TRAPSCOPE_VMA_ACCESSIBLE	= 1 << 7,
	TRAPSCOPE_VMA_UFFD_MISSING	= 1 << 8,
	TRAPSCOPE_VMA_UFFD_WP		= 1 << 9,
	TRAPSCOPE_VMA_UFFD_MINOR	= 1 << 10,
	TRAPSCOPE_VMA_UFFD_RWP		= 1 << 11,
};

/* Where things are in the kernel's half of the address space. */
struct trapscope_layout {
	u64 page_offset, direct_map_end;
	u64 vmalloc_start, vmalloc_end;
	u64 vmemmap_start, vmemmap_end;
	u64 cpu_entry_start, cpu_entry_end;
	u64 image_start, image_end;
	u64 modules_start, modules_end;
	u64 task_size_max;
};

/* What the format of page table entries depends on. */
struct trapscope_pte_format {
	u64 pfn_mask;
	u64 zero_pfn;
	u64 page_offset;
	bool shadow_stack;
	bool five_levels;
	/* Xen PV has its own numbers of page frames in the tables. */
	bool foreign;
};

/* What a CPU says of its descriptor table. */
struct trapscope_idtr {
	u64 base;
	u16 limit;
	/* The CPU has VMX: VM exits may have left a limit of 0xffff. */
	bool vmx;
	/* CR4.VMXE: VM exits may come, and load the base that KVM knows. */
	bool vmx_on;
	/* A KVM guest whose async page faults come as interrupts. */
	bool async_pf;
};

/* What KVM offers to its guest. */
struct trapscope_kvm {
	/* KVM_FEATURE_*, as a mask. */
	u32 features;
	bool guest;
};

/* MSRs of a CPU in a KVM guest. */
struct trapscope_async_pf {
	u64 enabled;
	u64 interrupt;
};

unsigned long trapscope_irq_save(void);
void trapscope_irq_restore(unsigned long flags);
u16 trapscope_vma_traits(struct vm_area_struct *vma);
struct vm_area_struct *trapscope_other_in(struct vm_area_struct *vma,
					  unsigned long start, unsigned long end);
bool trapscope_copy_keeps_source(struct pt_regs *regs);
bool trapscope_in_page_cache(struct vm_area_struct *vma, unsigned long address);
void trapscope_vma_backing(struct vm_area_struct *vma,
			   struct trapscope_backing *out);
void trapscope_vma_tell(struct vm_area_struct *vma,
			struct trapscope_fault_begin *out);
int trapscope_vma_name(struct vm_area_struct *vma, char *buf, int size);
bool trapscope_mm_owner(struct mm_struct *mm, struct trapscope_owner *out);
bool trapscope_process_owner(s32 pid, struct trapscope_owner *out);
void trapscope_current_owner(struct trapscope_owner *out);
struct trapscope_task trapscope_current(void);
void trapscope_current_sleeper(struct trapscope_sleeper *out);
void *trapscope_inode_private(struct inode *inode);
void *trapscope_seq_private(struct seq_file *seq);
void *trapscope_open_private(struct file *file);
int trapscope_seq_open(struct file *file, const struct seq_operations *operations,
		       void *data, size_t size);
unsigned long trapscope_copy_from_user(void *to, const void __user *from,
				       unsigned long size);
bool trapscope_current_in_exec(void);
bool trapscope_faults_disabled(void);
bool trapscope_fault_signal_pending(bool user_mode);
void trapscope_layout(struct trapscope_layout *out);
void trapscope_pte_format(struct trapscope_pte_format *out);
void __percpu *trapscope_alloc_percpu(size_t size);
u64 *trapscope_per_cpu_u64(void __percpu *base, unsigned int cpu);
u64 trapscope_read_between_handlers(u64 __percpu *counter, unsigned int cpu);
int trapscope_next_cpu(int cpu);
const char *trapscope_tracepoint_name(struct tracepoint *tp);
void trapscope_tracepoint_sync(void);
const char *trapscope_kernel_release(void);
unsigned int trapscope_tsc_khz(void);
u64 trapscope_available_memory(void);
unsigned int trapscope_possible_cpus(void);
void trapscope_read_own_idtr(struct trapscope_idtr *out);
int trapscope_read_idtr(unsigned int cpu, struct trapscope_idtr *out);
u64 trapscope_find_page(unsigned long address);
bool trapscope_fred(void);
bool trapscope_xen_pv(void);
bool trapscope_page_table_isolation(void);
bool trapscope_addresses_hidden(void);
void *trapscope_alloc_read_only(unsigned int count, void **writable);
void trapscope_free_read_only(void *alias, void *writable, unsigned int count);
int trapscope_setup_cpus(int (*online)(unsigned int cpu),
			 int (*offline)(unsigned int cpu));
const char *trapscope_module_name(void *module);
int trapscope_register_sleep(struct notifier_block *block);
void trapscope_unregister_sleep(struct notifier_block *block);
bool trapscope_is_before_sleep(unsigned long news);
bool trapscope_tracepoint_on(struct tracepoint *tp);
unsigned int trapscope_this_cpu(void);
void trapscope_kvm(struct trapscope_kvm *out);
int trapscope_async_pf(unsigned int cpu, struct trapscope_async_pf *out);
u64 trapscope_async_pf_area(void);
u32 trapscope_async_pf_token(u64 area);
int trapscope_register_kprobe(struct kprobe *probe);
void trapscope_unregister_kprobe(struct kprobe *probe);
int trapscope_register_kretprobe(struct trapscope_kretprobe *probe);
void trapscope_unregister_kretprobe(struct trapscope_kretprobe *probe);
int trapscope_trace_function(struct ftrace_ops *ops, ftrace_func_t func,
			     const char *name);
void trapscope_untrace_function(struct ftrace_ops *ops);

/* Of vector_stubs.S. */
extern const char trapscope_stubs[];
extern u64 trapscope_stub_counts[];
extern u64 trapscope_stub_targets[];

#endif
