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
    decode::region::{
        self,
        Layout, //
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

    fn entered(&self, call: BadArea) {
        if self.accounts.paused() {
            return;
        }
        if region::is_kernel_address(call.address, self.task_size_max) {
            // Those of kernel mode are counted where they are raised.
            if call.user_mode {
                let region = region::region_of(call.address, &self.layout);
                refused(&self.accounts, Event::Region(region), &call);
            }
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
        refused(&self.accounts, Event::BadArea(reason), &call);
    }
}

/// On `bad_area_access_error()`.
pub(crate) struct NoAccess(pub(super) Arc<Accounts>);

impl kprobe::Handler for NoAccess {
    type Target = BadAreaAccessError;

    fn entered(&self, call: BadArea) {
        if !self.0.paused() {
            refused(&self.0, Event::BadArea(Reason::Access), &call);
        }
    }
}
