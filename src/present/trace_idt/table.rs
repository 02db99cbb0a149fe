// SPDX-License-Identifier: GPL-2.0

//! `trace_idt/table`: the gates of the second table, and those they stand for.

use crate::{
    decode::idt::{
        gate::Gate,
        GATES, //
    },
    hook::vectors::VectorTrace,
    inspect::idt::Snapshot,
    present::{
        idt::table::{
            decoded,
            DECODED, //
        },
        text::symbol, //
    },
    sys::{
        debugfs::{
            File,
            Out, //
        },
        descriptor_table::read_gate,
        second_idt::kernels_base,
        secrecy,
        symbol::SymbolBuffer,
        vector_stubs, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The file.
pub(crate) struct Stubs(pub(crate) Arc<VectorTrace>);

/// A gate of the table in use, and the kernel's gate as it is now.
type Pair = (Option<Gate>, Option<Gate>);

/// The table of the first CPU that is on it; none while it is switched off.
pub(crate) struct Pairs {
    pairs: KVec<Pair>,
    hidden: bool,
}

impl File for Stubs {
    type Opened = Pairs;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<Pairs> {
        self.0.with(|state| {
            let mut pairs = KVec::new();
            if let Some(on) = &state.on {
                let now = Snapshot::take()?;
                let ours = now.cpus.iter().find(|cpu| on.uses(cpu));
                let seen = ours.and_then(|cpu| cpu.seen);
                if let Some(table) = seen.and_then(|seen| now.table(seen.place)) {
                    for vector in 0..=u8::MAX {
                        let kernels = read_gate(kernels_base(), vector.into());
                        pairs.push((table.gate(vector), kernels), GFP_KERNEL)?;
                    }
                }
            }
            Ok(Pairs {
                pairs,
                hidden: secrecy::addresses_hidden(),
            })
        })
    }

    fn records(&self, _pairs: &Pairs) -> usize {
        1 + GATES
    }

    fn show(&self, pairs: &Pairs, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(number) = record.checked_sub(1).and_then(|n| u8::try_from(n).ok()) else {
            return writeln!(out, "{DECODED} rest stub_address stub address handler");
        };
        let Some((gate, kernels)) = pairs.pairs.get(usize::from(number)) else {
            return Ok(());
        };
        let shown = |address| if pairs.hidden { 0 } else { address };
        let mut buffer = SymbolBuffer::new();
        let target = vector_stubs::target(number);
        let handler = buffer.look_up(target);
        decoded(number, *gate, target, handler.as_ref(), out)?;
        match gate {
            Some(gate) => {
                let same =
                    kernels.is_some_and(|kernels| gate.with_offset(kernels.offset()) == kernels);
                let rest = if same { "same" } else { "differs" };
                write!(out, " {rest} {:#018x} ", shown(gate.offset()))?;
                symbol(SymbolBuffer::new().look_up(gate.offset()).as_ref(), "", out)?;
            }
            None => out.write_str(" - - unreadable")?,
        }
        write!(out, " {:#018x} ", shown(target))?;
        symbol(handler.as_ref(), " ", out)?;
        out.write_str("\n")
    }
}
