// SPDX-License-Identifier: GPL-2.0

//! The text by which the kernel names an address.

use kernel::prelude::*;

/// A symbol, and how far behind its start an address lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol<'a> {
    /// The name.
    pub(crate) name: &'a [u8],
    /// Distance from the start.
    pub(crate) offset: u64,
    /// The module that the symbol is in, or what the kernel names in its place; `None`: the kernel
    /// itself, or a BPF program.
    pub(crate) module: Option<&'a [u8]>,
}

impl Symbol<'_> {
    /// Returns whether this is a place in the kernel itself.
    ///
    /// A BPF program can't take the name: the kernel begins those with `bpf_`.
    pub(crate) fn is_kernels(&self, name: &str, offset: u64) -> bool {
        self.module.is_none() && self.name == name.as_bytes() && self.offset == offset
    }
}

/// Returns the symbol that a text names which sprint_symbol() wrote: `name+0xOFFSET/0xSIZE`, then
/// ` [module]` for a symbol of a module.
///
/// `None`: the kernel found no symbol (the text is a bare number), or it is no such text.
pub(crate) fn parse(text: &[u8]) -> Option<Symbol<'_>> {
    let (place, module) = match split_at_byte(text, b' ') {
        Some((place, rest)) => (place, Some(module(rest)?)),
        None => (text, None),
    };
    // Names have no plus sign.
    let (name, extent) = split_at_byte(place, b'+')?;
    let (offset, size) = split_at_byte(extent, b'/')?;
    hex(size)?;

    (!name.is_empty()).then_some(Symbol {
        name,
        offset: hex(offset)?,
        module,
    })
}

/// Returns the name out of `[name]`, or out of `[name BUILD-ID]` as sprint_symbol_build_id() writes
/// it.
fn module(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let name = inside.split(|&b| b == b' ').next()?;

    (!name.is_empty()).then_some(name)
}

/// Returns what is before and what is behind the first such byte.
fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |&b| b == byte);

    Some((parts.next()?, parts.next()?))
}

/// Returns the value of a number as `%#lx` writes it.
fn hex(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x")?;
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }

    digits.iter().try_fold(0, |value: u64, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

#[kunit_tests(trapscope_symbol)]
mod tests {
    use super::*;

    const PAGE_FAULT: Symbol<'_> = Symbol {
        name: b"asm_exc_page_fault",
        offset: 0,
        module: None,
    };

    #[test]
    fn kernel_symbols() {
        assert_eq!(parse(b"asm_exc_page_fault+0x0/0x30"), Some(PAGE_FAULT));
        let entry = Symbol {
            name: b"irq_entries_start",
            offset: 0xca0,
            module: None,
        };
        assert_eq!(parse(b"irq_entries_start+0xca0/0xcb0"), Some(entry));
        let last = Symbol {
            name: b"_RNvNtC4core3fmt5write.llvm.1$x",
            offset: u64::MAX,
            module: None,
        };
        assert_eq!(
            parse(b"_RNvNtC4core3fmt5write.llvm.1$x+0xffffffffffffffff/0x1"),
            Some(last)
        );
    }

    #[test]
    fn modules() {
        let altered = |module| {
            Some(Symbol {
                name: b"altered",
                offset: 0x1f,
                module: Some(module),
            })
        };
        assert_eq!(parse(b"altered+0x1f/0x20 [test_mod]"), altered(b"test_mod"));
        assert_eq!(parse(b"altered+0x1f/0x20 [bpf]"), altered(b"bpf"));
        assert_eq!(
            parse(b"altered+0x1f/0x20 [__builtin__ftrace]"),
            altered(b"__builtin__ftrace")
        );
        assert_eq!(
            parse(b"altered+0x1f/0x20 [mod 0123456789abcdef0123456789abcdef01234567]"),
            altered(b"mod")
        );
    }

    #[test]
    fn no_symbol() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"0x0"), None);
        assert_eq!(parse(b"0xffffffff81801240"), None);
    }

    #[test]
    fn malformed() {
        let texts: [&[u8]; 20] = [
            b"name",
            b"name+0x1",
            b"name+0x1/",
            b"name+/0x1",
            b"name+0x/0x1",
            b"name+1/0x1",
            b"name+0x1/1",
            b"name+0xg/0x1",
            b"name+0x1/0xg",
            b"name+0x+1/0x1",
            b"name+0x-1/0x1",
            b"name+0x10000000000000000/0x1",
            b"+0x1/0x2",
            b"name+0x1/0x2 ",
            b"name+0x1/0x2 mod",
            b"name+0x1/0x2 [mod",
            b"name+0x1/0x2 mod]",
            b"name+0x1/0x2 []",
            b"name+0x1/0x2\n",
            b"name+0x1/0x2\0",
        ];
        for text in texts {
            assert!(parse(text).is_none());
        }
    }

    #[test]
    fn only_the_kernels_own_counts() {
        assert!(PAGE_FAULT.is_kernels("asm_exc_page_fault", 0));
        assert!(!PAGE_FAULT.is_kernels("asm_exc_page_fault", 1));
        assert!(!PAGE_FAULT.is_kernels("asm_exc_page_faul", 0));
        assert!(!PAGE_FAULT.is_kernels("exc_page_fault", 0));
        let foreign = Symbol {
            module: Some(b"evil"),
            ..PAGE_FAULT
        };
        assert!(!foreign.is_kernels("asm_exc_page_fault", 0));
    }
}
