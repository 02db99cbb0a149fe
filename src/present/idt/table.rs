// SPDX-License-Identifier: GPL-2.0

//! `idt/table`: the gates of the first CPU that is online.

use super::Opened;
use crate::{
    decode::idt::{
        expected::stage_of,
        gate::Gate,
        vector,
        GATES, //
    },
    sys::{
        debugfs::{
            File,
            Out, //
        },
        symbol::SymbolText, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::prelude::*;

/// The file.
pub(crate) struct Gates;

fn row(opened: &Opened, number: u8, gate: Option<Gate>, out: &mut Out<'_>) -> fmt::Result {
    let text = gate.map(|gate| SymbolText::of(gate.offset()));
    let symbol = text.as_ref().and_then(SymbolText::symbol);
    let stage = gate.and_then(|gate| stage_of(number, &gate, symbol.as_ref()));
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
        return out.write_str("- - - - - - - - - unreadable\n");
    };
    write!(
        out,
        "{} {} {} {} {} {} {:#x} {} {:#018x} ",
        gate.gate_type(),
        gate.class().map_or("-", |class| class.name()),
        gate.dpl(),
        u8::from(gate.present()),
        gate.ist(),
        gate.stack(),
        gate.selector(),
        stage.map_or("-", |stage| stage.name()),
        opened.shown(gate.offset()),
    )?;
    opened.symbol(gate.offset(), " ", out)?;
    out.write_str("\n")
}

impl File for Gates {
    type Opened = Opened;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<Opened> {
        Opened::now()
    }

    fn records(&self, _opened: &Opened) -> usize {
        1 + GATES
    }

    fn show(&self, opened: &Opened, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(number) = record.checked_sub(1).and_then(|n| u8::try_from(n).ok()) else {
            return out.write_str(
                "# vector hex mnemonic name kind error_code type class dpl present ist stack \
                 selector stage address handler\n",
            );
        };
        let gate = opened
            .snapshot
            .first()
            .and_then(|(_, table)| table.gate(number));
        row(opened, number, gate, out)
    }
}
