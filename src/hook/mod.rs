// SPDX-License-Identifier: GPL-2.0

//! The hooks on the kernel: they take what they see to [`crate::account`].

pub(crate) mod async_pf;
pub(crate) mod bad_area;
pub(crate) mod exception;
pub(crate) mod fault;
pub(crate) mod growth;
pub(crate) mod life;
mod refused;
pub(crate) mod vectors;

use crate::{
    account::Accounts,
    sys::{
        ftrace::{
            self,
            Traced, //
        },
        kprobe::{
            self,
            Kprobe, //
        },
        kretprobe::{
            self,
            Kretprobe, //
        },
        rcu,
        tracepoint::{
            self,
            Probe, //
        }, //
    },
};
use core::pin::Pin;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Calls at a time of functions that few tasks are in.
const FEW_CALLS: u32 = 256;

/// A probe that can be attached.
pub(crate) trait Attached: Send {
    /// How it is attached, as `status` says it.
    const HOW: &'static str;

    /// Returns how many calls it did not see. Sleeps.
    fn missed(&self) -> u64;
}

impl<H: kretprobe::Handler + Send> Attached for Kretprobe<H> {
    const HOW: &'static str = "kretprobe";

    fn missed(&self) -> u64 {
        Kretprobe::missed(self)
    }
}

impl<H: kprobe::Handler + Send> Attached for Kprobe<H> {
    const HOW: &'static str = "kprobe";

    fn missed(&self) -> u64 {
        Kprobe::missed(self)
    }
}

impl<H: tracepoint::ExceptionHandler + Send> Attached for Probe<H> {
    const HOW: &'static str = "tracepoint";

    fn missed(&self) -> u64 {
        0
    }
}

impl<H: ftrace::Handler + Send> Attached for Traced<H> {
    const HOW: &'static str = "ftrace";

    fn missed(&self) -> u64 {
        0
    }
}

/// One hook: attached, or the reason why not.
pub(crate) type Leg<P> = Result<Pin<KBox<P>>>;

/// All hooks, as far as they could be attached.
///
/// Dropping it detaches them.
pub(crate) struct Hooks {
    accounts: Arc<Accounts>,
    // First to go: the others serve it.
    fault: Leg<Kretprobe<fault::Fault>>,
    growth: Leg<Kretprobe<growth::Growth>>,
    no_vma: Leg<Kprobe<bad_area::NoVma>>,
    no_access: Leg<Kprobe<bad_area::NoAccess>>,
    vsyscall: Leg<Kprobe<bad_area::Vsyscall>>,
    kernel: Leg<Probe<exception::FromKernel>>,
    moved: Leg<Kretprobe<life::Copies>>,
    end: Leg<Kprobe<life::End>>,
    // Before the other half: a wait that is seen has an end that is seen.
    waits: Leg<Kretprobe<async_pf::Waits>>,
    ready: Leg<Traced<async_pf::Ready>>,
}

/// What `status` says of a hook.
pub(crate) struct Report {
    pub(crate) name: &'static str,
    /// How it is attached, and what it missed; or why it is not.
    pub(crate) state: Result<(&'static str, u64)>,
}

impl Hooks {
    /// The names of the hooks, in the order of [`Self::report`].
    pub(crate) const NAMES: [&'static str; 10] = [
        "handle_mm_fault",
        "vm_area_free",
        "copy_vma",
        "expand_downwards",
        "bad_area_nosemaphore",
        "bad_area_access_error",
        "emulate_vsyscall_pf",
        "page_fault_kernel",
        "kvm_async_pf_task_wait_schedule",
        "__sysvec_kvm_asyncpf_interrupt",
    ];

    /// Returns the memory that the hooks take for so many calls, in bytes.
    pub(crate) fn memory_for(calls: u32) -> u64 {
        Kretprobe::<fault::Fault>::memory(calls)
    }

    /// Attaches what can be attached. Sleeps.
    ///
    /// `calls` is how many calls of handle_mm_fault() may be under way.
    pub(crate) fn attach(accounts: &Arc<Accounts>, calls: u32) -> Self {
        let a = || accounts.clone();
        let end = KBox::pin_init(Kprobe::new(life::End(a())), GFP_KERNEL);
        let moved = KBox::pin_init(Kretprobe::new(life::Copies(a()), FEW_CALLS), GFP_KERNEL);
        if end.is_ok() {
            accounts.rows.open();
        }
        accounts.async_pf.open();
        let ready = async_pf::Ready::new(a())
            .and_then(|ready| KBox::pin_init(Traced::new(ready), GFP_KERNEL));
        if ready.is_ok() {
            accounts.async_pf.follow();
        }
        let waits = Kretprobe::new(async_pf::Waits(a()), async_pf::Waits::calls());
        let waits = KBox::pin_init(waits, GFP_KERNEL);
        Self {
            growth: KBox::pin_init(Kretprobe::new(growth::Growth(a()), FEW_CALLS), GFP_KERNEL),
            no_vma: bad_area::NoVma::new(a())
                .and_then(|no_vma| KBox::pin_init(Kprobe::new(no_vma), GFP_KERNEL)),
            no_access: KBox::pin_init(Kprobe::new(bad_area::NoAccess(a())), GFP_KERNEL),
            vsyscall: KBox::pin_init(Kprobe::new(bad_area::Vsyscall(a())), GFP_KERNEL),
            kernel: KBox::pin_init(Probe::new(exception::FromKernel::new(a())), GFP_KERNEL),
            moved,
            end,
            waits,
            ready,
            // Last: it needs the others.
            fault: fault::Fault::new(a())
                .and_then(|fault| KBox::pin_init(Kretprobe::new(fault, calls), GFP_KERNEL)),
            accounts: a(),
        }
    }

    /// Says of each hook how it stands.
    pub(crate) fn report(&self) -> [Report; Self::NAMES.len()] {
        fn state<P: Attached>(leg: &Leg<P>) -> Result<(&'static str, u64)> {
            match leg {
                Ok(probe) => Ok((P::HOW, probe.missed())),
                Err(error) => Err(*error),
            }
        }
        let mut states = [
            state(&self.fault),
            state(&self.end),
            state(&self.moved),
            state(&self.growth),
            state(&self.no_vma),
            state(&self.no_access),
            state(&self.vsyscall),
            state(&self.kernel),
            state(&self.waits),
            state(&self.ready),
        ]
        .into_iter();
        Self::NAMES.map(|name| Report {
            name,
            state: states.next().unwrap_or(Err(ENOENT)),
        })
    }

    /// Returns how many calls of handle_mm_fault() went unseen. Sleeps.
    pub(crate) fn missed(&self) -> u64 {
        self.fault.as_ref().map_or(0, |probe| probe.missed())
    }

    /// Returns how many of its calls are under way whose return will be seen.
    pub(crate) fn in_flight(&self) -> u64 {
        self.fault.as_ref().map_or(0, |probe| probe.in_flight())
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        // From here on nobody makes a row, and nobody would hear of its end.
        self.fault = Err(ENODEV);
        self.moved = Err(ENODEV);
        self.end = Err(ENODEV);
        rcu::wait_for_handlers();
        self.accounts.rows.close();
    }
}
