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
        functions::{
            BadArea,
            BadAreaAccessError,
            BadAreaNosemaphore,
            EmulateVsyscall,
            Refused, //
        },
        kernel_info,
        kprobe,
        task::TaskId, //
    },
};
use kernel::sync::Arc;

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
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        let (layout, task_size_max) = kernel_info::layout();
        Self {
            accounts,
            layout,
            task_size_max,
        }
    }
}

impl kprobe::Handler for NoVma {
    type Target = BadAreaNosemaphore;

    fn entered(
        &self,
        Refused {
            fault: call,
            interrupts_on,
        }: Refused,
    ) {
        if self.accounts.paused() {
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
        // Refused before the kernel looked for a mapping, where none may be
        // served: counted where it was raised. Or it is in a class, since
        // handle_mm_fault() has had it.
        if !interrupts_on || last_call(&self.accounts, &call) == Some(Message::Failed) {
            return;
        }
        refused(&self.accounts, Event::BadArea(Reason::NoVma), &call);
    }
}

/// On `bad_area_access_error()`.
pub(crate) struct NoAccess(pub(super) Arc<Accounts>);

impl kprobe::Handler for NoAccess {
    type Target = BadAreaAccessError;

    fn entered(&self, call: BadArea) {
        if !self.0.paused() {
            last_call(&self.0, &call);
            refused(&self.0, Event::BadArea(Reason::Access), &call);
        }
    }
}
