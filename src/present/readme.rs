// SPDX-License-Identifier: GPL-2.0

//! `README`: what each file, column and class is.

use crate::sys::debugfs::{
    Out,
    Page, //
};
use core::fmt::{
    self,
    Write, //
};

/// The file.
pub(super) struct Readme;

impl Page for Readme {
    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        out.write_str(include_str!("README.txt"))
    }
}
