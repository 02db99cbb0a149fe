// SPDX-License-Identifier: GPL-2.0

//! Entries of page tables, as they stand.
//!
//! C header: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h)

use crate::{
    bindings,
    decode::pte::{
        self,
        Format,
        Level,
        State,
        SwapTypes, //
    }, //
};
use kernel::prelude::*;

/// Reads page tables, each level once, down to where nothing lies below.
pub(crate) struct PageTables {
    format: Format,
    /// Where physical memory is mapped.
    page_offset: u64,
    five_levels: bool,
}

/// Interrupts are off on this CPU while it lives.
struct IrqsOff(usize);

impl IrqsOff {
    fn new() -> Self {
        // SAFETY: Undone by the drop, on the same CPU.
        Self(unsafe { bindings::trapscope_irq_save() })
    }
}

impl Drop for IrqsOff {
    fn drop(&mut self) {
        // SAFETY: What `new()` saved, on the same CPU.
        unsafe { bindings::trapscope_irq_restore(self.0) };
    }
}

impl PageTables {
    /// Asks for the format of this kernel's entries, on this machine.
    ///
    /// Fails with `EOPNOTSUPP` in a Xen PV guest, where entries are not what
    /// they seem.
    pub(crate) fn new() -> Result<Self> {
        let mut raw = bindings::trapscope_pte_format::default();
        // SAFETY: `raw` is valid for writes.
        unsafe { bindings::trapscope_pte_format(&mut raw) };
        if raw.foreign {
            return Err(EOPNOTSUPP);
        }
        Ok(Self {
            format: Format {
                swap: SwapTypes::new(
                    cfg!(CONFIG_MEMORY_FAILURE),
                    cfg!(CONFIG_MIGRATION),
                    cfg!(CONFIG_DEVICE_PRIVATE),
                ),
                pfn_mask: raw.pfn_mask,
                zero_pfn: raw.zero_pfn,
                shadow_stack: raw.shadow_stack,
            },
            page_offset: raw.page_offset,
            five_levels: raw.five_levels,
        })
    }

    /// Returns the entry at which a walk for an address ends, and its level:
    /// a hint, since no lock is taken, and the entry may be another one the
    /// next moment.
    ///
    /// # Safety
    ///
    /// `mm` is live, its lock or that of the VMA at `address` is held, and
    /// preemption is off. `hugetlb` if that VMA is one of hugetlbfs.
    #[inline(always)]
    pub(super) unsafe fn entry(
        &self,
        mm: *mut bindings::mm_struct,
        address: u64,
        hugetlb: bool,
    ) -> (u64, Level) {
        // The lock keeps the upper tables. Tables of PTEs are freed under RCU, for which preemption
        // is off. Those that hugetlb shares between processes may be freed otherwise: with
        // interrupts off they are not (see the comment above gup_fast() in mm/gup.c).
        let _irqs_off = hugetlb.then(IrqsOff::new);
        // SAFETY: By the caller, with the tables kept as said.
        unsafe { self.walk(mm, address) }
    }

    /// Tells what an entry says.
    #[inline(always)]
    pub(crate) fn decode(&self, entry: (u64, Level)) -> State {
        pte::decode(entry.0, entry.1, &self.format)
    }

    /// # Safety
    ///
    /// As for [`Self::entry`], and no table goes away meanwhile.
    #[inline(always)]
    unsafe fn walk(&self, mm: *mut bindings::mm_struct, address: u64) -> (u64, Level) {
        let offset = bindings::trapscope_offset_TRAPSCOPE_MM_PGD as usize;
        // SAFETY: The top table of a live mm stays the same.
        let mut table = unsafe { mm.byte_add(offset).cast::<u64>().read() };
        if self.five_levels {
            // SAFETY: The top table.
            let entry = unsafe { entry(table, address, 48) };
            if !pte::leads_to_puds(entry) {
                return (entry, Level::Pud);
            }
            table = self.table(entry);
        }
        // SAFETY: The top table, or one that an entry leads to.
        let p4d = unsafe { entry(table, address, 39) };
        if !pte::leads_to_puds(p4d) {
            return (p4d, Level::Pud);
        }
        // SAFETY: The entry leads to a table.
        let pud = unsafe { entry(self.table(p4d), address, 30) };
        if !pte::leads_on(pud) {
            return (pud, Level::Pud);
        }
        // SAFETY: As above.
        let pmd = unsafe { entry(self.table(pud), address, 21) };
        if !pte::leads_on(pmd) {
            return (pmd, Level::Pmd);
        }
        // SAFETY: As above.
        let pte = unsafe { entry(self.table(pmd), address, 12) };
        (pte, Level::Pte)
    }

    /// Returns the address of the table that an entry leads to.
    #[inline(always)]
    fn table(&self, entry: u64) -> u64 {
        (entry & self.format.pfn_mask).wrapping_add(self.page_offset)
    }
}

/// Returns the entry of a table for an address; `shift` says of which level.
///
/// # Safety
///
/// `table` is the address of a page table that stays while this runs.
#[inline(always)]
unsafe fn entry(table: u64, address: u64, shift: u32) -> u64 {
    let index = address >> shift & 0x1ff;
    // SAFETY: A table has 512 entries; the hardware and other CPUs write them whole.
    unsafe { (table as *const u64).add(index as usize).read_volatile() }
}
