// SPDX-License-Identifier: GPL-2.0

//! `idt/raw`: the bytes of the table.

use super::Opened;
use crate::{
    hook::vectors::VectorTrace,
    sys::debugfs::{
        File,
        Out, //
    },
};
use core::fmt;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The file.
pub(crate) struct Raw(pub(crate) Arc<VectorTrace>);

impl File for Raw {
    type Opened = Opened;

    const WRITABLE: bool = false;

    /// Fails with `EPERM` where addresses are hidden: every gate holds one.
    fn open(&self) -> Result<Opened> {
        let opened = self.0.with(|state| Opened::now(state.on.as_ref()))?;
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
