// SPDX-License-Identifier: GPL-2.0

//! Completed faults and attempts, per class.

use crate::{
    decode::{
        class::Class,
        flags::Manner,
        histogram, //
    },
    sys::per_cpu::PerCpuCounters,
};
use kernel::prelude::*;

const ORIGINS: usize = 3;
const ACCESSES: usize = 3;

/// Counters of completed faults: one for each way in which two can differ, so
/// that each fault adds to one counter only.
const COMPLETED: usize = Class::COUNT * Manner::COUNT;

/// Counters of latencies: room for a power of two of them a class, so that no
/// multiplication is needed to find one.
const LATENCIES: usize = Class::COUNT * BUCKETS;
const BUCKETS: usize = histogram::BUCKETS.next_power_of_two();

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

    /// Counts a completed fault, which took so many nanoseconds since its first attempt.
    ///
    /// The manner says whether it was major: [`Manner::over`].
    #[inline(always)]
    pub(crate) fn complete(&self, class: Class, manner: Manner, latency_ns: u64) {
        self.completed
            .increment(class.index() * Manner::COUNT + manner.index());
        self.latencies
            .increment(class.index() * BUCKETS + histogram::bucket(latency_ns));
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
        for manner in Manner::all() {
            let index = class.index() * Manner::COUNT + manner.index();
            let count = self.completed.sum(index);
            let add = |sum: &mut u64| *sum = sum.wrapping_add(count);
            let flags = manner.flags();
            add(&mut sums.completed);
            add(&mut sums.origin[flags.origin(manner.has_registers()) as usize]);
            add(&mut sums.access[flags.access() as usize]);
            if manner.major() {
                add(&mut sums.major);
            }
            if flags.vma_lock() {
                add(&mut sums.vma_lock);
            }
        }
        sums
    }

    /// Returns the latency histogram of one class.
    pub(crate) fn histogram(&self, class: Class) -> [u64; histogram::BUCKETS] {
        let mut counts = [0; histogram::BUCKETS];
        for (bucket, count) in counts.iter_mut().enumerate() {
            *count = self.latencies.sum(class.index() * BUCKETS + bucket);
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
