// SPDX-License-Identifier: GPL-2.0

//! Faults of kernel mode on kernel addresses, before the kernel looks at them.
//!
//! No kprobe would do: such a fault may come up inside of one, where no other
//! runs. User mode has none that a fault on good memory would pay for: see
//! [`super::bad_area`].

use super::refused::refused;
use crate::{
    account::{
        outside::Event,
        Accounts, //
    },
    decode::region::{
        self,
        Layout, //
    },
    sys::{
        functions::BadArea,
        kernel_info,
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
    fn raised(&self, address: u64, instruction: u64, error_code: u64) {
        if region::is_kernel_address(address, self.task_size_max) && !self.accounts.paused() {
            let region = region::region_of(address, &self.layout);
            let fault = BadArea {
                user_mode: false,
                address,
                instruction,
                error_code,
            };
            refused(&self.accounts, Event::Region(region), &fault);
        }
    }
}
