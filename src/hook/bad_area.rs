// SPDX-License-Identifier: GPL-2.0

//! Faults on user addresses that handle_mm_fault() does not get.

use super::fault::Message;
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
        region, //
    },
    sys::{
        functions::{
            BadArea,
            BadAreaAccessError,
            BadAreaNosemaphore, //
        },
        kernel_info,
        kprobe,
        task::{
            faults_disabled,
            TaskId, //
        }, //
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
        accounts
            .outside
            .count(Event::Resumed, error_code::user(call.error_code));
    }
    Some(message)
}

/// On `bad_area_nosemaphore()`.
pub(crate) struct NoVma {
    accounts: Arc<Accounts>,
    task_size_max: u64,
}

impl NoVma {
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        Self {
            accounts,
            task_size_max: kernel_info::layout().1,
        }
    }
}

impl kprobe::Handler for NoVma {
    type Target = BadAreaNosemaphore;

    fn entered(&self, call: BadArea) {
        if self.accounts.paused() || region::is_kernel_address(call.address, self.task_size_max) {
            return;
        }
        let reason = if faults_disabled() {
            Reason::Atomic
        } else {
            if last_call(&self.accounts, &call) == Some(Message::Failed) {
                // handle_mm_fault() has had it: it is in a class already.
                return;
            }
            Reason::NoVma
        };
        self.accounts
            .outside
            .count(Event::BadArea(reason), error_code::user(call.error_code));
    }
}

/// On `bad_area_access_error()`.
pub(crate) struct NoAccess(pub(super) Arc<Accounts>);

impl kprobe::Handler for NoAccess {
    type Target = BadAreaAccessError;

    fn entered(&self, call: BadArea) {
        if !self.0.paused() {
            last_call(&self.0, &call);
            self.0.outside.count(
                Event::BadArea(Reason::Access),
                error_code::user(call.error_code),
            );
        }
    }
}
