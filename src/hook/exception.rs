// SPDX-License-Identifier: GPL-2.0

//! Faults of kernel mode that are refused whatever is mapped, before the kernel
//! looks at them.
//!
//! No kprobe would do: such a fault may come up inside of one, where no other
//! runs. User mode has none that a fault on good memory would pay for: see
//! [`super::bad_area`].

use super::refused::refused;
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
        functions::BadArea,
        kernel_info,
        task::faults_disabled,
        tracepoint::ExceptionHandler, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// On `exceptions:page_fault_kernel`.
pub(crate) struct FromKernel {
    accounts: Arc<Accounts>,
    layout: Layout,
    task_size_max: u64,
}

impl FromKernel {
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        let (layout, task_size_max) = kernel_info::layout();
        Self {
            accounts,
            layout,
            task_size_max,
        }
    }
}

impl ExceptionHandler for FromKernel {
    const NAME: &'static CStr = c"page_fault_kernel";

    #[inline]
    fn raised(&self, fault: BadArea) {
        if self.accounts.paused() {
            return;
        }
        let event = if region::is_kernel_address(fault.address, self.task_size_max) {
            Event::Region(region::region_of(fault.address, &self.layout))
        } else if faults_disabled() {
            Event::BadArea(Reason::Atomic)
        } else {
            return;
        };
        refused(&self.accounts, event, &fault);
    }
}
