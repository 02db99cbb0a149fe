// SPDX-License-Identifier: GPL-2.0

//! What a value prints, compared without memory for it: for the KUnit suites.

use core::fmt::{
    self,
    Write, //
};

/// What has still to be printed.
pub(crate) struct Expect<'a>(pub(crate) &'a str);

impl Write for Expect<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(s).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Returns whether a value prints this text, and no more.
pub(crate) fn prints(value: impl fmt::Display, expected: &str) -> bool {
    let mut expect = Expect(expected);
    write!(expect, "{value}").is_ok() && expect.0.is_empty()
}
