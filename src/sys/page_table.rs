// SPDX-License-Identifier: GPL-2.0

//! Leaf entries of page tables, as they stand.
//!
//! C header: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h)

use crate::bindings;

/// The entry at which a walk of the page table ended.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    /// The raw entry; 0 if nothing is mapped there.
    pub(crate) value: u64,
    /// 1 for a PTE, 2 for a PMD, 3 for a PUD or above.
    pub(crate) level: u8,
}

impl From<bindings::trapscope_leaf> for Leaf {
    #[inline]
    fn from(raw: bindings::trapscope_leaf) -> Self {
        Self {
            value: raw.value,
            level: raw.level,
        }
    }
}

/// Tells whether a page that a locked VMA maps is anonymous.
///
/// The huge zero page is the one huge page in an anonymous mapping that is
/// not. Source: `PageAnon()`, include/linux/page-flags.h.
pub(crate) fn pfn_is_anonymous(pfn: u64) -> bool {
    // SAFETY: The C side checks that the PFN has a page; a stale one gives a
    // wrong answer, no harm.
    unsafe { bindings::trapscope_pfn_is_anon(pfn) }
}
