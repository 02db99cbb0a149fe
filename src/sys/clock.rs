// SPDX-License-Identifier: GPL-2.0

//! The scheduler's clock, and a cheaper one for short times.
//!
//! C headers: [`include/linux/sched/clock.h`](srctree/include/linux/sched/clock.h),
//! [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::bindings;
use core::arch::x86_64::_rdtsc;
use kernel::prelude::*;

/// Returns this CPU's time in nanoseconds.
///
/// May be called from any context. Two CPUs may differ a little, so the
/// difference of two readings has to saturate.
#[inline]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: `local_clock()` has no preconditions.
    unsafe { bindings::local_clock() }
}

/// Returns the machine's time in nanoseconds, the same on all CPUs.
///
/// May be called from any context.
pub(crate) fn machine_ns() -> u64 {
    // SAFETY: `ktime_get_mono_fast_ns()` has no preconditions.
    unsafe { bindings::ktime_get_mono_fast_ns() }
}

/// A clock that is read twice, and converted once.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch {
    /// Nanoseconds for a cycle of the TSC, times 2^32; 0: [`now_ns`] is read.
    scale: u64,
}

/// A reading of a [`Stopwatch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reading(u64);

impl Reading {
    /// Takes back what [`Self::to_bits`] gave.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns it as a number, to be put away.
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }
}

impl Stopwatch {
    /// Takes the TSC, at the rate that the kernel knows by now, unless the
    /// kernel calls it unstable.
    pub(crate) fn new() -> Self {
        // SAFETY: No preconditions.
        let khz = u64::from(unsafe { bindings::trapscope_tsc_khz() });
        Self {
            scale: (1_000_000u64 << 32).checked_div(khz).unwrap_or(0),
        }
    }

    /// Tells whether reading it calls nothing.
    #[inline(always)]
    pub(crate) fn is_tsc(self) -> bool {
        self.scale != 0
    }

    /// Reads the clock. May be called from any context.
    #[inline(always)]
    pub(crate) fn read(self) -> Reading {
        if self.is_tsc() {
            self.read_tsc()
        } else {
            Reading(now_ns())
        }
    }

    /// [`Self::read`] where [`Self::is_tsc`].
    #[inline(always)]
    pub(crate) fn read_tsc(self) -> Reading {
        // SAFETY: x86-64 CPUs have it, and the kernel leaves it on.
        Reading(unsafe { _rdtsc() })
    }

    /// Returns the nanoseconds from a reading of the same clock till now; 0 if
    /// that was on a CPU that is ahead.
    #[inline(always)]
    pub(crate) fn since(self, start: Reading) -> u64 {
        if self.is_tsc() {
            self.since_tsc(start)
        } else {
            now_ns().saturating_sub(start.0)
        }
    }

    /// [`Self::since`] where [`Self::is_tsc`].
    #[inline(always)]
    pub(crate) fn since_tsc(self, start: Reading) -> u64 {
        let passed = self.read_tsc().0.saturating_sub(start.0);
        ((u128::from(passed) * u128::from(self.scale)) >> 32) as u64
    }
}

#[kunit_tests(trapscope_clock)]
mod tests {
    use super::*;

    /// Runs for some time, and returns what both clocks say of it.
    fn both(watch: Stopwatch) -> (u64, u64) {
        let (outer, start) = (now_ns(), watch.read());
        let mut inner = 0;
        while inner < 1_000_000 {
            inner = watch.since(start);
        }
        (inner, now_ns().saturating_sub(outer))
    }

    #[test]
    fn it_never_shows_more_than_the_scheduler_s_clock() {
        // Their rates may differ by what the kernel corrected since boot.
        for watch in [Stopwatch::new(), Stopwatch { scale: 0 }] {
            let (inner, outer) = both(watch);
            assert!(inner <= outer + outer / 64);
        }
    }
}
