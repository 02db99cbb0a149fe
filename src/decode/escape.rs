// SPDX-License-Identifier: GPL-2.0

//! Columns of text: names and paths whose bytes must not break a table, and permissions.

use core::fmt;
use kernel::prelude::*;

/// Which bytes are written as `\ooo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Set {
    /// For a column between others: all but the visible characters of ASCII, and the backslash.
    Word,
    /// For the last column: newlines only, as seq_path() does it for /proc/PID/maps.
    Line,
}

impl Set {
    const fn has(self, byte: u8) -> bool {
        match self {
            Set::Word => !byte.is_ascii_graphic() || byte == b'\\',
            Set::Line => byte == b'\n',
        }
    }
}

/// A part of an escaped text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    /// Bytes to be written as they are; never empty, and not always UTF-8.
    Raw(&'a [u8]),
    /// A byte to be written as three octal digits after a backslash.
    Octal(u8),
}

/// A text with some of its bytes escaped.
#[derive(Clone, Copy)]
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8], pub(crate) Set);

impl<'a> Escaped<'a> {
    /// Returns the parts of the text, in order.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        let Escaped(mut rest, set) = self;

        core::iter::from_fn(move || {
            let (&first, tail) = rest.split_first()?;
            if set.has(first) {
                rest = tail;
                return Some(Piece::Octal(first));
            }
            let len = rest.iter().take_while(|&&b| !set.has(b)).count();
            let (raw, tail) = rest.split_at_checked(len)?;
            rest = tail;
            Some(Piece::Raw(raw))
        })
    }
}

/// Returns the bytes before the first NUL.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&b| b == 0).next().unwrap_or_default()
}

/// The permissions of a VMA as in /proc/PID/maps, from its flags (VM_READ and so on of
/// include/linux/mm.h).
#[derive(Clone, Copy)]
pub(crate) struct Perms(pub(crate) u64);

impl fmt::Display for Perms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (0x01, "r", "-"),
            (0x02, "w", "-"),
            (0x04, "x", "-"),
            (0x80, "s", "p"),
        ];
        for (bit, set, clear) in letters {
            f.write_str(if self.0 & bit != 0 { set } else { clear })?;
        }
        Ok(())
    }
}

#[kunit_tests(trapscope_escape)]
mod tests {
    use super::*;
    use crate::decode::printed::prints;

    /// Fails to format as soon as the text is not the expected one.
    /// Tells whether the pieces, put together, are the expected text.
    fn gives(text: Escaped<'_>, mut expected: &[u8]) -> bool {
        for piece in text.pieces() {
            let rest = match piece {
                Piece::Raw(raw) => expected.strip_prefix(raw),
                Piece::Octal(byte) => {
                    let digits = [byte >> 6, byte >> 3 & 7, byte & 7].map(|digit| b'0' + digit);
                    expected
                        .strip_prefix(b"\\")
                        .and_then(|rest| rest.strip_prefix(&digits))
                }
            };
            match rest {
                Some(rest) => expected = rest,
                None => return false,
            }
        }
        expected.is_empty()
    }

    #[test]
    fn words() {
        let word = |bytes, expected: &[u8]| gives(Escaped(bytes, Set::Word), expected);
        assert!(word(b"", b""));
        assert!(word(b"kworker/0:1-[x]", b"kworker/0:1-[x]"));
        assert!(word(b"a b\tc\nd", b"a\\040b\\011c\\012d"));
        assert!(word(b"back\\slash", b"back\\134slash"));
        assert!(word(b"\x01\x7f", b"\\001\\177"));
        assert!(word(b"gr\xc3\xbcn\xff", b"gr\\303\\274n\\377"));
        assert!(word(b"  ", b"\\040\\040"));
        assert!(!word(b"a b", b"a b"));
    }

    #[test]
    fn lines() {
        let line = |bytes, expected: &[u8]| gives(Escaped(bytes, Set::Line), expected);
        assert!(line(b"/a b\\c", b"/a b\\c"));
        assert!(line(b"/a\nb\n", b"/a\\012b\\012"));
        // Bytes stay as they are, UTF-8 or not.
        assert!(line(b"/gr\xc3\xbcn\xff", b"/gr\xc3\xbcn\xff"));
    }

    #[test]
    fn pieces_keep_bytes() {
        let mut pieces = Escaped(b"/\xff\n\nx", Set::Line).pieces();
        assert_eq!(pieces.next(), Some(Piece::Raw(b"/\xff")));
        assert_eq!(pieces.next(), Some(Piece::Octal(b'\n')));
        assert_eq!(pieces.next(), Some(Piece::Octal(b'\n')));
        assert_eq!(pieces.next(), Some(Piece::Raw(b"x")));
        assert_eq!(pieces.next(), None);
    }

    #[test]
    fn text_ends_at_nul() {
        assert_eq!(until_nul(b"sh\0\0x"), b"sh");
        assert_eq!(until_nul(b"full"), b"full");
        assert_eq!(until_nul(b"\0"), b"");
        assert_eq!(until_nul(b""), b"");
    }

    #[test]
    fn permissions() {
        assert!(prints(Perms(0), "---p"));
        assert!(prints(Perms(0x1 | 0x4 | 0x70), "r-xp"));
        assert!(prints(Perms(0x3 | 0x80), "rw-s"));
        // VM_SHARED alone does not show: maps goes by VM_MAYSHARE.
        assert!(prints(Perms(0x2 | 0x8), "-w-p"));
    }
}
