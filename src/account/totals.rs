// SPDX-License-Identifier: GPL-2.0

//! Completed faults and attempts, per class.

use crate::{
    decode::{
        class::Class,
        flags::{
            Access,
            Origin, //
        },
        histogram, //
    },
    sys::per_cpu::PerCpuCounters,
};
use kernel::prelude::*;

const ORIGINS: usize = 3;
const ACCESSES: usize = 3;

/// Counters of completed faults: one for each way in which two can differ, so
/// that each fault adds to one counter only. Two bits each for origin and
/// access, which leaves some unused, make its index cheap.
const COMPLETED: usize = Class::COUNT << CLASS_SHIFT;
const CLASS_SHIFT: u32 = 6;
const ORIGIN_SHIFT: u32 = 4;
const ACCESS_SHIFT: u32 = 2;
const VMA_LOCK: usize = 2;
const MAJOR: usize = 1;
const LATENCIES: usize = Class::COUNT * histogram::BUCKETS;

/// What is kept of one completed fault.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) class: Class,
    pub(crate) origin: Origin,
    pub(crate) access: Access,
    /// Major as `mm_account_fault()` counts it.
    pub(crate) major: bool,
    /// Completed under the per-VMA lock.
    pub(crate) vma_lock: bool,
}

/// The sums of one class.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    pub(crate) completed: u64,
    pub(crate) major: u64,
    pub(crate) retries: u64,
    pub(crate) origin: [u64; ORIGINS],
    pub(crate) access: [u64; ACCESSES],
    pub(crate) vma_lock: u64,
}

impl Sums {
    /// Adds those of another class.
    pub(crate) fn add(&mut self, other: &Self) {
        let add = |a: &mut u64, b: &u64| *a = a.wrapping_add(*b);
        add(&mut self.completed, &other.completed);
        add(&mut self.major, &other.major);
        add(&mut self.retries, &other.retries);
        add(&mut self.vma_lock, &other.vma_lock);
        for (a, b) in self.origin.iter_mut().zip(&other.origin) {
            add(a, b);
        }
        for (a, b) in self.access.iter_mut().zip(&other.access) {
            add(a, b);
        }
    }
}

/// The totals, per CPU.
pub(crate) struct Totals {
    completed: PerCpuCounters<COMPLETED>,
    latencies: PerCpuCounters<LATENCIES>,
    retries: PerCpuCounters<{ Class::COUNT }>,
}

impl Totals {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            completed: PerCpuCounters::new()?,
            latencies: PerCpuCounters::new()?,
            retries: PerCpuCounters::new()?,
        })
    }

    /// Counts a completed fault, whose last call took so many nanoseconds.
    #[inline(always)]
    pub(crate) fn complete(&self, outcome: Outcome, latency_ns: u64) {
        let index = outcome.class.index() << CLASS_SHIFT
            | (outcome.origin as usize) << ORIGIN_SHIFT
            | (outcome.access as usize) << ACCESS_SHIFT
            | usize::from(outcome.vma_lock) * VMA_LOCK
            | usize::from(outcome.major) * MAJOR;
        self.completed.increment(index);
        self.latencies
            .increment(outcome.class.index() * histogram::BUCKETS + histogram::bucket(latency_ns));
    }

    /// Counts an attempt that has to be made again.
    #[inline]
    pub(crate) fn retry(&self, class: Class) {
        self.retries.increment(class.index());
    }

    /// Returns the sums of one class.
    pub(crate) fn sums(&self, class: Class) -> Sums {
        let mut sums = Sums {
            retries: self.retries.sum(class.index()),
            ..Sums::default()
        };
        for (o, origin) in sums.origin.iter_mut().enumerate() {
            for (a, access) in sums.access.iter_mut().enumerate() {
                for rest in 0..4 {
                    let index =
                        class.index() << CLASS_SHIFT | o << ORIGIN_SHIFT | a << ACCESS_SHIFT | rest;
                    let count = self.completed.sum(index);
                    *origin = origin.wrapping_add(count);
                    *access = access.wrapping_add(count);
                    sums.completed = sums.completed.wrapping_add(count);
                    if rest & MAJOR != 0 {
                        sums.major = sums.major.wrapping_add(count);
                    }
                    if rest & VMA_LOCK != 0 {
                        sums.vma_lock = sums.vma_lock.wrapping_add(count);
                    }
                }
            }
        }
        sums
    }

    /// Returns the latency histogram of one class.
    pub(crate) fn histogram(&self, class: Class) -> [u64; histogram::BUCKETS] {
        let mut counts = [0; histogram::BUCKETS];
        for (bucket, count) in counts.iter_mut().enumerate() {
            *count = self
                .latencies
                .sum(class.index() * histogram::BUCKETS + bucket);
        }
        counts
    }

    pub(super) fn clear(&self) {
        self.completed.clear();
        self.latencies.clear();
        self.retries.clear();
    }

    pub(super) fn memory(&self) -> usize {
        self.completed.memory() + self.latencies.memory() + self.retries.memory()
    }
}
