// SPDX-License-Identifier: GPL-2.0

//! The files in idt/: the interrupt descriptor tables, as they are.

mod check;
mod idtr;
mod raw;
mod table;

pub(super) use check::Check;
pub(super) use idtr::Idtrs;
pub(super) use raw::Raw;
pub(super) use table::Gates;

use crate::{
    decode::{
        idt::gate::Gate,
        symbol::Symbol, //
    },
    inspect::idt::Snapshot,
    sys::{
        debugfs::Out,
        descriptor_table,
        secrecy,
        symbol::SymbolText, //
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
    /// Whoever opened the file may not see addresses.
    hidden: bool,
}

impl Opened {
    fn now() -> Result<Self> {
        Ok(Self {
            snapshot: Snapshot::take()?,
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

    /// Writes `symbol+offset`, then the module after `before_module`, or what
    /// stands for an address without a symbol.
    fn symbol(&self, address: u64, before_module: &str, out: &mut Out<'_>) -> fmt::Result {
        match SymbolText::of(address).symbol() {
            Some(Symbol {
                name,
                offset,
                module,
            }) => {
                out.bytes(name);
                write!(out, "+{offset:#x}")?;
                if let Some(module) = module {
                    out.write_str(before_module)?;
                    out.write_str("[")?;
                    out.bytes(module);
                    out.write_str("]")?;
                }
                Ok(())
            }
            None => out.write_str("-"),
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
        if SymbolText::of(gate.offset()).symbol().is_some() {
            self.symbol(gate.offset(), "", out)
        } else {
            write!(out, "{:#018x}", self.shown(gate.offset()))
        }
    }
}

/// Returns why the CPUs do not use the tables, if they don't.
fn unused() -> Option<&'static str> {
    if descriptor_table::fred() {
        Some("FRED on: the IDT is not used")
    } else if descriptor_table::xen_pv() {
        Some("Xen PV on: the IDT is the hypervisor's")
    } else {
        None
    }
}
