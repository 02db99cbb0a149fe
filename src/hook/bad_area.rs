// SPDX-License-Identifier: GPL-2.0

//! Faults that handle_mm_fault() does not get, where only they pass.

use super::{
    fault::Message,
    refused::refused, //
};
use crate::{
    account::{
        outside::{
            BadArea as Reason,
            Event, //
        },
        Accounts, //
    },
    decode::{
        error_code,
        region::{
            self,
            Layout,
            Region, //
        }, //
    },
    sys::{
        descriptor_table::xen_pv,
        functions::{
            BadArea,
            BadAreaAccessError,
            BadAreaNosemaphore,
            EmulateVsyscall,
            NosemaphoreEntry, //
        },
        kernel_info,
        kprobe,
        task::TaskId, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Takes what the task's last call of handle_mm_fault() left for this fault.
fn last_call(accounts: &Accounts, call: &BadArea) -> Option<Message> {
    let link = accounts.links.take(TaskId::current())?;
    if link.address != call.address {
        return None;
    }
    let message = Message::unpack(link.message);
    if matches!(message, Message::Again { .. }) {
        accounts.outside.count(Event::Resumed, call.user_mode);
    }
    Some(message)
}

/// Forgets that, while nothing is counted: it is for no later fault.
fn forget_last_call(accounts: &Accounts) {
    accounts.links.take(TaskId::current());
}

/// Tells whether [`Vsyscall`] has had a fault.
fn legacy_call(call: &BadArea) -> bool {
    cfg!(CONFIG_X86_VSYSCALL_EMULATION)
        && region::is_vsyscall(call.address)
        && error_code::fetch(call.error_code)
}

/// On `emulate_vsyscall_pf()`.
pub(crate) struct Vsyscall(pub(super) Arc<Accounts>);

impl kprobe::Handler for Vsyscall {
    type Target = EmulateVsyscall;

    fn entered(&self, call: BadArea) {
        if call.user_mode && legacy_call(&call) && !self.0.paused() {
            refused(&self.0, Event::Region(Region::Vsyscall), &call);
        }
    }
}

/// On `bad_area_nosemaphore()`.
pub(crate) struct NoVma {
    accounts: Arc<Accounts>,
    layout: Layout,
    task_size_max: u64,
}

impl NoVma {
    /// Fails with `EOPNOTSUPP` in a Xen PV guest, where no probe sees whether
    /// interrupts are on.
    pub(super) fn new(accounts: Arc<Accounts>) -> Result<Self> {
        if xen_pv() {
            return Err(EOPNOTSUPP);
        }
        let (layout, task_size_max) = kernel_info::layout();
        Ok(Self {
            accounts,
            layout,
            task_size_max,
        })
    }
}

impl kprobe::Handler for NoVma {
    type Target = BadAreaNosemaphore;

    fn entered(&self, entry: NosemaphoreEntry) {
        let call = entry.fault;
        if self.accounts.paused() {
            if entry.interrupts_on {
                forget_last_call(&self.accounts);
            }
            return;
        }
        if region::is_kernel_address(call.address, self.task_size_max) {
            // Those of kernel mode are counted where they are raised, calls of
            // the vsyscall page where they are about to be emulated.
            if call.user_mode && !legacy_call(&call) {
                let region = region::region_of(call.address, &self.layout);
                refused(&self.accounts, Event::Region(region), &call);
            }
            return;
        }
        let reason = if entry.interrupts_on {
            if last_call(&self.accounts, &call) == Some(Message::Failed) {
                // handle_mm_fault() has had it: it is in a class already.
                return;
            }
            Reason::NoVma
        } else if call.user_mode {
            Reason::Atomic
        } else {
            // No fault may be served here: counted where it was raised.
            return;
        };
        refused(&self.accounts, Event::BadArea(reason), &call);
    }
}

/// On `bad_area_access_error()`.
pub(crate) struct NoAccess(pub(super) Arc<Accounts>);

impl kprobe::Handler for NoAccess {
    type Target = BadAreaAccessError;

    fn entered(&self, call: BadArea) {
        if self.0.paused() {
            forget_last_call(&self.0);
            return;
        }
        last_call(&self.0, &call);
        refused(&self.0, Event::BadArea(Reason::Access), &call);
    }
}
