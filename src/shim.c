// SPDX-License-Identifier: GPL-2.0
/*
 * What the Rust side needs of the kernel that is inline or a macro in C.
 *
 * No decisions here: each function hands over facts, Rust says what they mean.
 */

#include <linux/capability.h>
#include <linux/cpuhotplug.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/hugetlb.h>
#include <linux/kvm_para.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/sprintf.h>
#include <linux/static_call.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>
#include <asm/cpu_entry_area.h>
#include <asm/cpuid/api.h>
#include <asm/desc.h>
#include <asm/mem_encrypt.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <asm/tsc.h>

#include "shim.h"

unsigned long trapscope_irq_save(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void trapscope_irq_restore(unsigned long flags)
{
	local_irq_restore(flags);
}

static bool vma_is_driver_mapping(struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO))
		return true;
	if (!vma->vm_file)
		return true;
	return S_ISCHR(file_inode(vma->vm_file)->i_mode);
}

/* The caller holds the lock of the VMA or of its mm. */
u16 trapscope_vma_traits(struct vm_area_struct *vma)
{
	const vm_flags_t flags = vma->vm_flags;
	u16 traits = 0;

	if (flags & VM_ACCESS_FLAGS)
		traits |= TRAPSCOPE_VMA_ACCESSIBLE;
	if (flags & (VM_SHARED | VM_MAYSHARE))
		traits |= TRAPSCOPE_VMA_SHARED;
	if (flags & VM_SHARED)
		traits |= TRAPSCOPE_VMA_WRITE_SHARED;
	else if (flags & VM_MAYWRITE)
		traits |= TRAPSCOPE_VMA_COW;
	if (userfaultfd_armed(vma)) {
		if (userfaultfd_missing(vma))
			traits |= TRAPSCOPE_VMA_UFFD_MISSING;
		if (userfaultfd_wp(vma))
			traits |= TRAPSCOPE_VMA_UFFD_WP;
		if (userfaultfd_minor(vma))
			traits |= TRAPSCOPE_VMA_UFFD_MINOR;
		if (userfaultfd_rwp(vma))
			traits |= TRAPSCOPE_VMA_UFFD_RWP;
	}
	if (vma_is_anonymous(vma))
		traits |= TRAPSCOPE_VMA_ANONYMOUS;
	else if (is_vm_hugetlb_page(vma))
		traits |= TRAPSCOPE_VMA_HUGETLB;
	else if (vma_is_driver_mapping(vma))
		traits |= TRAPSCOPE_VMA_SPECIAL;
	else if (shmem_mapping(vma->vm_file->f_mapping))
		traits |= TRAPSCOPE_VMA_SHMEM;
	return traits;
}

/* What it returns stays a VMA as long as preemption is off. */
struct vm_area_struct *trapscope_other_in(struct vm_area_struct *vma,
					  unsigned long start, unsigned long end)
{
	struct mm_struct *mm = vma->vm_mm;
	void *entry;

	if (!atomic_read(&mm->mm_users))
		return NULL;
	do {
		entry = mt_find(&mm->mm_mt, &start, end - 1);
	} while (entry == vma);
	return entry;
}

/* copy_vma()'s last argument: a bool, of which the other bytes may be anything. */
bool trapscope_copy_keeps_source(struct pt_regs *regs)
{
	return (u8)regs_get_kernel_argument(regs, 6);
}

/*
 * A shmem page that is swapped out counts as there: see shmem_get_folio_gfp().
 * The caller holds the lock of the VMA or of its mm.
 */
bool trapscope_in_page_cache(struct vm_area_struct *vma, unsigned long address)
{
	struct address_space *mapping;
	pgoff_t index;

	if (!vma->vm_file)
		return false;
	mapping = vma->vm_file->f_mapping;
	index = linear_page_index(vma, address);
	if (is_vm_hugetlb_page(vma))
		index &= ~(pages_per_huge_page(hstate_vma(vma)) - 1UL);
	return xa_load(&mapping->i_pages, index);
}

/* What d_path() would print, without printing it. */
static void path_identity(const struct path *path, u64 name[3])
{
	const struct dentry *dentry = path->dentry;
	const struct dentry *parent = READ_ONCE(dentry->d_parent);

	name[0] = (unsigned long)dentry | d_unhashed(dentry);
	name[1] = dentry->d_name.hash_len ^ rol64(d_inode(dentry)->i_ino, 32);
	name[2] = (unsigned long)path->mnt ^ rol64(parent->d_name.hash_len, 16);
}

