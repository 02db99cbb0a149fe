// SPDX-License-Identifier: GPL-2.0

//! Both halves of KVM's asynchronous page faults, where the guest serves them.

use crate::{
    account::{
        async_pf::Begun,
        Accounts, //
    },
    sys::{
        async_pf::{
            self,
            Areas, //
        },
        clock,
        ftrace,
        functions::AsyncPfWait,
        kernel_info::{
            possible_cpus,
            this_cpu, //
        },
        kretprobe::{
            self,
            Besides,
            Entered,
            Room, //
        },
        task::Sleeper, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Waits at a time of each CPU: twice what KVM leaves open (ASYNC_PF_PER_VCPU), for
/// tasks that are woken and did not run yet.
const CALLS_PER_CPU: u32 = 128;

/// On `kvm_async_pf_task_wait_schedule()`.
pub(crate) struct Waits(pub(super) Arc<Accounts>);

impl Waits {
    /// Returns how many calls may be under way.
    pub(super) fn calls() -> u32 {
        match async_pf::features() {
            Some(_) => possible_cpus().saturating_mul(CALLS_PER_CPU),
            // There will be none.
            None => 1,
        }
    }
}

/// What is kept from the entry to the return.
#[derive(Clone, Copy)]
pub(crate) struct Before {
    begun: Begun,
    started_ns: u64,
}

impl kretprobe::Handler for Waits {
    type Target = AsyncPfWait;
    type Data = Before;
    type More = ();

    fn entered<'a>(&self, token: u32, room: Room<'a, Before>) -> Entered<'a> {
        room.keep(Before {
            begun: self.0.async_pf.begin(this_cpu(), token),
            started_ns: clock::machine_ns(),
        })
    }

    fn returned(&self, (): (), before: &Before, _besides: Besides<'_, Before, ()>) {
        let ns = clock::machine_ns().saturating_sub(before.started_ns);
        self.0
            .async_pf
            .end(this_cpu(), before.begun, ns, Sleeper::current);
    }
}

/// On the handler of the interrupt that says that a page is ready.
///
/// The function that it calls, `kvm_async_pf_task_wake()`, is usually inlined; what
/// it would be called with lies where KVM left it.
pub(crate) struct Ready {
    accounts: Arc<Accounts>,
    areas: Areas,
}

impl Ready {
    /// Fails with `ENOMEM`. Sleeps.
    pub(super) fn new(accounts: Arc<Accounts>) -> Result<Self> {
        Ok(Self {
            accounts,
            areas: Areas::new()?,
        })
    }
}

impl ftrace::Handler for Ready {
    const SYMBOL: &'static CStr = c"__sysvec_kvm_asyncpf_interrupt";

    fn entered(&self) {
        // Without a token the kernel does nothing either.
        if let Some(token) = self.areas.token() {
            self.accounts.async_pf.ready(this_cpu(), token);
        }
    }
}
