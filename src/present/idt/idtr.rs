// SPDX-License-Identifier: GPL-2.0

//! `idt/idtr`: the IDTR of every CPU, and the page that it names.

use super::Opened;
use crate::{
    hook::vectors::VectorTrace,
    inspect::idt::{
        Cpu,
        Seen, //
    },
    present::text::symbol_at,
    sys::debugfs::{
        File,
        Out, //
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
pub(crate) struct Idtrs(pub(crate) Arc<VectorTrace>);

fn head(out: &mut Out<'_>) -> fmt::Result {
    out.write_str("# cpu state base limit page same symbol\n")?;
    match super::unused() {
        Some(reason) => writeln!(out, "# {reason}"),
        None => out.write_str("# FRED off, Xen PV off\n"),
    }
}

fn row(opened: &Opened, cpu: &Cpu, out: &mut Out<'_>) -> fmt::Result {
    let Some(Seen { place, .. }) = cpu.seen else {
        return writeln!(out, "{} offline - - - - -", cpu.number);
    };
    let same = opened
        .snapshot
        .first()
        .is_some_and(|(first, _)| first.same_table(&place));
    write!(
        out,
        "{} online {:#018x} {:#06x} ",
        cpu.number,
        opened.shown(place.idtr.base),
        place.idtr.limit
    )?;
    match place.page {
        Some(page) => write!(out, "{:#018x}", opened.shown(page))?,
        None => out.write_str("unmapped")?,
    }
    out.write_str(if same { " yes " } else { " no " })?;
    match place.page {
        _ if opened.second.contains(&cpu.number) => out.write_str("trace_idt+0x0 [trapscope]")?,
        Some(page) => symbol_at(page | place.idtr.base & 0xfff, out)?,
        None => out.write_str("-")?,
    }
    out.write_str("\n")
}

impl File for Idtrs {
    type Opened = Opened;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<Opened> {
        self.0.with(|state| Opened::now(state.on.as_ref()))
    }

    fn records(&self, opened: &Opened) -> usize {
        1 + opened.snapshot.cpus.len()
    }

    fn show(&self, opened: &Opened, record: usize, out: &mut Out<'_>) -> fmt::Result {
        match record.checked_sub(1) {
            None => head(out),
            Some(place) => match opened.snapshot.cpus.get(place) {
                Some(cpu) => row(opened, cpu, out),
                None => Ok(()),
            },
        }
    }
}
