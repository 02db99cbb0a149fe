// SPDX-License-Identifier: GPL-2.0

//! Names of kernel addresses.
//!
//! C header: [`include/linux/kallsyms.h`](srctree/include/linux/kallsyms.h)

use crate::{
    bindings,
    decode::symbol::{
        self,
        Symbol, //
    }, //
};

/// KSYM_SYMBOL_LEN: what sprint_symbol() may write.
const LENGTH: usize = bindings::TRAPSCOPE_SYMBOL_LEN as usize;

/// The text that the kernel has for an address.
pub(crate) struct SymbolText {
    text: [u8; LENGTH],
    length: usize,
}

impl SymbolText {
    /// Looks an address up. May be called from any context.
    pub(crate) fn of(address: u64) -> Self {
        let mut text = [0; LENGTH];
        // SAFETY: The buffer is as large as the kernel's rule wants it.
        let length = unsafe { bindings::sprint_symbol(text.as_mut_ptr().cast(), address as usize) };
        Self {
            text,
            length: usize::try_from(length).unwrap_or(0),
        }
    }

    /// Returns the symbol, if there is one.
    pub(crate) fn symbol(&self) -> Option<Symbol<'_>> {
        symbol::parse(self.text.get(..self.length)?)
    }
}