static_assert(VM_GROWSDOWN == TRAPSCOPE_VM_GROWSDOWN);

/* anon_vma_name() is not exported. */
static struct anon_vma_name *vma_anon_name(struct vm_area_struct *vma)
{
#ifdef CONFIG_ANON_VMA_NAME
	return vma->anon_name;
#else
	return NULL;
#endif
}

static const char *special_name(struct vm_area_struct *vma)
{
	const char *name = NULL;

	if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	return name;
}

/*
 * The rules of get_vma_name() in fs/proc/task_mmu.c. The caller holds the lock
 * of the VMA or of its mm.
 */
void trapscope_vma_backing(struct vm_area_struct *vma,
			   struct trapscope_backing *out)
{
	struct anon_vma_name *anon = vma_anon_name(vma);
	const char *name;

	memset(out, 0, sizeof(*out));
	if (vma->vm_file) {
		const struct inode *inode = file_user_inode(vma->vm_file);

		out->dev = new_encode_dev(inode->i_sb->s_dev);
		out->inode = inode->i_ino;
		out->pgoff = vma->vm_pgoff;
	}
	out->kind = TRAPSCOPE_NAMED;
	if (anon) {
		/* Two live names never share an address. */
		out->name[0] = (unsigned long)anon;
		out->name[1] = full_name_hash(NULL, anon->name,
					      strlen(anon->name));
		out->name[2] = vma->vm_file ? 1 : 2;
	} else if (vma->vm_file) {
		path_identity(file_user_path(vma->vm_file), out->name);
	} else if ((name = special_name(vma))) {
		out->name[0] = (unsigned long)name;
	} else if (vma_is_initial_heap(vma)) {
		out->kind = TRAPSCOPE_HEAP;
	} else if (vma_is_initial_stack(vma)) {
		out->kind = TRAPSCOPE_STACK;
	} else {
		out->kind = TRAPSCOPE_ANON;
	}
}

/* The caller holds the lock of the VMA or of its mm. */
void trapscope_vma_tell(struct vm_area_struct *vma,
			struct trapscope_fault_begin *out)
{
	struct trapscope_owner owner;

	out->vma_start = vma->vm_start;
	out->vma_end = vma->vm_end;
	out->vm_flags = vma->vm_flags;
	if (vma->vm_file) {
		const struct inode *inode = file_user_inode(vma->vm_file);

		out->dev = inode->i_sb->s_dev;
		out->ino = inode->i_ino;
	}
	if (trapscope_mm_owner(vma->vm_mm, &owner))
		out->tgid = owner.tgid;
}

/*
 * Writes the name into the buffer, and returns its length. A path that does
 * not fit is shortened to its last component, after ".../".
 *
 * d_path() takes no lock, unless a rename or a mount is under way at the same
 * moment. The caller holds the lock of the VMA or of its mm.
 */
int trapscope_vma_name(struct vm_area_struct *vma, char *buf, int size)
{
	struct anon_vma_name *anon = vma_anon_name(vma);
	const char *name;
	char *path;

	if (anon)
		return scnprintf(buf, size, vma->vm_file ?
				 "[anon_shmem:%s]" : "[anon:%s]", anon->name);
	if (!vma->vm_file) {
		name = special_name(vma);
		return name ? scnprintf(buf, size, "%s", name) : 0;
	}
	/* d_path() asks for the root of the task, which an exiting one lost. */
	path = current->fs ? d_path(file_user_path(vma->vm_file), buf, size) :
			     ERR_PTR(-ESRCH);
	if (IS_ERR(path))
		return scnprintf(buf, size, ".../%pd",
				 file_user_path(vma->vm_file)->dentry);
	memmove(buf, path, strlen(path) + 1);
	return strlen(buf);
}

static void describe(struct task_struct *leader, struct trapscope_owner *out)
{
	out->tgid = leader->tgid;
	out->start_time = leader->start_boottime;
	memcpy(out->comm, leader->comm, sizeof(out->comm));
}

void trapscope_current_owner(struct trapscope_owner *out)
{
	rcu_read_lock();
	describe(READ_ONCE(current->group_leader), out);
	rcu_read_unlock();
}

bool trapscope_process_owner(s32 pid, struct trapscope_owner *out)
{
	struct task_struct *leader;

	rcu_read_lock();
	leader = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_TGID);
	if (leader)
		describe(leader, out);
	rcu_read_unlock();
	return leader;
}

