// SPDX-License-Identifier: GPL-2.0

//! What page a kernel address maps.
//!
//! C header: [`arch/x86/include/asm/pgtable_types.h`](srctree/arch/x86/include/asm/pgtable_types.h)

use crate::bindings;

/// Follows an address through the kernel's page table, and returns where its
/// page lies in the kernel image, if it does, or else in the direct map.
///
/// `None` if nothing is mapped there. May be called from any context.
///
/// Source: `lookup_address()`, arch/x86/mm/pat/set_memory.c.
pub(crate) fn behind(address: u64) -> Option<u64> {
    // SAFETY: The address is only looked up.
    match unsafe { bindings::trapscope_find_page(address as usize) } {
        0 => None,
        page => Some(page),
    }
}
