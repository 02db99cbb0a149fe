// SPDX-License-Identifier: GPL-2.0

//! Arrays of counters, one copy a CPU.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::{
    bindings,
    sys::kernel_info::cpus, //
};
use core::{
    arch::asm,
    mem::size_of,
    ptr::NonNull, //
};
use kernel::{
    ffi::c_void,
    prelude::*, //
};

/// `N` counters for each possible CPU.
///
/// # Invariants
///
/// `base` is a per-CPU allocation of `N` zero-initialised `u64`s, owned by
/// this value.
pub(crate) struct PerCpuCounters<const N: usize> {
    base: NonNull<c_void>,
}

// SAFETY: A per-CPU allocation belongs to no task.
unsafe impl<const N: usize> Send for PerCpuCounters<N> {}

// SAFETY: Counters change by one instruction on their own CPU, and are read as
// whole words.
unsafe impl<const N: usize> Sync for PerCpuCounters<N> {}

impl<const N: usize> PerCpuCounters<N> {
    /// Allocates the counters, all zero.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Process context; a size over what the allocator takes gives
        // a null pointer.
        let base = unsafe { bindings::trapscope_alloc_percpu(N * size_of::<u64>()) };
        // INVARIANT: The allocator hands out zeroed memory.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
        })
    }

    /// Adds one to counter `index` on this CPU.
    ///
    /// From any context, NMI included: it is one instruction. An index that is
    /// out of range changes nothing. The counter wraps.
    #[inline(always)]
    pub(crate) fn increment(&self, index: usize) {
        if index >= N {
            return;
        }
        // SAFETY: By the type invariant the address, relative to the per-CPU
        // base that GS holds in kernel mode, is that of a live `u64`.
        unsafe {
            asm!(
                "inc qword ptr gs:[{}]",
                in(reg) self.base.as_ptr().cast::<u64>().wrapping_add(index),
                options(nostack)
            )
        };
    }

    /// As [`Self::increment`], with an index that is known: two instructions.
    #[inline(always)]
    pub(crate) fn increment_at<const INDEX: usize>(&self) {
        const { assert!(INDEX < N) };
        // SAFETY: As above.
        unsafe {
            asm!(
                "inc qword ptr gs:[{} + {}]",
                in(reg) self.base.as_ptr(),
                const INDEX * size_of::<u64>(),
                options(nostack)
            )
        };
    }

    /// Takes one from counter `FROM` on this CPU, and adds it to counter `TO`.
    #[inline(always)]
    pub(crate) fn move_one<const FROM: usize, const TO: usize>(&self) {
        const { assert!(FROM < N && TO < N) };
        // SAFETY: As above.
        unsafe {
            asm!(
                "dec qword ptr gs:[{0} + {1}]",
                "inc qword ptr gs:[{0} + {2}]",
                in(reg) self.base.as_ptr(),
                const FROM * size_of::<u64>(),
                const TO * size_of::<u64>(),
                options(nostack)
            )
        };
    }

    /// Returns the address of counter `INDEX`, relative to the per-CPU base: for C
    /// to add to, as long as these counters live.
    pub(super) fn address_of<const INDEX: usize>(&self) -> *mut u64 {
        const { assert!(INDEX < N) };
        self.base.as_ptr().cast::<u64>().wrapping_add(INDEX)
    }

    /// Returns the address of counter `index`, which is in range, on one of [`cpus`].
    fn address_on(&self, cpu: u32, index: usize) -> *mut u64 {
        // SAFETY: `base` is a per-CPU allocation (type invariant), and all callers
        // have a possible CPU.
        let array = unsafe { bindings::trapscope_per_cpu_u64(self.base.as_ptr().cast(), cpu) };
        array.wrapping_add(index)
    }

    /// Calls `f` with the address of counter `index` on every possible CPU.
    fn for_each_cpu(&self, index: usize, mut f: impl FnMut(*mut u64)) {
        if index >= N {
            return;
        }
        for cpu in cpus() {
            f(self.address_on(cpu, index));
        }
    }

    /// Returns counter `INDEX` of one of [`cpus`] as it is when no handler that runs
    /// with preemption off is halfway through there. Sleeps until a task ran on it.
    fn between_handlers<const INDEX: usize>(&self, cpu: u32) -> u64 {
        // SAFETY: Process context, a counter of this allocation; all callers have a
        // possible CPU.
        unsafe { bindings::trapscope_read_between_handlers(self.address_of::<INDEX>(), cpu) }
    }

    /// Keeps in counter `MARK` what counter `INDEX` is between handlers. Sleeps until
    /// a task ran on each CPU; only one caller at a time.
    pub(crate) fn mark<const INDEX: usize, const MARK: usize>(&self) {
        const { assert!(INDEX < N && MARK < N) };
        for cpu in cpus() {
            let now = self.between_handlers::<INDEX>(cpu);
            // SAFETY: A live `u64` (type invariant), written by nobody else.
            unsafe { self.address_on(cpu, MARK).write_volatile(now) };
        }
    }

    /// Returns what was added to counter `INDEX` since [`Self::mark`], between
    /// handlers. Sleeps until a task ran on each CPU where that is not nothing.
    ///
    /// Between handlers the counter must not go back.
    pub(crate) fn since_mark<const INDEX: usize, const MARK: usize>(&self) -> u64 {
        const { assert!(INDEX < N && MARK < N) };
        let mut sum = 0u64;
        for cpu in cpus() {
            // SAFETY: Live `u64`s (type invariant); whole words do not tear.
            let (mark, now) = unsafe {
                (
                    self.address_on(cpu, MARK).read_volatile(),
                    self.address_on(cpu, INDEX).read_volatile(),
                )
            };
            if now != mark {
                let now = self.between_handlers::<INDEX>(cpu);
                sum = sum.wrapping_add(now.wrapping_sub(mark));
            }
        }
        sum
    }

    /// Returns the sum of counter `index` over all CPUs.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        let mut sum = 0u64;
        self.for_each_cpu(index, |counter| {
            // SAFETY: A live `u64` (type invariant); whole words do not tear.
            sum = sum.wrapping_add(unsafe { counter.read_volatile() });
        });
        sum
    }

    /// Sets every counter to zero.
    ///
    /// An increment that runs at the same time may undo it for its counter:
    /// the caller keeps the handlers out.
    pub(crate) fn clear(&self) {
        for index in 0..N {
            self.clear_at(index);
        }
    }

    /// Sets counter `index` to zero, under the condition of [`Self::clear`].
    fn clear_at(&self, index: usize) {
        self.for_each_cpu(index, |counter| {
            // SAFETY: A live `u64` (type invariant).
            unsafe { counter.write_volatile(0) };
        });
    }

    /// Returns the memory that the counters of all possible CPUs take.
    pub(crate) fn memory(&self) -> usize {
        let mut bytes = 0;
        self.for_each_cpu(0, |_| bytes += N * size_of::<u64>());
        bytes
    }
}

