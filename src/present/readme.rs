// SPDX-License-Identifier: GPL-2.0

//! `README`: what each file, column and class is.

use crate::sys::debugfs::{
    File,
    Out, //
};
use core::fmt::{
    self,
    Write, //
};
use kernel::prelude::*;

/// The file.
pub(super) struct Readme;

impl File for Readme {
    type Opened = ();

    const WRITABLE: bool = false;

    fn open(&self) -> Result {
        Ok(())
    }

    fn records(&self, (): &()) -> usize {
        1
    }

    fn show(&self, (): &(), _record: usize, out: &mut Out<'_>) -> fmt::Result {
        out.write_str(include_str!("README.txt"))
    }
}
