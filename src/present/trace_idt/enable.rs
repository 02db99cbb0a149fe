// SPDX-License-Identifier: GPL-2.0

//! `trace_idt/enable`: whether the second table is in use.

use crate::{
    decode::{
        filter::parse_switch,
        refusal::OffBy, //
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

/// The file.
pub(crate) struct Enable(pub(crate) Arc<VectorTrace>);

impl Page for Enable {
    const WRITABLE: bool = true;

    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        let on = self.0.with(|state| state.on.is_some());
        writeln!(out, "{}", u8::from(on))
    }

    fn write(&self, input: &[u8]) -> Result {
        if parse_switch(input).ok_or(EINVAL)? {
            self.0.switch_on()
        } else {
            self.0.switch_off(OffBy::Write);
            Ok(())
        }
    }
}
