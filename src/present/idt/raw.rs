// SPDX-License-Identifier: GPL-2.0

//! `idt/raw`: the bytes of the table.

use super::Opened;
use crate::sys::debugfs::{
    File,
    Out, //
};
use core::fmt;
use kernel::prelude::*;

/// The file.
pub(crate) struct Raw;

impl File for Raw {
    type Opened = Opened;

    const WRITABLE: bool = false;

    /// Fails with `EPERM` where addresses are hidden: every gate holds one.
    fn open(&self) -> Result<Opened> {
        let opened = Opened::now()?;
        if opened.hidden {
            return Err(EPERM);
        }
        Ok(opened)
    }

    fn records(&self, _opened: &Opened) -> usize {
        1
    }

    fn show(&self, opened: &Opened, _record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some((_, table)) = opened.snapshot.first() else {
            return Ok(());
        };
        for gate in table.all().map_while(|gate| gate) {
            out.bytes(&gate.encode());
        }
        Ok(())
    }
}
