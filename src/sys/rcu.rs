// SPDX-License-Identifier: GPL-2.0

//! Waiting for handlers that run with preemption off.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;

/// Waits until every handler that is running now has ended.
///
/// Probe handlers run with preemption off, which is a read-side critical
/// section. Sleeps.
pub(crate) fn wait_for_handlers() {
    // SAFETY: Called from process context with no lock that a reader takes.
    unsafe { bindings::synchronize_rcu() };
}
