// SPDX-License-Identifier: GPL-2.0

//! The guest's side of KVM's asynchronous page faults.
//!
//! C header: [`arch/x86/include/uapi/asm/kvm_para.h`](srctree/arch/x86/include/uapi/asm/kvm_para.h)

use crate::{
    bindings,
    sys::{
        atomic::{
            AtomicU64,
            Ordering, //
        },
        kernel_info::{
            cpus,
            this_cpu, //
        }, //
    },
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Returns what KVM offers, as a mask of `KVM_FEATURE_*`; `None` if this is no
/// guest of KVM's.
pub(crate) fn features() -> Option<u32> {
    let mut raw = bindings::trapscope_kvm::default();
    // SAFETY: `raw` is valid for writes.
    unsafe { bindings::trapscope_kvm(&mut raw) };
    raw.guest.then_some(raw.features)
}

/// Returns `MSR_KVM_ASYNC_PF_EN` and `MSR_KVM_ASYNC_PF_INT` of a CPU. Sleeps.
///
/// Fails with `ENXIO` if it is offline, `EIO` if KVM offers no such MSR.
pub(crate) fn registers(cpu: u32) -> Result<(u64, u64)> {
    let mut raw = bindings::trapscope_async_pf::default();
    // SAFETY: `raw` is valid for writes, and the call waits for that CPU.
    to_result(unsafe { bindings::trapscope_async_pf(cpu, &mut raw) })?;
    Ok((raw.enabled, raw.interrupt))
}

/// Where each CPU finds the token of the page that is ready.
///
/// # Invariants
///
/// An address is 0, or what `trapscope_async_pf_area()` returned on that CPU.
pub(crate) struct Areas(KVVec<AtomicU64>);

impl Areas {
    /// Begins with none: a CPU asks for its own when it first needs it.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        let mut areas = KVVec::new();
        for _ in 0..cpus().last().map_or(0, |last| last + 1) {
            areas.push(AtomicU64::new(0), GFP_KERNEL)?;
        }
        Ok(Self(areas))
    }

    /// Returns the token that KVM left for this CPU, where it has left one.
    ///
    /// Called from the handler of its interrupt, before the kernel takes it.
    pub(crate) fn token(&self) -> Option<u32> {
        let known = self.0.get(this_cpu())?;
        let mut area = known.load(Ordering::Relaxed);
        if area == 0 {
            // SAFETY: Interrupts are off, so that the CPU stays.
            area = unsafe { bindings::trapscope_async_pf_area() };
            if area == 0 {
                return None;
            }
            // INVARIANT: Just returned, on this CPU. It never changes: the
            // kernel has one for each CPU for good.
            known.store(area, Ordering::Relaxed);
        }
        // SAFETY: By the type invariant.
        Some(unsafe { bindings::trapscope_async_pf_token(area) })
    }
}
