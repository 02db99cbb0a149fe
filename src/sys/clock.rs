// SPDX-License-Identifier: GPL-2.0

//! The scheduler's clock.
//!
//! C header: [`include/linux/sched/clock.h`](srctree/include/linux/sched/clock.h)

use crate::bindings;

/// Returns this CPU's time in nanoseconds.
///
/// May be called from any context. Two CPUs may differ a little, so the
/// difference of two readings has to saturate.
#[inline]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: `local_clock()` has no preconditions.
    unsafe { bindings::local_clock() }
}
