// SPDX-License-Identifier: GPL-2.0

//! Every #PF, before the kernel looks at it: error codes and kernel addresses.

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
        kernel_info,
        tracepoint::ExceptionHandler, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What both tracepoints do.
pub(crate) struct Exceptions {
    accounts: Arc<Accounts>,
    layout: Layout,
    task_size_max: u64,
}

impl Exceptions {
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        let (layout, task_size_max) = kernel_info::layout();
        Self {
            accounts,
            layout,
            task_size_max,
        }
    }

    #[inline]
    fn count(&self, address: u64, error_code: u64, user_mode: bool) {
        if self.accounts.paused() {
            return;
        }
        self.accounts.outside.exception(error_code, user_mode);
        if region::is_kernel_address(address, self.task_size_max) {
            let region = region::region_of(address, &self.layout);
            self.accounts
                .outside
                .count(Event::Region(region), user_mode);
        }
    }
}

/// On `exceptions:page_fault_user`.
pub(crate) struct FromUser(pub(super) Exceptions);

impl ExceptionHandler for FromUser {
    const NAME: &'static CStr = c"page_fault_user";

    fn raised(&self, address: u64, error_code: u64) {
        self.0.count(address, error_code, true);
    }
}

/// On `exceptions:page_fault_kernel`.
pub(crate) struct FromKernel(pub(super) Exceptions);

impl ExceptionHandler for FromKernel {
    const NAME: &'static CStr = c"page_fault_kernel";

    fn raised(&self, address: u64, error_code: u64) {
        self.0.count(address, error_code, false);
    }
}
