// SPDX-License-Identifier: GPL-2.0

//! Text of many short columns, put together before it goes to the file.

use crate::{
    decode::{
        digits,
        escape::{
            octal,
            Escaped,
            Piece,
            Set,
            Word, //
        },
    },
    sys::debugfs::Out,
};

/// Bytes that go to the file at a time.
const ROOM: usize = 1024;

/// Columns on their way to a file.
///
/// What was written is in the file after [`Self::flush`].
pub(super) struct Line<'o, 'a> {
    out: &'o mut Out<'a>,
    room: [u8; ROOM],
    /// Bytes of `room` in use.
    length: usize,
}

impl<'o, 'a> Line<'o, 'a> {
    pub(super) fn new(out: &'o mut Out<'a>) -> Self {
        Self {
            out,
            room: [0; ROOM],
            length: 0,
        }
    }

    /// Sends on what is there.
    pub(super) fn flush(&mut self) {
        self.out
            .bytes(self.room.get(..self.length).unwrap_or_default());
        self.length = 0;
    }

    /// Returns the place of the next `size` bytes, which are at most [`ROOM`].
    #[inline(always)]
    fn take(&mut self, size: usize) -> &mut [u8] {
        if self.length > ROOM.saturating_sub(size) {
            self.flush();
        }
        let from = self.length;
        let end = from.wrapping_add(size);
        self.length = end;
        self.room.get_mut(from..end).unwrap_or_default()
    }

    /// Writes a text of fixed length.
    #[inline(always)]
    pub(super) fn text<const SIZE: usize>(&mut self, text: &[u8; SIZE]) {
        if let Ok(room) = <&mut [u8; SIZE]>::try_from(self.take(SIZE)) {
            *room = *text;
        }
    }

    /// Writes bytes that need not be UTF-8.
    #[inline(always)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(ROOM) {
            for (to, from) in self.take(piece.len()).iter_mut().zip(piece) {
                *to = *from;
            }
        }
    }

    /// Writes bytes with some of them escaped.
    pub(super) fn escaped(&mut self, bytes: &[u8], set: Set) {
        for piece in Escaped(bytes, set).pieces() {
            match piece {
                Piece::Raw(bytes) => self.bytes(bytes),
                Piece::Octal(byte) => self.text(&octal(byte)),
            }
        }
    }

    /// Writes the first bytes of a text of fixed length.
    #[inline(always)]
    pub(super) fn first<const SIZE: usize>(&mut self, size: usize, text: &[u8; SIZE]) {
        // All of them: what is behind is written over by what comes next.
        self.text(text);
        self.length = self.length.wrapping_sub(SIZE.saturating_sub(size));
    }

    /// Writes the name of a task, and a blank before and behind it.
    #[inline(always)]
    pub(super) fn word(&mut self, word: &Word) {
        // Few have so much to be escaped that they need all the room.
        match word.text.first_chunk::<24>() {
            Some(text) if word.length <= text.len() => self.first(word.length, text),
            _ => self.first(word.length, &word.text),
        }
    }

    /// Writes a decimal number, and one byte before it.
    #[inline(always)]
    pub(super) fn number(&mut self, before: u8, value: u64) {
        if value < 10 {
            self.text(&[before, b'0' + value as u8]);
        } else {
            self.text(&[before]);
            self.decimal(value);
        }
    }

    /// Writes a decimal number.
    pub(super) fn decimal(&mut self, value: u64) {
        digits::decimal(value, self.take(digits::decimal_length(value)));
    }

    /// Writes a hexadecimal number, with zeros in front up to `width`, which is 16 at
    /// most.
    #[inline(always)]
    pub(super) fn hex(&mut self, value: u64, width: usize) {
        let length = digits::hex_length(value).max(width);
        let unused = 16usize.saturating_sub(length) as u32 * 4;
        self.first(length, &digits::hex(value << unused));
    }
}
