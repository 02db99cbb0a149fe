// SPDX-License-Identifier: GPL-2.0

//! Facts about the running kernel.

use crate::{
    bindings,
    decode::region::Layout, //
};
use core::ffi::CStr;
use kernel::prelude::*;

/// Returns where things are in the kernel's half of the address space.
///
/// Source: arch/x86/include/asm/pgtable_64_types.h,
/// Documentation/arch/x86/x86_64/mm.rst.
pub(crate) fn layout() -> (Layout, u64) {
    let mut raw = bindings::trapscope_layout::default();
    // SAFETY: `raw` is valid for writes.
    unsafe { bindings::trapscope_layout(&mut raw) };
    (
        Layout {
            page_offset: raw.page_offset,
            direct_map_end: raw.direct_map_end,
            vmalloc_start: raw.vmalloc_start,
            vmalloc_end: raw.vmalloc_end,
            vmemmap_start: raw.vmemmap_start,
            vmemmap_end: raw.vmemmap_end,
            cpu_entry_start: raw.cpu_entry_start,
            cpu_entry_end: raw.cpu_entry_end,
            image_start: raw.image_start,
            image_end: raw.image_end,
            modules_start: raw.modules_start,
            modules_end: raw.modules_end,
        },
        raw.task_size_max,
    )
}

/// Returns the kernel's release, as `uname -r` prints it.
pub(crate) fn release() -> &'static [u8] {
    // SAFETY: The release of the first UTS namespace never changes.
    unsafe { CStr::from_char_ptr(bindings::trapscope_kernel_release()) }.to_bytes()
}

/// Returns the memory that can be had without swapping, in bytes.
///
/// Source: `si_mem_available()`, mm/show_mem.c.
pub(crate) fn available_memory() -> u64 {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_available_memory() }
}

/// Returns how many CPUs there can be.
pub(crate) fn possible_cpus() -> u32 {
    // SAFETY: No preconditions.
    unsafe { bindings::trapscope_possible_cpus() }
}

/// Returns the numbers of the CPUs that there can be, in order.
pub(crate) fn cpus() -> impl Iterator<Item = u32> {
    let mut last = -1;
    core::iter::from_fn(move || {
        // SAFETY: No preconditions.
        last = unsafe { bindings::trapscope_next_cpu(last) };
        u32::try_from(last).ok()
    })
}

/// Returns the number of this CPU. Preemption is off.
pub(crate) fn this_cpu() -> usize {
    // SAFETY: No preconditions but the caller's.
    unsafe { bindings::trapscope_this_cpu() as usize }
}