bool trapscope_mm_owner(struct mm_struct *mm, struct trapscope_owner *out)
{
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(mm->owner);
	if (!task && current->mm == mm)
		task = current;
	if (task)
		describe(READ_ONCE(task->group_leader), out);
	rcu_read_unlock();
	return task;
}

struct trapscope_task trapscope_current(void)
{
	return (struct trapscope_task) {
		.address = (unsigned long)current,
		.start_time = current->start_boottime,
	};
}

void trapscope_current_sleeper(struct trapscope_sleeper *out)
{
	out->instruction = current->mm ? task_pt_regs(current)->ip : 0;
	out->tgid = current->tgid;
	out->tid = current->pid;
	memcpy(out->comm, current->comm, sizeof(out->comm));
}

bool trapscope_current_in_exec(void)
{
	return current->in_execve;
}

bool trapscope_faults_disabled(void)
{
	return faulthandler_disabled() || !current->mm;
}

bool trapscope_fault_signal_pending(bool user_mode)
{
	return fatal_signal_pending(current) ||
	       (user_mode && signal_pending(current));
}

void trapscope_layout(struct trapscope_layout *out)
{
	out->page_offset = PAGE_OFFSET;
	out->direct_map_end = (unsigned long)high_memory;
	out->vmalloc_start = VMALLOC_START;
	out->vmalloc_end = VMALLOC_END + 1;
	out->vmemmap_start = VMEMMAP_START;
	out->vmemmap_end = (unsigned long)(vmemmap +
			   PHYS_PFN(__pa((unsigned long)high_memory - 1)) + 1);
	out->cpu_entry_start = CPU_ENTRY_AREA_BASE;
	out->cpu_entry_end = CPU_ENTRY_AREA_BASE + CPU_ENTRY_AREA_MAP_SIZE;
	out->image_start = __START_KERNEL_map;
	out->image_end = MODULES_VADDR;
	out->modules_start = MODULES_VADDR;
	out->modules_end = MODULES_END;
	out->task_size_max = TASK_SIZE_MAX;
}

void trapscope_pte_format(struct trapscope_pte_format *out)
{
	out->pfn_mask = PTE_PFN_MASK & ~sme_me_mask;
	out->zero_pfn = zero_pfn(0);
	out->page_offset = PAGE_OFFSET;
	out->five_levels = pgtable_l5_enabled();
	out->foreign = cpu_feature_enabled(X86_FEATURE_XENPV);
	out->shadow_stack = cpu_feature_enabled(X86_FEATURE_USER_SHSTK);
}

void __percpu *trapscope_alloc_percpu(size_t size)
{
	return __alloc_percpu(size, sizeof(u64));
}

u64 *trapscope_per_cpu_u64(void __percpu *base, unsigned int cpu)
{
	return per_cpu_ptr((u64 __percpu *)base, cpu);
}

struct reading {
	u64 __percpu *counter;
	u64 value;
};

static int read_here(void *data)
{
	struct reading *reading = data;

	reading->value = this_cpu_read(*reading->counter);
	return 0;
}

/*
 * A counter of that CPU, read by a task on it: no handler that runs with preemption off
 * is halfway through there. Sleeps.
 */
u64 trapscope_read_between_handlers(u64 __percpu *counter, unsigned int cpu)
{
	struct reading reading = { .counter = counter };

	cpus_read_lock();
	/* Nothing runs on one that is offline. */
	if (smp_call_on_cpu(cpu, read_here, &reading, false))
		reading.value = *per_cpu_ptr(counter, cpu);
	cpus_read_unlock();
	return reading.value;
}

