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
        symbol::SymbolText,
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

/// Writes the symbol of a kernel address as `symbol+offset`, and its module in
/// brackets after `before_module`; `-` if there is none.
pub(super) fn symbol(address: u64, before_module: &str, out: &mut Out<'_>) -> fmt::Result {
    let text = SymbolText::of(address);
    let Some(Symbol {
        name,
        offset,
        module,
    }) = text.symbol()
    else {
        return out.write_str("-");
    };
    out.bytes(name);
    write!(out, "+{offset:#x}")?;
    if let Some(module) = module {
        out.write_str(before_module)?;
        out.write_str("[")?;
        out.bytes(module);
        out.write_str("]")?;
    }
    Ok(())
}
