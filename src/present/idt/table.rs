// SPDX-License-Identifier: GPL-2.0

//! `idt/table`: the gates of the first CPU that is online.

use super::Opened;
use crate::{
    decode::{
        idt::{
            expected::stage_of,
            gate::Gate,
            vector,
            GATES, //
        },
        symbol::Symbol, //
    },
    hook::vectors::VectorTrace,
    present::text::symbol,
    sys::{
        debugfs::{
            File,
            Out, //
        },
        symbol::SymbolBuffer, //
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
pub(crate) struct Gates(pub(crate) Arc<VectorTrace>);

/// The columns that [`decoded`] writes.
pub(crate) const DECODED: &str =
    "# vector hex mnemonic name kind error_code type class dpl present \
                                  ist stack selector stage";

/// Writes what a vector is, and what its gate says but for the address; `handler`
/// and its symbol are the kernel's, to which it leads in the end.
pub(crate) fn decoded(
    number: u8,
    gate: Option<Gate>,
    handler: u64,
    symbol: Option<&Symbol<'_>>,
    out: &mut Out<'_>,
) -> fmt::Result {
    let stage = gate.and_then(|gate| stage_of(number, &gate.with_offset(handler), symbol));
    write!(
        out,
        "{number} {number:#04x} {} {} {} {} ",
        vector::mnemonic(number),
        vector::name(number),
        vector::kind(number, stage).name(),
        if vector::pushes_error_code(number) {
            "yes"
        } else {
            "no"
        },
    )?;
    let Some(gate) = gate else {
        return out.write_str("- - - - - - - -");
    };
    write!(
        out,
        "{} {} {} {} {} {} {:#x} {}",
        gate.gate_type(),
        gate.class().map_or("-", |class| class.name()),
        gate.dpl(),
        u8::from(gate.present()),
        gate.ist(),
        gate.stack(),
        gate.selector(),
        stage.map_or("-", |stage| stage.name()),
    )
}

fn row(opened: &Opened, number: u8, gate: Option<Gate>, out: &mut Out<'_>) -> fmt::Result {
    let Some(handler) = gate.map(Gate::offset) else {
        decoded(number, None, 0, None, out)?;
        return out.write_str(" - unreadable\n");
    };
    let mut buffer = SymbolBuffer::new();
    let found = buffer.look_up(handler);
    decoded(number, gate, handler, found.as_ref(), out)?;
    write!(out, " {:#018x} ", opened.shown(handler))?;
    symbol(found.as_ref(), " ", out)?;
    out.write_str("\n")
}

impl File for Gates {
    type Opened = Opened;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<Opened> {
        self.0.with(|state| Opened::now(state.on.as_ref()))
    }

    fn records(&self, _opened: &Opened) -> usize {
        1 + GATES
    }

    fn show(&self, opened: &Opened, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(number) = record.checked_sub(1).and_then(|n| u8::try_from(n).ok()) else {
            return writeln!(out, "{DECODED} address handler");
        };
        let gate = opened
            .snapshot
            .first()
            .and_then(|(_, table)| table.gate(number));
        row(opened, number, gate, out)
    }
}