/* The possible CPU after @cpu, or -1; -1 begins. */
int trapscope_next_cpu(int cpu)
{
	cpu = cpumask_next(cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? cpu : -1;
}

const char *trapscope_tracepoint_name(struct tracepoint *tp)
{
	return tp->name;
}

void trapscope_tracepoint_sync(void)
{
	tracepoint_synchronize_unregister();
}

const char *trapscope_kernel_release(void)
{
	return init_utsname()->release;
}

void *trapscope_inode_private(struct inode *inode)
{
	return inode->i_private;
}

void *trapscope_seq_private(struct seq_file *seq)
{
	return seq->private;
}

/* For a file that trapscope_seq_open() has opened. */
void *trapscope_open_private(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

int trapscope_seq_open(struct file *file, const struct seq_operations *operations,
		       void *data, size_t size)
{
	char *buffer = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	struct seq_file *seq;
	int error;

	if (!buffer)
		return -ENOMEM;
	error = seq_open(file, operations);
	if (error) {
		kvfree(buffer);
		return error;
	}
	seq = file->private_data;
	seq->private = data;
	/* As single_open_size() does; seq_release() frees it. */
	seq->buf = buffer;
	seq->size = size;
	return 0;
}

unsigned long trapscope_copy_from_user(void *to, const void __user *from,
				       unsigned long size)
{
	return copy_from_user(to, from, size);
}

/* 0 if the TSC can't be relied on. */
unsigned int trapscope_tsc_khz(void)
{
	return check_tsc_unstable() ? 0 : tsc_khz;
}

u64 trapscope_available_memory(void)
{
	return (u64)si_mem_available() << PAGE_SHIFT;
}

unsigned int trapscope_possible_cpus(void)
{
	return num_possible_cpus();
}

void trapscope_kvm(struct trapscope_kvm *out)
{
	u32 base = 0;

	if (cpu_feature_enabled(X86_FEATURE_HYPERVISOR))
		base = cpuid_base_hypervisor(KVM_SIGNATURE, 0);
	out->guest = base;
	out->features = base ? cpuid_eax(base | KVM_CPUID_FEATURES) : 0;
}

/* Whether KVM can tell of async page faults, and this kernel takes them. */
static bool async_page_faults_offered(void)
{
	struct trapscope_kvm kvm;

	trapscope_kvm(&kvm);
	return kvm_para_available() &&
	       kvm.features & BIT(KVM_FEATURE_ASYNC_PF_INT);
}

/* Bits of this MSR: Documentation/virt/kvm/x86/msr.rst. */
static bool async_page_faults_on(void)
{
	const u64 on = KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_DELIVERY_AS_INT;
	u64 value;

	return !rdmsrq_safe(MSR_KVM_ASYNC_PF_EN, &value) && (value & on) == on;
}

/* On the CPU that runs it. */
void trapscope_read_own_idtr(struct trapscope_idtr *out)
{
	struct desc_ptr idtr;

	store_idt(&idtr);
	out->base = idtr.address;
	out->limit = idtr.size;
	out->vmx = cpu_feature_enabled(X86_FEATURE_VMX);
	out->vmx_on = __read_cr4() & X86_CR4_VMXE;
}

static void read_idtr(void *data)
{
	struct trapscope_idtr *out = data;

	trapscope_read_own_idtr(out);
	out->async_pf = out->async_pf && async_page_faults_on();
}

/*
 * -ENXIO if the CPU is offline. Under Xen PV nothing is read: the kernel may not
 * ask for the hypervisor's register.
 */
int trapscope_read_idtr(unsigned int cpu, struct trapscope_idtr *out)
{
	memset(out, 0, sizeof(*out));
	if (cpu_feature_enabled(X86_FEATURE_XENPV))
		return cpu_online(cpu) ? 0 : -ENXIO;
	out->async_pf = async_page_faults_offered();
	return smp_call_function_single(cpu, read_idtr, out, true);
}

/*
 * The frame that the page tables in use map at an address. An address may be any,
 * and its tables may go at any time (not every TLB flush waits for this CPU): each
 * entry is read so that a fault is no harm.
 */
static bool find_frame(unsigned long address, u64 *physical)
{
	unsigned int shift = P4D_SHIFT + (pgtable_l5_enabled() ? 18 : 9);
	u64 entry = read_cr3_pa(), mask;

	do {
		u64 *table = __va(entry & PTE_PFN_MASK & ~sme_me_mask);

		shift -= 9;
		if (get_kernel_nofault(entry, table + (address >> shift) % PTRS_PER_PTE))
			return false;
		if (!(entry & _PAGE_PRESENT))
			return false;
	} while (shift > PUD_SHIFT ||
		 (shift > PAGE_SHIFT && !(entry & _PAGE_PSE)));
	mask = ~((1UL << shift) - 1);
	*physical = (entry & PTE_PFN_MASK & ~sme_me_mask & mask) |
		    (address & ~mask & PAGE_MASK);
	return true;
}

/*
 * Where the page of an address lies in the kernel image or else in the direct
 * map; 0 if nothing is mapped.
 */
u64 trapscope_find_page(unsigned long address)
{
	unsigned long image;
	u64 physical, again;

	if (!find_frame(address, &physical))
		return 0;
	/* Only what the kernel kept of its image is mapped there. */
	image = physical - phys_base + __START_KERNEL_map;
	if (image >= __START_KERNEL_map && image < MODULES_VADDR &&
	    find_frame(image, &again) && again == physical)
		return image;
	return (unsigned long)__va(physical);
}

bool trapscope_fred(void)
{
	return cpu_feature_enabled(X86_FEATURE_FRED);
}

bool trapscope_xen_pv(void)
{
	return cpu_feature_enabled(X86_FEATURE_XENPV);
}

bool trapscope_page_table_isolation(void)
{
	return cpu_feature_enabled(X86_FEATURE_PTI);
}

/*
 * The rule of kallsyms_show_value(). kptr_restrict is not exported, but %pK
 * follows it: where it hides addresses it prints zeros.
 */
bool trapscope_addresses_hidden(void)
{
	char text[2 * sizeof(void *) + 1];

	if (!capable_noaudit(CAP_SYSLOG))
		return true;
	snprintf(text, sizeof(text), "%pK", (void *)PAGE_OFFSET);
	return strspn(text, "0") == strlen(text);
}

static void *map_read_only(char *writable, unsigned int count)
{
	struct page **pages = kmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	unsigned int i;
	void *alias;

	if (!pages)
		return NULL;
	for (i = 0; i < count; i++)
		pages[i] = virt_to_page(writable + i * PAGE_SIZE);
	alias = vmap(pages, count, VM_MAP, PAGE_KERNEL_RO);
	kfree(pages);
	return alias;
}

/* Zeroed pages at *writable, and an alias of them; NULL without memory. */
void *trapscope_alloc_read_only(unsigned int count, void **writable)
{
	const gfp_t how = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;
	void *alias;

	*writable = alloc_pages_exact(count * PAGE_SIZE, how);
	if (!*writable)
		return NULL;
	alias = map_read_only(*writable, count);
	if (!alias)
		free_pages_exact(*writable, count * PAGE_SIZE);
	return alias;
}

void trapscope_free_read_only(void *alias, void *writable, unsigned int count)
{
	vunmap(alias);
	free_pages_exact(writable, count * PAGE_SIZE);
}

/*
 * Calls @online on every CPU; the state to remove, or an errno. The caller has
 * the lock of CPU hotplug.
 */
int trapscope_setup_cpus(int (*online)(unsigned int cpu),
			 int (*offline)(unsigned int cpu))
{
	return cpuhp_setup_state_cpuslocked(CPUHP_AP_ONLINE_DYN,
					    "trapscope:trace_idt", online,
					    offline);
}

const char *trapscope_module_name(void *module)
{
	return ((struct module *)module)->name;
}

/* Inline where the kernel can't sleep. */
int trapscope_register_sleep(struct notifier_block *block)
{
	return register_pm_notifier(block);
}

void trapscope_unregister_sleep(struct notifier_block *block)
{
	unregister_pm_notifier(block);
}

/* Each of these is followed by one of PM_POST_*, also if the machine did not sleep. */
bool trapscope_is_before_sleep(unsigned long news)
{
	return news == PM_SUSPEND_PREPARE || news == PM_HIBERNATION_PREPARE ||
	       news == PM_RESTORE_PREPARE;
}

bool trapscope_tracepoint_on(struct tracepoint *tp)
{
	return static_key_enabled(&tp->key);
}

/* Preemption is off. */
unsigned int trapscope_this_cpu(void)
{
	return smp_processor_id();
}

/* The MSRs of a CPU; the errno if it is offline, or has no such MSR. Sleeps. */
int trapscope_async_pf(unsigned int cpu, struct trapscope_async_pf *out)
{
	int err;

	err = rdmsrq_safe_on_cpu(cpu, MSR_KVM_ASYNC_PF_EN, &out->enabled);
	if (err)
		return err;
	return rdmsrq_safe_on_cpu(cpu, MSR_KVM_ASYNC_PF_INT, &out->interrupt);
}

/*
 * Where this CPU and KVM share their words, which the kernel does not export; 0 if
 * they share none. The words are in the direct map, as all of the first chunk of
 * per-CPU memory is whose address KVM was told.
 */
u64 trapscope_async_pf_area(void)
{
	const u64 flags = GENMASK_ULL(5, 0);
	u64 value;

	if (rdmsrq_safe(MSR_KVM_ASYNC_PF_EN, &value))
		return 0;
	if (!(value & KVM_ASYNC_PF_ENABLED) || !pfn_valid(PHYS_PFN(value)))
		return 0;
	return (unsigned long)__va(value & ~flags);
}

/* For what trapscope_async_pf_area() returned, but 0. */
u32 trapscope_async_pf_token(u64 area)
{
	const struct kvm_vcpu_pv_apf_data *data = (void *)(unsigned long)area;

	return READ_ONCE(data->token);
}

/*
 * Whether a probe that was registered is there. Where ftrace could not be told of it,
 * register_kprobe() takes it out again and returns 0 all the same. Enabling one that is
 * there changes nothing. The reason is lost: memory was short, unless ftrace has warned.
 */
static int armed(struct kprobe *probe)
{
	return enable_kprobe(probe) ? -ENOMEM : 0;
}

/*
 * Before a probe is unregistered. Where memory is short to tell ftrace, the kernel warns,
 * and would keep a probe in its table that is freed next. One that is disabled it takes
 * out, and ftrace's calls find none there.
 */
static void disarm(struct kprobe *probe)
{
	if (disable_kprobe(probe))
		probe->flags |= KPROBE_FLAG_DISABLED;
}

/* The errno of register_kprobe(), or -ENOMEM. Sleeps. */
int trapscope_register_kprobe(struct kprobe *probe)
{
	int err = register_kprobe(probe);

	if (err)
		return err;
	err = armed(probe);
	if (err)
		trapscope_unregister_kprobe(probe);
	return err;
}

/* Waits for handlers that run. Sleeps. */
void trapscope_unregister_kprobe(struct kprobe *probe)
{
	disarm(probe);
	unregister_kprobe(probe);
}

/* The kernel's handler of kretprobes, which is not exported. */
DEFINE_STATIC_CALL_RET0(trapscope_enter_kretprobe, *(kprobe_pre_handler_t)NULL);

/*
 * The kernel counts the calls for which it has no instance, but without a lock: two CPUs
 * at once may be one. Here each CPU counts what comes, and takes back what the entry
 * handler gets: no other call of it comes between on that CPU.
 */
static notrace int count_call(struct kprobe *probe, struct pt_regs *regs)
{
	struct trapscope_kretprobe *this =
		container_of(probe, struct trapscope_kretprobe, probe.kp);

	this_cpu_inc(*this->missed);
	return static_call(trapscope_enter_kretprobe)(probe, regs);
}
NOKPROBE_SYMBOL(count_call);

/*
 * The errno of register_kretprobe(), or -ENOMEM. Calls that come before it returns may
 * have been taken back without having been counted. Sleeps.
 */
int trapscope_register_kretprobe(struct trapscope_kretprobe *probe)
{
	struct kprobe *entry = &probe->probe.kp;
	int err = register_kretprobe(&probe->probe);

	if (err)
		return err;
	err = armed(entry);
	if (err) {
		trapscope_unregister_kretprobe(probe);
		return err;
	}
	static_call_update(trapscope_enter_kretprobe, entry->pre_handler);
	WRITE_ONCE(entry->pre_handler, count_call);
	/* Handlers that came by the kernel's. */
	synchronize_rcu();
	return 0;
}

/* Waits for handlers that run; what returns later passes them by. Sleeps. */
void trapscope_unregister_kretprobe(struct trapscope_kretprobe *probe)
{
	disarm(&probe->probe.kp);
	/*
	 * unregister_kretprobe() takes the instances away before it waits. Who has found the
	 * probe enabled gets one still: none of them is missed.
	 */
	synchronize_rcu();
	unregister_kretprobe(&probe->probe);
}

/*
 * -ENOENT if there is no function of that name, -EINVAL if it can't be traced. Sleeps.
 *
 * The filter is set by address: by name, memory that is short for the only match counts
 * as a match, and an empty filter is every function (match_records() in
 * kernel/trace/ftrace.c).
 */
int trapscope_trace_function(struct ftrace_ops *ops, ftrace_func_t func,
			     const char *name)
{
	/* Never armed: it only has the name looked up. */
	struct kprobe named = {
		.symbol_name = name,
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long address;
	int err;

	err = register_kprobe(&named);
	if (err)
		return err;
	address = (unsigned long)named.addr;
	unregister_kprobe(&named);

	memset(ops, 0, sizeof(*ops));
	ops->func = func;
	err = ftrace_set_filter_ip(ops, address, 0, 1);
	if (!err)
		err = register_ftrace_function(ops);
	if (err)
		ftrace_free_filter(ops);
	return err;
}

/* Waits for calls that are under way. Sleeps. */
void trapscope_untrace_function(struct ftrace_ops *ops)
{
	unregister_ftrace_function(ops);
	ftrace_free_filter(ops);
}
