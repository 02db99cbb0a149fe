// SPDX-License-Identifier: GPL-2.0

//! What the last entry of a page-table walk says about an address, on x86-64.
//!
//! Bits and rules are those of arch/x86/include/asm/pgtable.h, pgtable_types.h, pgtable_64.h and
//! pgtable-invert.h; entries that are not present are read as include/linux/leafops.h does. hugetlb
//! uses the same formats at PMD and PUD level.

use kernel::prelude::*;

const PRESENT: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// At PMD and PUD level: the entry maps a page instead of a table.
const PSE: u64 = 1 << 7;
/// In an entry without [`PRESENT`]: present for the kernel, but the hardware has to trap.
const PROTNONE: u64 = 1 << 8;
/// The page has no reference count; on a private mapping's PMD this is the huge zero page.
const SPECIAL: u64 = 1 << 9;
/// userfaultfd protects the page.
const UFFD: u64 = 1 << 10;

/// As [`UFFD`], in a swap entry (_PAGE_SWP_UFFD).
const SWAP_UFFD: u64 = 1 << 2;

/// Bits that old CPUs may set in an entry that is none (_PAGE_KNL_ERRATUM_MASK).
const ERRATUM: u64 = ACCESSED | DIRTY;

/// The kind of an entry that is not present sits in the upper five bits.
const SWAP_TYPE_SHIFT: u32 = 59;
/// Number of kinds that five bits can tell apart (1 << MAX_SWAPFILES_SHIFT).
const SWAP_TYPES: u8 = 32;

/// The level of a page-table entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Level {
    /// Maps 4 KiB.
    Pte,
    /// Maps 2 MiB, or leads to a table of PTEs.
    Pmd,
    /// Maps 1 GiB, or leads to a table of PMDs.
    Pud,
}

/// What the swap types above those of the swap devices stand for (include/linux/swap.h).
///
/// # Invariants
///
/// `files <= migration <= device <= marker`; each kind reaches up to the next one, and what lies
/// between `files` and `migration` is the type of poisoned memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SwapTypes {
    /// Number of types that are swap devices: MAX_SWAPFILES.
    files: u8,
    /// First of the types that stand for a page under migration.
    migration: u8,
    /// First of the types that stand for a page that a device has.
    device: u8,
    /// The type of PTE markers: SWP_PTE_MARKER.
    marker: u8,
}

impl SwapTypes {
    /// Returns the types of a kernel that was built with, in this order, CONFIG_MEMORY_FAILURE,
    /// CONFIG_MIGRATION and CONFIG_DEVICE_PRIVATE.
    pub(crate) const fn new(memory_failure: bool, migration: bool, device_private: bool) -> Self {
        let marker = SWAP_TYPES - 1;
        let device = marker - if device_private { 3 } else { 0 };
        let first_migration = device - if migration { 3 } else { 0 };
        let files = first_migration - memory_failure as u8;

        // INVARIANT: Each value was derived from the one above it by subtraction.
        Self {
            files,
            migration: first_migration,
            device,
            marker,
        }
    }
}

/// What depends on the build and on the machine in the format of the entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// The swap types.
    pub(crate) swap: SwapTypes,
    /// Bits of an entry that hold the page frame number: PTE_PFN_MASK, without the encryption bit.
    pub(crate) pfn_mask: u64,
    /// Page frame number of the zero page.
    pub(crate) zero_pfn: u64,
    /// Whether the CPU has user shadow stacks, which are writable without being marked so.
    pub(crate) shadow_stack: bool,
}

/// A page that is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// Number of its first page frame.
    pub(crate) pfn: u64,
    /// The level that maps it; above PTE level the page is huge.
    pub(crate) level: Level,
    /// Whether it can be written to, as in pte_write().
    pub(crate) write: bool,
    /// Whether every access traps, as in pte_protnone().
    pub(crate) protnone: bool,
    /// Whether userfaultfd protects it, as in pte_uffd().
    pub(crate) uffd: bool,
    /// Whether it is the zero page, as in is_zero_pfn(), or the huge one.
    ///
    /// The number of the huge zero page is not to be had by modules. Its PMD is special, though,
    /// and the only other special PMDs are in mappings that are never copied (insert_pmd() of
    /// mm/huge_memory.c), where the answer does not matter.
    pub(crate) zero: bool,
}

