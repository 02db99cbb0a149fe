// SPDX-License-Identifier: GPL-2.0

//! `enable`, `reset` and `filter`: the files that can be written.

use crate::{
    control::Control,
    decode::filter::{
        parse_switch,
        Filter, //
    },
    hook::vectors::VectorTrace,
    sys::debugfs::{
        Out,
        Page, //
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

/// `enable`: whether the hooks are attached.
pub(super) struct Enable(pub(super) Arc<Control>);

impl Page for Enable {
    const WRITABLE: bool = true;

    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        let enabled = self.0.with_hooks(|hooks| hooks.is_some());
        writeln!(out, "{}", u8::from(enabled))
    }

    fn write(&self, input: &[u8]) -> Result {
        self.0.enable(parse_switch(input).ok_or(EINVAL)?);
        Ok(())
    }
}

/// `reset`: 1 sets all counts to zero. Reads as 0.
pub(super) struct Reset(pub(super) Arc<Control>, pub(super) Arc<VectorTrace>);

impl Page for Reset {
    const WRITABLE: bool = true;

    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        out.write_str("0\n")
    }

    fn write(&self, input: &[u8]) -> Result {
        match parse_switch(input) {
            Some(true) => {
                self.0.reset();
                self.1.reset();
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }
}

/// `filter`: whose faults count.
pub(super) struct FilterFile(pub(super) Arc<Control>);

impl Page for FilterFile {
    const WRITABLE: bool = true;

    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        match self.0.with_hooks(|_| self.0.accounts().filter.get()) {
            Some(filter) => writeln!(out, "{filter}"),
            None => out.write_str("none\n"),
        }
    }

    fn write(&self, input: &[u8]) -> Result {
        let filter = core::str::from_utf8(input)
            .map_err(|_| EINVAL)?
            .parse::<Filter>()?;
        self.0
            .set_filter((filter != Filter::default()).then_some(&filter));
        Ok(())
    }
}
