// SPDX-License-Identifier: GPL-2.0

//! The current task, and the owners of address spaces.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use crate::{
    bindings,
    decode::filter::COMM_LEN, //
};

/// Tells tasks apart, over reuse of their memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskId {
    /// The address of its task_struct.
    pub(crate) address: u64,
    /// When it started, in nanoseconds since boot.
    pub(crate) started: u64,
}

impl TaskId {
    /// Returns the current task's.
    #[inline]
    pub(crate) fn current() -> Self {
        // SAFETY: No preconditions in task context.
        let raw = unsafe { bindings::trapscope_current() };
        Self {
            address: raw.address,
            started: raw.start_time,
        }
    }
}

/// Tells whether the current task is in execve().
pub(crate) fn current_in_exec() -> bool {
    // SAFETY: No preconditions in task context.
    unsafe { bindings::trapscope_current_in_exec() }
}

/// Tells whether the current context may not take faults on user addresses.
///
/// From any context, but of no use in a kprobe's handler: that is one of those.
/// Source: `do_user_addr_fault()`, arch/x86/mm/fault.c.
#[inline]
pub(crate) fn faults_disabled() -> bool {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_faults_disabled() }
}

/// Tells whether a signal ends a fault that would have to be tried again.
///
/// Source: `fault_signal_pending()`, include/linux/sched/signal.h.
pub(crate) fn fault_signal_pending(user_mode: bool) -> bool {
    // SAFETY: No preconditions in task context.
    unsafe { bindings::trapscope_fault_signal_pending(user_mode) }
}

/// A task's name, padded with NUL.
pub(crate) type Comm = [u8; COMM_LEN];

/// A task that had to wait, and what for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sleeper {
    /// The process's id.
    pub(crate) pid: i32,
    /// The task's own id.
    pub(crate) tid: i32,
    /// The task's own name.
    pub(crate) comm: Comm,
    /// The address of the instruction of user mode that it came from; 0 for a
    /// kernel thread.
    pub(crate) instruction: u64,
}

impl Sleeper {
    /// Returns the current task.
    pub(crate) fn current() -> Self {
        let mut raw = bindings::trapscope_sleeper::default();
        // SAFETY: Task context; `raw` is valid for writes.
        unsafe { bindings::trapscope_current_sleeper(&mut raw) };
        Self {
            pid: raw.tgid,
            tid: raw.tid,
            comm: raw.comm,
            instruction: raw.instruction,
        }
    }
}

/// The process that an address space belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Owner {
    /// The process's id.
    pub(crate) pid: i32,
    /// When its main thread started, in nanoseconds since boot.
    pub(crate) started: u64,
    /// The name of its main thread.
    pub(crate) comm: Comm,
}

impl From<bindings::trapscope_owner> for Owner {
    fn from(raw: bindings::trapscope_owner) -> Self {
        Self {
            pid: raw.tgid,
            started: raw.start_time,
            comm: raw.comm,
        }
    }
}

impl Owner {
    /// Returns the current process.
    pub(crate) fn current() -> Self {
        let mut raw = bindings::trapscope_owner::default();
        // SAFETY: Task context; `raw` is valid for writes.
        unsafe { bindings::trapscope_current_owner(&mut raw) };
        Self::from(raw)
    }

    /// Returns the process with an id of the initial pid namespace.
    pub(crate) fn of_process(pid: i32) -> Option<Self> {
        let mut raw = bindings::trapscope_owner::default();
        // SAFETY: `raw` is valid for writes.
        let found = unsafe { bindings::trapscope_process_owner(pid, &mut raw) };
        found.then(|| Self::from(raw))
    }

    /// Returns when its main thread started, in milliseconds since boot.
    ///
    /// Wraps after 49 days; with the pid it still tells processes apart.
    pub(crate) fn started_ms(&self) -> u32 {
        (self.started / 1_000_000) as u32
    }

    /// # Safety
    ///
    /// `mm` is live.
    pub(super) unsafe fn of_mm(mm: *mut bindings::mm_struct) -> Option<Self> {
        let mut raw = bindings::trapscope_owner::default();
        // SAFETY: By the caller; `raw` is valid for writes.
        let found = unsafe { bindings::trapscope_mm_owner(mm, &mut raw) };
        found.then(|| Self::from(raw))
    }
}
