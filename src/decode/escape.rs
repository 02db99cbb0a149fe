// SPDX-License-Identifier: GPL-2.0

//! Columns of text: names and paths whose bytes must not break a table, and permissions.

use super::filter::COMM_LEN;
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

/// The name of a task as a column between others.
pub(crate) struct Word {
    /// What it is the word for.
    comm: [u8; COMM_LEN],
    /// A blank, the word, a blank, and what is behind.
    pub(crate) text: [u8; 4 * COMM_LEN + 2],
    /// Bytes of these, without what is behind.
    pub(crate) length: usize,
}

impl Word {
    /// For no task: what it is the word for has no NUL at its end.
    pub(crate) const NONE: Self = Self {
        comm: [0xff; COMM_LEN],
        text: [0; 4 * COMM_LEN + 2],
        length: 0,
    };

    /// Escapes a name that is padded with NUL; an empty one is `-`.
    pub(crate) fn of(comm: &[u8; COMM_LEN]) -> Self {
        let mut word = Self {
            comm: *comm,
            ..Self::NONE
        };
        word.put(b" ");
        let name = match until_nul(comm) {
            b"" => b"-",
            name => name,
        };
        for piece in Escaped(name, Set::Word).pieces() {
            match piece {
                Piece::Raw(bytes) => word.put(bytes),
                Piece::Octal(byte) => word.put(&octal(byte)),
            }
        }
        word.put(b" ");
        word
    }

    /// A name has room for all its bytes escaped.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.text.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    /// Returns the word without the blanks.
    pub(crate) fn bare(&self) -> &[u8] {
        let end = self.length.saturating_sub(1);
        self.text.get(1..end).unwrap_or_default()
    }

    /// Tells whether this is the word for a name.
    #[inline]
    pub(crate) fn is_of(&self, comm: &[u8; COMM_LEN]) -> bool {
        self.comm == *comm
    }
}

/// Returns a byte as `\ooo`.
pub(crate) fn octal(byte: u8) -> [u8; 4] {
    [
        b'\\',
        b'0' + (byte >> 6),
        b'0' + (byte >> 3 & 7),
        b'0' + (byte & 7),
    ]
}

/// The permissions of a VMA as in /proc/PID/maps, from its flags (VM_READ and so on of
/// include/linux/mm.h).
#[derive(Clone, Copy)]
pub(crate) struct Perms(pub(crate) u64);

impl Perms {
    /// Returns the four letters.
    #[inline(always)]
    pub(crate) fn letters(self) -> [u8; 4] {
        let letter = |bit, set, clear| if self.0 & bit != 0 { set } else { clear };
        [
            letter(0x01, b'r', b'-'),
            letter(0x02, b'w', b'-'),
            letter(0x04, b'x', b'-'),
            letter(0x80, b's', b'p'),
        ]
    }
}

#[kunit_tests(trapscope_escape)]
mod tests {
    use super::*;

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
    fn names_of_tasks() {
        let word = |name: &[u8], expected: &[u8]| {
            let mut comm = [0; COMM_LEN];
            comm[..name.len()].copy_from_slice(name);
            let word = Word::of(&comm);
            word.is_of(&comm)
                && word.text.get(..word.length) == Some(expected)
                && word.bare() == expected.trim_ascii()
        };
        assert!(word(b"", b" - "));
        assert!(word(b"sh", b" sh "));
        assert!(word(b"a b", b" a\\040b "));
        let long = Word::of(&[0xff; COMM_LEN]);
        assert_eq!(long.length, long.text.len());
        assert!(long.text.ends_with(b"\\377\\377 "));
        assert!(!Word::of(b"0123456789abcdef").is_of(b"0123456789abcde\0"));
    }

    #[test]
    fn permissions() {
        assert_eq!(&Perms(0).letters(), b"---p");
        assert_eq!(&Perms(0x1 | 0x4 | 0x70).letters(), b"r-xp");
        assert_eq!(&Perms(0x3 | 0x80).letters(), b"rw-s");
        // VM_SHARED alone does not show: maps goes by VM_MAYSHARE.
        assert_eq!(&Perms(0x2 | 0x8).letters(), b"-w-p");
    }
}
