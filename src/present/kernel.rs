// SPDX-License-Identifier: GPL-2.0

//! `kernel`: what handle_mm_fault() never sees.

use crate::{
    account::outside::{
        BadArea,
        Event, //
    },
    control::Control,
    decode::{
        error_code,
        region::Region, //
    },
    sys::debugfs::{
        Out,
        Page, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::sync::Arc;

/// The file.
pub(super) struct KernelFaults(pub(super) Arc<Control>);

impl Page for KernelFaults {
    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        let outside = &self.0.accounts().outside;
        out.write_str("# kind name kernel user\n")?;
        for region in Region::ALL {
            let (kernel, user) = outside.counts(Event::Region(region));
            writeln!(out, "region {} {kernel} {user}", region.name())?;
        }
        for (reason, name) in BadArea::ALL {
            let (kernel, user) = match reason {
                BadArea::Signal => outside.ended_by_signal(),
                _ => outside.counts(Event::BadArea(reason)),
            };
            writeln!(out, "bad-area {name} {kernel} {user}")?;
        }
        for (bit, (_, name)) in error_code::BITS.iter().enumerate() {
            let (kernel, user) = outside.codes(Some(bit));
            writeln!(out, "error-code {name} {kernel} {user}")?;
        }
        let (kernel, user) = outside.codes(None);
        let signal = outside.ended_by_signal();
        let (kernel, user) = (kernel + signal.0, user + signal.1);
        writeln!(out, "total page-fault {kernel} {user}")
    }
}
