// SPDX-License-Identifier: GPL-2.0

//! `idt/check`: what is not as it should be.

use super::Opened;
use crate::{
    decode::{
        cpu_list::CpuList,
        idt::Place, //
    },
    hook::vectors::VectorTrace,
    inspect::{
        check::{
            findings,
            Finding,
            Findings, //
        },
        idt::Baseline, //
    },
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
pub(crate) struct Check {
    pub(crate) baseline: Arc<Baseline>,
    pub(crate) vectors: Arc<VectorTrace>,
}

/// What an opening keeps.
pub(crate) struct Judged {
    opened: Opened,
    findings: Findings,
}

fn head(judged: &Judged, out: &mut Out<'_>) -> fmt::Result {
    match (super::unused(), judged.findings.list.len()) {
        (Some(reason), _) => writeln!(out, "not checked: {reason}")?,
        (None, 0) => out.write_str("OK\n")?,
        (None, count) => writeln!(out, "{count}")?,
    }
    out.write_str("# what cpu vector reasons before after\n")?;
    match &*judged.opened.second {
        [] => Ok(()),
        cpus => {
            let cpus = CpuList(cpus);
            writeln!(
                out,
                "# CPU {cpus}: trapscope's own second table, see trace_idt"
            )
        }
    }
}

fn place(opened: &Opened, place: Option<Place>, out: &mut Out<'_>) -> fmt::Result {
    let Some(Place { idtr, page }) = place else {
        return out.write_str("-");
    };
    write!(
        out,
        "{:#018x}:{:#06x}:",
        opened.shown(idtr.base),
        idtr.limit
    )?;
    match page {
        Some(page) => write!(out, "{:#018x}", opened.shown(page)),
        None => out.write_str("unmapped"),
    }
}

/// Writes which CPUs use a table.
fn users(cpus: &[u32], out: &mut Out<'_>) -> fmt::Result {
    match cpus {
        [] => out.write_str("-"),
        _ => write!(out, "{}", CpuList(cpus)),
    }
}

fn row(judged: &Judged, finding: &Finding, out: &mut Out<'_>) -> fmt::Result {
    match finding {
        Finding::Idtr {
            cpu,
            reasons,
            before,
            after,
        } => {
            out.write_str("idtr ")?;
            users(cpu.as_slice(), out)?;
            write!(out, " - {reasons} ")?;
            place(&judged.opened, *before, out)?;
            out.write_str(" ")?;
            place(&judged.opened, Some(*after), out)?;
        }
        Finding::Gate {
            users: place,
            vector,
            reasons,
            before,
            after,
        } => {
            out.write_str("gate ")?;
            users(
                judged.findings.users.get(*place).map_or(&[], |cpus| cpus),
                out,
            )?;
            write!(out, " {vector} {reasons} ")?;
            judged.opened.gate(before.as_ref(), out)?;
            out.write_str(" ")?;
            judged.opened.gate(after.as_ref(), out)?;
        }
    }
    out.write_str("\n")
}

impl File for Check {
    type Opened = Judged;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<Judged> {
        self.vectors.with(|state| {
            let on = state.on.as_ref();
            let opened = Opened::now(on)?;
            let findings = match super::unused() {
                Some(_) => Findings::default(),
                None => findings(&self.baseline, on, &opened.snapshot)?,
            };
            Ok(Judged { opened, findings })
        })
    }

    fn records(&self, judged: &Judged) -> usize {
        1 + judged.findings.list.len()
    }

    fn show(&self, judged: &Judged, record: usize, out: &mut Out<'_>) -> fmt::Result {
        match record.checked_sub(1) {
            None => head(judged, out),
            Some(place) => match judged.findings.list.get(place) {
                Some(finding) => row(judged, finding, out),
                None => Ok(()),
            },
        }
    }
}
