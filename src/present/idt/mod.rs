// SPDX-License-Identifier: GPL-2.0

//! The files in idt/: the interrupt descriptor tables, as they are.

mod check;
mod idtr;
mod raw;
pub(super) mod table;

pub(super) use check::Check;
pub(super) use idtr::Idtrs;
pub(super) use raw::Raw;
pub(super) use table::Gates;

use crate::{
    decode::idt::gate::Gate,
    hook::vectors::On,
    inspect::idt::Snapshot,
    present::text::symbol,
    sys::{
        debugfs::Out,
        descriptor_table,
        secrecy,
        symbol::SymbolBuffer, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::prelude::*;

/// What an opening of these files keeps.
pub(crate) struct Opened {
    snapshot: Snapshot,
    /// The CPUs that use trapscope's own second table.
    second: KVVec<u32>,
    /// Whoever opened the file may not see addresses.
    hidden: bool,
}

impl Opened {
    /// Looks at all CPUs. `on` is the second table, if it is switched on.
    fn now(on: Option<&On>) -> Result<Self> {
        let snapshot = Snapshot::take()?;
        let mut second = KVVec::new();
        for cpu in &snapshot.cpus {
            if on.is_some_and(|on| on.uses(cpu)) {
                second.push(cpu.number, GFP_KERNEL)?;
            }
        }
        Ok(Self {
            snapshot,
            second,
            hidden: secrecy::addresses_hidden(),
        })
    }

    /// Returns an address as this opening may show it.
    fn shown(&self, address: u64) -> u64 {
        if self.hidden {
            0
        } else {
            address
        }
    }

    /// Writes a gate as one word.
    fn gate(&self, gate: Option<&Gate>, out: &mut Out<'_>) -> fmt::Result {
        let Some(gate) = gate else {
            return out.write_str("-");
        };
        write!(
            out,
            "{},{},{},{},{:#x},",
            gate.gate_type(),
            gate.dpl(),
            u8::from(gate.present()),
            gate.ist(),
            gate.selector()
        )?;
        match SymbolBuffer::new().look_up(gate.offset()) {
            Some(found) => symbol(Some(&found), "", out),
            None => write!(out, "{:#018x}", self.shown(gate.offset())),
        }
    }
}

/// Returns why the CPUs do not use the tables, if they don't.
pub(super) fn unused() -> Option<&'static str> {
    if descriptor_table::fred() {
        Some("FRED on: the IDT is not used")
    } else if descriptor_table::xen_pv() {
        Some("Xen PV on: the IDT is the hypervisor's")
    } else {
        None
    }
}
