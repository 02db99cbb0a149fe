// SPDX-License-Identifier: GPL-2.0

//! Entries of page tables, as they stand.
//!
//! C header: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h)

use crate::{
    bindings,
    decode::pte::{
        Format,
        Level,
        SwapTypes, //
    }, //
};

/// Returns the entry at which a walk for an address ends, and its level.
///
/// No lock is taken: the entry may be another one the next moment.
///
/// # Safety
///
/// `mm` is live, and its lock or that of the VMA at `address` is held.
#[inline]
pub(super) unsafe fn read(mm: *mut bindings::mm_struct, address: u64) -> (u64, Level) {
    // SAFETY: By the caller.
    let leaf = unsafe { bindings::trapscope_read_leaf(mm, address as usize) };
    let level = match leaf.level {
        1 => Level::Pte,
        2 => Level::Pmd,
        _ => Level::Pud,
    };
    (leaf.value, level)
}

/// Returns the format of this kernel's entries, on this machine.
pub(crate) fn format() -> Format {
    let mut raw = bindings::trapscope_pte_format::default();
    // SAFETY: `raw` is valid for writes.
    unsafe { bindings::trapscope_pte_format(&mut raw) };
    Format {
        swap: SwapTypes::new(
            cfg!(CONFIG_MEMORY_FAILURE),
            cfg!(CONFIG_MIGRATION),
            cfg!(CONFIG_DEVICE_PRIVATE),
        ),
        pfn_mask: raw.pfn_mask,
        zero_pfn: raw.zero_pfn,
        shadow_stack: raw.shadow_stack,
    }
}