impl<const N: usize> Drop for PerCpuCounters<N> {
    fn drop(&mut self) {
        // SAFETY: `base` came from the per-CPU allocator, and nobody uses it
        // any more.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) };
    }
}

#[kunit_tests(trapscope_per_cpu)]
mod tests {
    use super::*;

    #[test]
    fn counters_start_at_zero_and_keep_apart() -> Result {
        let counters = PerCpuCounters::<3>::new()?;
        counters.increment(1);
        counters.increment(1);
        counters.increment_at::<2>();
        // Out of range: nothing happens.
        counters.increment(3);
        assert_eq!([0, 1, 2, 3].map(|index| counters.sum(index)), [0, 2, 1, 0]);
        counters.clear_at(1);
        assert_eq!([0, 1, 2].map(|index| counters.sum(index)), [0, 0, 1]);
        counters.clear();
        assert_eq!(counters.sum(2), 0);
        Ok(())
    }

    #[test]
    fn what_was_added_since_the_mark() -> Result {
        let counters = PerCpuCounters::<3>::new()?;
        counters.increment_at::<1>();
        counters.move_one::<0, 1>();
        assert_eq!((counters.sum(0), counters.sum(1)), (u64::MAX, 2));
        counters.mark::<0, 2>();
        assert_eq!(counters.since_mark::<0, 2>(), 0);
        counters.increment_at::<0>();
        counters.increment_at::<0>();
        counters.increment_at::<0>();
        counters.move_one::<0, 1>();
        assert_eq!((counters.since_mark::<0, 2>(), counters.sum(1)), (2, 3));
        Ok(())
    }
}