/// What an address is mapped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing; the entry at this level is none.
    Missing(Level),
    /// Nothing, but something to remember: poison, a guard page, or userfaultfd's protection.
    Marker,
    /// A slot of a swap device; userfaultfd may protect the page, as in pte_swp_uffd().
    Swap {
        /// userfaultfd protects it.
        uffd: bool,
    },
    /// A page under migration.
    Migration,
    /// A page that is in the memory of a device, or held by a device alone.
    DevicePrivate,
    /// Poisoned memory, or a type of entry that does not exist; the fault will fail.
    Unusable,
    /// A page.
    Present(Leaf),
}

impl State {
    /// Returns the number of the page frame that is mapped, if there is one.
    #[inline]
    pub(crate) const fn pfn(self) -> Option<u64> {
        match self {
            State::Present(leaf) => Some(leaf.pfn),
            _ => None,
        }
    }
}

/// Returns whether an entry is none.
#[inline(always)]
pub(crate) const fn is_none(value: u64) -> bool {
    value & !ERRATUM == 0
}

/// Returns whether an entry above PUD level leads to a table.
#[inline(always)]
pub(crate) const fn leads_to_puds(value: u64) -> bool {
    value & PRESENT != 0
}

/// Returns whether an entry at PUD or PMD level leads to a table.
#[inline(always)]
pub(crate) const fn leads_on(value: u64) -> bool {
    value & (PRESENT | PSE) == PRESENT
}

/// Returns what a page-table entry says.
///
/// `value` is the entry at which a walk stopped and `level` the level of that entry. A walk that
/// stopped above PUD level passes [`Level::Pud`].
#[inline(always)]
pub(crate) fn decode(value: u64, level: Level, format: &Format) -> State {
    // Huge pages that are being split are present while only PSE is left.
    let present = match level {
        Level::Pte => PRESENT | PROTNONE,
        Level::Pmd | Level::Pud => PRESENT | PROTNONE | PSE,
    };

    if is_none(value) {
        State::Missing(level)
    } else if value & present != 0 {
        State::Present(leaf(value, level, format))
    } else {
        not_present(value, &format.swap)
    }
}

#[inline]
fn leaf(value: u64, level: Level, format: &Format) -> Leaf {
    // The frame number is inverted where the hardware would not look at it, against L1TF.
    let frame = if value & PRESENT == 0 { !value } else { value };
    // Below the frame number of a huge page is a bit that belongs to its caching mode.
    let frame_mask = match level {
        Level::Pte => !0,
        Level::Pmd => !((1 << 21) - 1),
        Level::Pud => !((1 << 30) - 1),
    };
    let pfn = (frame & format.pfn_mask & frame_mask) >> 12;

    Leaf {
        pfn,
        level,
        // Dirty without RW is a shadow stack, where there are any.
        write: value & RW != 0 || (format.shadow_stack && value & DIRTY != 0),
        protnone: value & (PRESENT | PROTNONE) == PROTNONE,
        uffd: value & UFFD != 0,
        zero: match level {
            Level::Pte => pfn == format.zero_pfn,
            Level::Pmd => value & SPECIAL != 0,
            Level::Pud => false,
        },
    }
}

#[cold]
fn not_present(value: u64, types: &SwapTypes) -> State {
    let kind = (value >> SWAP_TYPE_SHIFT) as u8;

    if kind < types.files {
        State::Swap {
            uffd: value & SWAP_UFFD != 0,
        }
    } else if kind < types.migration {
        State::Unusable
    } else if kind < types.device {
        State::Migration
    } else if kind < types.marker {
        State::DevicePrivate
    } else {
        State::Marker
    }
}

#[kunit_tests(trapscope_pte)]
mod tests {
    use super::*;

