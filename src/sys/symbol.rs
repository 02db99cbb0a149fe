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

/// Room for the text that the kernel has for an address.
pub(crate) struct SymbolBuffer([u8; LENGTH]);

impl SymbolBuffer {
    /// Begins empty.
    pub(crate) const fn new() -> Self {
        Self([0; LENGTH])
    }

    /// Looks the symbol of an address up, if there is one. From any context.
    pub(crate) fn look_up(&mut self, address: u64) -> Option<Symbol<'_>> {
        // SAFETY: The buffer is as large as the kernel's rule wants it.
        let length =
            unsafe { bindings::sprint_symbol(self.0.as_mut_ptr().cast(), address as usize) };
        symbol::parse(self.0.get(..usize::try_from(length).ok()?)?)
    }
}
