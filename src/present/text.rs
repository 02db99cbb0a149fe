// SPDX-License-Identifier: GPL-2.0

//! What several files write the same way.

use crate::{
    decode::{
        escape::Word,
        symbol::Symbol, //
    },
    sys::{
        debugfs::Out,
        symbol::SymbolBuffer,
        task::Comm, //
    }, //
};
use core::fmt::{
    self,
    Write, //
};

/// Writes a task's name as one word, `-` if it is empty.
pub(super) fn comm(comm: &Comm, out: &mut Out<'_>) {
    out.bytes(Word::of(comm).bare());
}

/// Writes a symbol as `symbol+offset`, and its module in brackets after
/// `before_module`; `-` if there is none.
pub(super) fn symbol(
    symbol: Option<&Symbol<'_>>,
    before_module: &str,
    out: &mut Out<'_>,
) -> fmt::Result {
    let Some(symbol) = symbol else {
        return out.write_str("-");
    };
    out.bytes(symbol.name);
    write!(out, "+{:#x}", symbol.offset)?;
    if let Some(module) = symbol.module {
        out.write_str(before_module)?;
        out.write_str("[")?;
        out.bytes(module);
        out.write_str("]")?;
    }
    Ok(())
}

/// Writes the symbol of a kernel address, as [`symbol`] does.
pub(super) fn symbol_at(address: u64, out: &mut Out<'_>) -> fmt::Result {
    symbol(SymbolBuffer::new().look_up(address).as_ref(), " ", out)
}
