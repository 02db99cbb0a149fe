// SPDX-License-Identifier: GPL-2.0
/*
 * In a KVM guest with one processor: asynchronous page faults as KVM sends them seldom.
 * The words that KVM and the guest share are written here, and the interrupt is raised by
 * an instruction, so this is for times at which KVM has nothing to say. Named like the
 * kernel's own module, since the function to wait is for that one alone.
 *
 *   early=N  pages that are ready before the task that waits for them
 *   hold=N   tasks that wait until the module goes, and are woken by one message then
 *   wake=1   KVM itself is asked to wake all that wait
 */

#include <linux/err.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/kvm_para.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <asm/kvm_para.h>
#include <asm/msr.h>

#define MOST 100

static unsigned int early;
module_param(early, uint, 0);
static unsigned int hold;
module_param(hold, uint, 0);
static bool wake;
module_param(wake, bool, 0);

static struct task_struct *tasks[MOST];

/* KVM's tokens have the processor's number in the low 12 bits. */
static u32 token(unsigned int i)
{
	return (i + 1) << 12 | 0xfff;
}

static struct kvm_vcpu_pv_apf_data *shared(void)
{
	u64 value;

	if (rdmsrq_safe(MSR_KVM_ASYNC_PF_EN, &value) || !(value & KVM_ASYNC_PF_ENABLED))
		return NULL;
	return __va(value & ~GENMASK_ULL(5, 0));
}

static void ready(u32 token)
{
	WRITE_ONCE(shared()->token, token);
	asm volatile("int $0xf3" ::: "memory");
}

static int waits(void *data)
{
	local_irq_disable();
	kvm_async_pf_task_wait_schedule((uintptr_t)data);
	local_irq_enable();
	while (!kthread_should_stop())
		schedule_timeout_idle(1);
	return 0;
}

static void release(void)
{
	unsigned long flags;

	if (hold) {
		local_irq_save(flags);
		ready(~0);
		local_irq_restore(flags);
	}
	for (unsigned int i = 0; i < hold; i++)
		if (tasks[i])
			kthread_stop(tasks[i]);
}

static int __init test_init(void)
{
	struct task_struct *task;
	u64 value;

	if (!shared() || num_online_cpus() != 1 || hold > MOST)
		return -EINVAL;
	for (unsigned int i = 0; i < early; i++) {
		local_irq_disable();
		ready(token(i));
		kvm_async_pf_task_wait_schedule(token(i));
		local_irq_enable();
	}
	for (unsigned int i = 0; i < hold; i++) {
		task = kthread_run(waits, (void *)(uintptr_t)token(i), "waits/%u", i);
		if (IS_ERR(task)) {
			release();
			return PTR_ERR(task);
		}
		tasks[i] = task;
	}
	if (wake) {
		rdmsrq(MSR_KVM_ASYNC_PF_EN, value);
		wrmsrq(MSR_KVM_ASYNC_PF_EN, value);
	}
	return 0;
}

static void __exit test_exit(void)
{
	release();
}

module_init(test_init);
module_exit(test_exit);
MODULE_DESCRIPTION("Asynchronous page faults for tests of trapscope");
MODULE_LICENSE("GPL");
