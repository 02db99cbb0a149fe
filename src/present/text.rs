// SPDX-License-Identifier: GPL-2.0

//! What several files write the same way.

use crate::{
    decode::{
        escape::{
            until_nul,
            Escaped,
            Piece,
            Set, //
        },
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

/// Writes a text that need not be UTF-8, with some of its bytes escaped.
pub(super) fn escaped(text: &[u8], set: Set, out: &mut Out<'_>) -> fmt::Result {
    for piece in Escaped(text, set).pieces() {
        match piece {
            Piece::Raw(bytes) => out.bytes(bytes),
            Piece::Octal(byte) => write!(out, "\\{byte:03o}")?,
        }
    }
    Ok(())
}

/// Writes a task's name as one word, `-` if it is empty.
pub(super) fn comm(comm: &Comm, out: &mut Out<'_>) -> fmt::Result {
    match until_nul(comm) {
        b"" => out.write_str("-"),
        name => escaped(name, Set::Word, out),
    }
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