    const SWAP: State = State::Swap { uffd: false };
    const USER: u64 = 1 << 2;
    const GLOBAL: u64 = PROTNONE;
    const SAVED_DIRTY: u64 = 1 << 58;
    const NX: u64 = 1 << 63;
    const PFN_MASK: u64 = 0x000f_ffff_ffff_f000;

    const FULL: Format = Format {
        swap: SwapTypes::new(true, true, true),
        pfn_mask: PFN_MASK,
        zero_pfn: 0x1234,
        shadow_stack: false,
    };

    fn swap_entry(kind: u64, offset: u64) -> u64 {
        kind << 59 | (!offset << 14 >> 5)
    }

    fn mapped(value: u64, level: Level) -> Leaf {
        match decode(value, level, &FULL) {
            State::Present(leaf) => leaf,
            _ => Leaf {
                pfn: u64::MAX,
                level,
                write: false,
                protnone: false,
                uffd: false,
                zero: false,
            },
        }
    }

    #[test]
    fn none_at_each_level() {
        for level in [Level::Pte, Level::Pmd, Level::Pud] {
            assert_eq!(decode(0, level, &FULL), State::Missing(level));
            assert_eq!(decode(ERRATUM, level, &FULL), State::Missing(level));
        }
    }

    #[test]
    fn present_page() {
        let value = 0xabcd << 12 | PRESENT | RW | USER | ACCESSED | DIRTY | NX;
        assert_eq!(
            mapped(value, Level::Pte),
            Leaf {
                pfn: 0xabcd,
                level: Level::Pte,
                write: true,
                protnone: false,
                uffd: false,
                zero: false,
            }
        );
        assert!(!mapped(value & !RW, Level::Pte).write);
        assert!(mapped(value | UFFD, Level::Pte).uffd);
        // A bit that is a caching mode in a PTE does not make the page huge.
        assert_eq!(mapped(value | PSE, Level::Pte).pfn, 0xabcd);
        // Global and present is not protnone.
        assert!(!mapped(value | GLOBAL, Level::Pte).protnone);
    }

    #[test]
    fn protnone_page_has_its_frame_number_inverted() {
        let inverted = (!(0xabcd_u64 << 12) & PFN_MASK) | PROTNONE | ACCESSED;
        let leaf = mapped(inverted, Level::Pte);
        assert!(leaf.protnone);
        assert_eq!(leaf.pfn, 0xabcd);
        assert!(!leaf.uffd);
        assert!(mapped(inverted | UFFD, Level::Pte).uffd);

        let huge = (!(0x4_0000_u64 << 12) & PFN_MASK & !((1 << 21) - 1)) | PROTNONE | PSE;
        let leaf = mapped(huge, Level::Pmd);
        assert!(leaf.protnone);
        assert_eq!(leaf.pfn, 0x4_0000);
    }

    #[test]
    fn huge_pages() {
        // Bit 12 is the caching mode of a huge page and no part of its frame number.
        let pmd = 0x4_0000 << 12 | 1 << 12 | PRESENT | PSE | USER;
        assert_eq!(mapped(pmd, Level::Pmd).pfn, 0x4_0000);
        assert_eq!(mapped(pmd, Level::Pmd).level, Level::Pmd);
        let pud = 0x8_0000 << 12 | 1 << 12 | PRESENT | PSE | RW;
        assert_eq!(mapped(pud, Level::Pud).pfn, 0x8_0000);
        assert!(mapped(pud, Level::Pud).write);
    }

    #[test]
    fn huge_page_under_split_stays_present() {
        let split = (!(0x4_0000_u64 << 12) & PFN_MASK & !((1 << 21) - 1)) | PSE | RW;
        let leaf = mapped(split, Level::Pmd);
        assert!(!leaf.protnone);
        assert_eq!(leaf.pfn, 0x4_0000);
    }

