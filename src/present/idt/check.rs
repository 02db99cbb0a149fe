// SPDX-License-Identifier: GPL-2.0

//! `idt/check`: what is not as it should be.

use super::Opened;
use crate::{
    decode::idt::Idtr,
    hook::vectors::VectorTrace,
    inspect::{
        check::{
            findings,
            Finding, //
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
    findings: KVec<Finding>,
}

fn head(judged: &Judged, out: &mut Out<'_>) -> fmt::Result {
    match (super::unused(), judged.findings.len()) {
        (Some(reason), _) => writeln!(out, "not checked: {reason}")?,
        (None, 0) => out.write_str("OK\n")?,
        (None, count) => writeln!(out, "{count}")?,
    }
    out.write_str("# what cpu vector reasons before after\n")?;
    for cpu in &judged.opened.second {
        writeln!(
            out,
            "# CPU {cpu} uses trapscope's own second table, see trace_idt"
        )?;
    }
    Ok(())
}

fn idtr(opened: &Opened, idtr: Option<Idtr>, out: &mut Out<'_>) -> fmt::Result {
    match idtr {
        Some(idtr) => write!(out, "{:#018x}:{:#06x}", opened.shown(idtr.base), idtr.limit),
        None => out.write_str("-"),
    }
}

fn row(opened: &Opened, finding: &Finding, out: &mut Out<'_>) -> fmt::Result {
    match finding {
        Finding::Idtr {
            cpu,
            reasons,
            before,
            after,
        } => {
            write!(out, "idtr {cpu} - {reasons} ")?;
            idtr(opened, *before, out)?;
            out.write_str(" ")?;
            idtr(opened, Some(*after), out)?;
        }
        Finding::Gate {
            cpu,
            vector,
            reasons,
            before,
            after,
        } => {
            write!(out, "gate {cpu} {vector} {reasons} ")?;
            opened.gate(before.as_ref(), out)?;
            out.write_str(" ")?;
            opened.gate(after.as_ref(), out)?;
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
                Some(_) => KVec::new(),
                None => findings(&self.baseline, on, &opened.snapshot)?,
            };
            Ok(Judged { opened, findings })
        })
    }

    fn records(&self, judged: &Judged) -> usize {
        1 + judged.findings.len()
    }

    fn show(&self, judged: &Judged, record: usize, out: &mut Out<'_>) -> fmt::Result {
        match record.checked_sub(1) {
            None => head(judged, out),
            Some(place) => match judged.findings.get(place) {
                Some(finding) => row(&judged.opened, finding, out),
                None => Ok(()),
            },
        }
    }
}
