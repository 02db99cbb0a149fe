// SPDX-License-Identifier: GPL-2.0

//! Keeping the CPUs as they are.
//!
//! C header: [`include/linux/cpu.h`](srctree/include/linux/cpu.h)

use crate::bindings;
use core::marker::PhantomData;

/// While it lives no CPU comes or goes.
///
/// # Invariants
///
/// This task has the lock of CPU hotplug, as a reader.
pub(crate) struct CpusHeld {
    // The task that took the lock gives it back.
    _not_send: PhantomData<*mut ()>,
}

impl CpusHeld {
    /// Waits until no CPU is on its way. Sleeps; not from a hotplug callback.
    pub(crate) fn new() -> Self {
        // SAFETY: From process context.
        unsafe { bindings::cpus_read_lock() };
        // INVARIANT: Just taken.
        Self {
            _not_send: PhantomData,
        }
    }
}

impl Drop for CpusHeld {
    fn drop(&mut self) {
        // SAFETY: Taken by this task (type invariant).
        unsafe { bindings::cpus_read_unlock() };
    }
}
