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
            let link = self.accounts.links.take(TaskId::current());
            let failed = link.is_some_and(|link| {
                link.address == call.address && Message::unpack(link.message) == Message::Failed
            });
            if failed {
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
            self.0.outside.count(
                Event::BadArea(Reason::Access),
                error_code::user(call.error_code),
            );
        }
    }
}
