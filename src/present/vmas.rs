// SPDX-License-Identifier: GPL-2.0

//! `vmas`: a row per mapping.

use super::text;
use crate::{
    account::row::RowCopy,
    control::Control,
    decode::escape::{
        Perms,
        Set, //
    },
    sys::{
        debugfs::{
            File,
            Out, //
        },
        vma::Kind, //
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
pub(super) struct Vmas(pub(super) Arc<Control>);

/// Writes `class:count` pairs.
fn classes(row: &RowCopy, out: &mut Out<'_>) -> fmt::Result {
    let named = row
        .classes
        .iter()
        .filter_map(|(class, count)| Some((class.as_ref()?.name(), *count)));
    let unnamed = (row.unnamed != 0).then_some(("unnamed", row.unnamed));
    let mut first = true;
    for (name, count) in Iterator::chain(named, unnamed) {
        let comma = if core::mem::take(&mut first) { "" } else { "," };
        write!(out, "{comma}{name}:{count}")?;
    }
    if first {
        out.write_str("-")?;
    }
    Ok(())
}

/// Writes the name as in /proc/PID/maps.
fn name(row: &RowCopy, out: &mut Out<'_>) -> fmt::Result {
    match (row.kind, row.name_length) {
        (Kind::Heap, _) => out.write_str("[heap]"),
        (Kind::Stack, _) => out.write_str("[stack]"),
        (Kind::Named, Some(length)) => {
            text::escaped(row.name.get(..length).unwrap_or_default(), Set::Line, out)
        }
        (Kind::Named, None) => out.write_str("?"),
        (Kind::Anonymous, _) => out.write_str("-"),
    }
}

impl File for Vmas {
    type Opened = ();

    const WRITABLE: bool = false;

    fn open(&self) -> Result {
        Ok(())
    }

    fn records(&self, (): &()) -> usize {
        self.0.accounts().rows.len() + 1
    }

    fn show(&self, (): &(), record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(place) = record.checked_sub(1) else {
            return out.write_str(
                "# pid state start-end perms offset dev inode faults major retries \
                 classes comm path\n",
            );
        };
        let Some(row) = self.0.accounts().rows.read(place) else {
            return Ok(());
        };
        write!(
            out,
            "{} {} {:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} {} {} {} ",
            row.pid,
            if row.live { "live" } else { "gone" },
            row.start,
            row.end,
            Perms(row.flags),
            row.offset,
            row.device_major(),
            row.device_minor(),
            row.inode,
            row.faults(),
            row.major,
            row.retries,
        )?;
        classes(&row, out)?;
        out.write_str(" ")?;
        text::comm(&row.comm(), out)?;
        out.write_str(" ")?;
        name(&row, out)?;
        out.write_str("\n")
    }
}
