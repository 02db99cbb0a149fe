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
///
/// Printing writes bytes that are not UTF-8 as `\ooo` too, since formatting can't take them; a
/// writer that can takes [`Escaped::pieces`].
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

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces() {
            match piece {
                Piece::Octal(byte) => write_octal(f, byte)?,
                Piece::Raw(raw) => {
                    for chunk in raw.utf8_chunks() {
                        f.write_str(chunk.valid())?;
                        for &byte in chunk.invalid() {
                            write_octal(f, byte)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn write_octal(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    write!(f, "\\{byte:03o}")
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
    use core::fmt::Write;

    /// Fails to format as soon as the text is not the expected one.
    struct Expect<'a>(&'a str);

    impl Write for Expect<'_> {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(s).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    fn prints(value: impl fmt::Display, expected: &str) -> bool {
        let mut expect = Expect(expected);
        write!(expect, "{value}").is_ok() && expect.0.is_empty()
    }

    #[test]
    fn words() {
        let word = |bytes, expected| prints(Escaped(bytes, Set::Word), expected);
        assert!(word(b"", ""));
        assert!(word(b"kworker/0:1-[x]", "kworker/0:1-[x]"));
        assert!(word(b"a b\tc\nd", "a\\040b\\011c\\012d"));
        assert!(word(b"back\\slash", "back\\134slash"));
        assert!(word(b"\x01\x7f", "\\001\\177"));
        assert!(word(b"gr\xc3\xbcn\xff", "gr\\303\\274n\\377"));
        assert!(word(b"  ", "\\040\\040"));
    }

    #[test]
    fn lines() {
        let line = |bytes, expected| prints(Escaped(bytes, Set::Line), expected);
        assert!(line(b"/a b\\c", "/a b\\c"));
        assert!(line(b"/a\nb\n", "/a\\012b\\012"));
        assert!(line(b"/gr\xc3\xbcn", "/gr\u{fc}n"));
        // Not UTF-8: escaped where it has to be, up to a character cut short at the end.
        assert!(line(b"/\xffx\xc3", "/\\377x\\303"));
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
