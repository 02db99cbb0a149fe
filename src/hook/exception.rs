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
        tracepoint::{
            ExceptionHandler,
            Raised, //
        }, //
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
    fn raised(&self, exception: Raised) {
        if self.accounts.paused() {
            return;
        }
        let event = if region::is_kernel_address(exception.address, self.task_size_max) {
            Event::Region(region::region_of(exception.address, &self.layout))
        } else if faults_disabled() || !exception.interrupts_on {
            Event::BadArea(Reason::Atomic)
        } else {
            return;
        };
        let fault = BadArea {
            user_mode: false,
            address: exception.address,
            instruction: exception.instruction,
            error_code: exception.error_code,
        };
        refused(&self.accounts, event, &fault);
    }
}
