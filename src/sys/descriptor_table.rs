// SPDX-License-Identifier: GPL-2.0

//! The interrupt descriptor tables of the CPUs.
//!
//! C header: [`arch/x86/include/asm/desc.h`](srctree/arch/x86/include/asm/desc.h)

use crate::{
    bindings,
    decode::idt::{
        gate::Gate,
        Idtr,
        GATE_BYTES, //
    },
};
use core::ptr::without_provenance;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What one CPU says of its descriptor table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuIdtr {
    /// The register.
    pub(crate) idtr: Idtr,
    /// The CPU has VMX: VM exits may have left a limit of 0xffff.
    pub(crate) vmx: bool,
    /// VMX is in use: VM exits load the base that KVM knows.
    pub(crate) vmx_on: bool,
    /// It is a KVM guest's, with async page faults on.
    pub(crate) async_page_faults: bool,
}

impl CpuIdtr {
    fn new(raw: &bindings::trapscope_idtr) -> Self {
        Self {
            idtr: Idtr {
                base: raw.base,
                limit: raw.limit,
            },
            vmx: raw.vmx,
            vmx_on: raw.vmx_on,
            async_page_faults: raw.async_pf,
        }
    }
}

/// Reads the IDTR of a CPU, on that CPU; zeros under Xen PV.
///
/// Fails with `ENXIO` if it is offline. Does not sleep, but interrupts must be
/// on.
///
/// Source: SDM Vol. 2B, "SIDT".
pub(crate) fn read_idtr(cpu: u32) -> Result<CpuIdtr> {
    let mut raw = bindings::trapscope_idtr::default();
    // SAFETY: `raw` is valid for writes, and the call waits for that CPU.
    to_result(unsafe { bindings::trapscope_read_idtr(cpu, &mut raw) })?;
    Ok(CpuIdtr::new(&raw))
}

/// Reads the IDTR of this CPU. From any context; preemption is off.
pub(super) fn read_own_idtr() -> CpuIdtr {
    let mut raw = bindings::trapscope_idtr::default();
    // SAFETY: `raw` is valid for writes.
    unsafe { bindings::trapscope_read_own_idtr(&mut raw) };
    CpuIdtr::new(&raw)
}

/// Reads one gate of a table; `None` if there is no memory, or no kernel
/// address.
pub(crate) fn read_gate(base: u64, vector: usize) -> Option<Gate> {
    let offset = vector.checked_mul(GATE_BYTES)?;
    let address = usize::try_from(base).ok()?.checked_add(offset)?;
    let mut raw = [0u8; GATE_BYTES];
    // SAFETY: `raw` has that many bytes; the source may be any address.
    let error = unsafe {
        bindings::copy_from_kernel_nofault(
            raw.as_mut_ptr().cast(),
            without_provenance(address),
            raw.len(),
        )
    };
    (error == 0).then(|| Gate::decode(raw))
}

/// Tells whether FRED is on: then the CPU uses no IDT.
pub(crate) fn fred() -> bool {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_fred() }
}

/// Tells whether the kernel runs under Xen PV, whose table the hypervisor has.
pub(crate) fn xen_pv() -> bool {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_xen_pv() }
}

/// Tells whether user mode has page tables of its own (KPTI).
pub(crate) fn page_table_isolation() -> bool {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_page_table_isolation() }
}
