// SPDX-License-Identifier: GPL-2.0

//! How the CPUs of a KVM guest have asynchronous page faults, at one moment.

use super::idt::Table;
use crate::{
    decode::async_pf::Mode,
    sys::{
        async_pf,
        descriptor_table,
        kernel_info::cpus, //
    },
};
use kernel::prelude::*;

/// `HYPERVISOR_CALLBACK_VECTOR`, which the guest's kernel asks for.
const CALLBACK: u8 = 0xf3;
const PAGE_FAULT: u8 = 14;

/// Returns each possible CPU with its mode, or why that can't be read: `ENXIO` if it
/// is offline, `EIO` if KVM offers no such MSR. Sleeps.
pub(crate) fn modes() -> impl Iterator<Item = (u32, Result<Mode>)> {
    cpus().map(|cpu| {
        let mode = async_pf::registers(cpu).map(|(on, vector)| Mode::decode(on, vector));
        (cpu, mode)
    })
}

/// A vector, and where the kernel's own table leads from there.
pub(crate) struct Half {
    pub(crate) vector: u8,
    /// `None`: it could not be read, or the CPU uses no table.
    pub(crate) handler: Option<u64>,
}

/// Returns "not present" and "ready". Sleeps.
pub(crate) fn halves() -> [Half; 2] {
    let ready = modes()
        .find_map(|(_, mode)| mode.ok()?.vector)
        .unwrap_or(CALLBACK);
    let table = if descriptor_table::fred() || descriptor_table::xen_pv() {
        None
    } else {
        Table::kernels().ok()
    };
    [PAGE_FAULT, ready].map(|vector| Half {
        vector,
        handler: table
            .as_ref()
            .and_then(|table| table.gate(vector))
            .map(|gate| gate.offset()),
    })
}