    #[test]
    fn shadow_stacks_are_writable() {
        let shadow = 5 << 12 | PRESENT | DIRTY;
        let format = Format {
            shadow_stack: true,
            ..FULL
        };
        let writable = |value, level| match decode(value, level, &format) {
            State::Present(leaf) => leaf.write,
            _ => false,
        };
        assert!(!mapped(shadow, Level::Pte).write);
        assert!(writable(shadow, Level::Pte));
        assert!(writable(shadow | PSE, Level::Pmd));
        // Dirty and then write-protected: the dirty bit was saved elsewhere.
        assert!(!writable(5 << 12 | PRESENT | SAVED_DIRTY, Level::Pte));
    }

    #[test]
    fn zero_pages() {
        assert!(mapped(0x1234 << 12 | PRESENT | SPECIAL, Level::Pte).zero);
        assert!(!mapped(0x1235 << 12 | PRESENT | SPECIAL, Level::Pte).zero);
        assert!(mapped(0x4_0000 << 12 | PRESENT | PSE | SPECIAL, Level::Pmd).zero);
        assert!(!mapped(0x4_0000 << 12 | PRESENT | PSE, Level::Pmd).zero);
        // The zero page stays the zero page when it is made inaccessible.
        let inverted = (!(0x1234_u64 << 12) & PFN_MASK) | PROTNONE | SPECIAL;
        assert!(mapped(inverted, Level::Pte).zero);
    }

    #[test]
    fn encryption_bit_is_no_part_of_the_frame_number() {
        let format = Format {
            pfn_mask: PFN_MASK & !(1 << 47),
            ..FULL
        };
        let value = 1 << 47 | 0x1234 << 12 | PRESENT;
        assert_eq!(decode(value, Level::Pte, &format).pfn(), Some(0x1234));
        assert_eq!(SWAP.pfn(), None);
    }

    #[test]
    fn entries_that_are_not_present() {
        let kind = |kind| decode(swap_entry(kind, 0x77), Level::Pte, &FULL);
        assert_eq!(kind(0), SWAP);
        assert_eq!(kind(23), SWAP);
        assert_eq!(kind(24), State::Unusable);
        for migration in 25..28 {
            assert_eq!(kind(migration), State::Migration);
        }
        for device in 28..31 {
            assert_eq!(kind(device), State::DevicePrivate);
        }
        assert_eq!(kind(31), State::Marker);
        // Flags of swap entries: soft-dirty, uffd, exclusive.
        let others = swap_entry(2, 9) | RW | 1 << 3;
        assert_eq!(decode(others, Level::Pte, &FULL), SWAP);
        let uffd = State::Swap { uffd: true };
        assert_eq!(decode(others | SWAP_UFFD, Level::Pte, &FULL), uffd);
    }

    #[test]
    fn migration_and_device_entries_of_huge_pages() {
        let at = |kind, level| decode(swap_entry(kind, 0x4_0000), level, &FULL);
        assert_eq!(at(25, Level::Pmd), State::Migration);
        assert_eq!(at(25, Level::Pud), State::Migration);
        assert_eq!(at(28, Level::Pmd), State::DevicePrivate);
        assert_eq!(at(24, Level::Pmd), State::Unusable);
    }

    #[test]
    fn swap_types_follow_the_build() {
        let kinds = |memory_failure, migration, device| {
            let types = SwapTypes::new(memory_failure, migration, device);
            let count = |state| {
                (0..32)
                    .filter(|&k| not_present(swap_entry(k, 0), &types) == state)
                    .count()
            };
            assert_eq!(usize::from(types.files), count(SWAP));
            [
                count(SWAP),
                count(State::Unusable),
                count(State::Migration),
                count(State::DevicePrivate),
                count(State::Marker),
            ]
        };
        assert_eq!(kinds(true, true, true), [24, 1, 3, 3, 1]);
        assert_eq!(kinds(false, true, true), [25, 0, 3, 3, 1]);
        assert_eq!(kinds(true, false, true), [27, 1, 0, 3, 1]);
        assert_eq!(kinds(true, true, false), [27, 1, 3, 0, 1]);
        assert_eq!(kinds(false, false, false), [31, 0, 0, 0, 1]);
    }
}
