// SPDX-License-Identifier: GPL-2.0

//! The stubs that count vectors, and where they go on to.
//!
//! Source: vector_stubs.S.

use crate::{
    bindings,
    decode::idt::GATES,
    sys::kernel_info, //
};

/// Sets of stubs: a CPU has one of its own, unless there are more CPUs.
pub(crate) const SETS: usize = bindings::TRAPSCOPE_STUB_SETS as usize;

const SIZE: u64 = bindings::TRAPSCOPE_STUB_SIZE as u64;

/// Returns the set of a CPU's stubs.
pub(crate) fn set_of(cpu: u32) -> usize {
    cpu as usize % SETS
}

/// Returns how many sets the CPUs of this machine use; their numbers may have gaps.
pub(crate) fn sets() -> usize {
    kernel_info::cpus()
        .map(set_of)
        .max()
        .map_or(0, |last| last + 1)
}

fn first() -> u64 {
    (&raw const bindings::trapscope_stubs) as u64
}

/// Returns the address of the stub of a vector in a set below [`SETS`].
pub(crate) fn address(set: usize, vector: u8) -> u64 {
    first() + (set * GATES + usize::from(vector)) as u64 * SIZE
}

/// Tells whether an address is that of a stub.
pub(crate) fn is_one(address: u64) -> bool {
    let distance = address.wrapping_sub(first());
    distance < (SETS * GATES) as u64 * SIZE && distance % SIZE == 0
}

/// Returns how often a vector came, since the module was loaded.
///
/// Zero for a set that is out of range.
pub(crate) fn count(set: usize, vector: u8) -> u64 {
    let index = set * GATES + usize::from(vector);
    if index >= SETS * GATES {
        return 0;
    }
    let first = (&raw const bindings::trapscope_stub_counts).cast::<u64>();
    // SAFETY: In range, of an array that lives as long as the module; whole
    // words do not tear.
    unsafe { first.wrapping_add(index).read_volatile() }
}

fn place_of_target(vector: u8) -> *mut u64 {
    let first = (&raw mut bindings::trapscope_stub_targets).cast::<u64>();
    first.wrapping_add(usize::from(vector))
}

/// Returns where the stubs of a vector go on to, as they read it.
pub(crate) fn target(vector: u8) -> u64 {
    // SAFETY: In range, since there are 256; whole words do not tear.
    unsafe { place_of_target(vector).read_volatile() }
}

/// Says where the stubs of a vector go on to.
///
/// # Safety
///
/// `handler` is the kernel's handler of that vector, and no gate leads to a
/// stub yet.
pub(super) unsafe fn set_target(vector: u8, handler: u64) {
    // SAFETY: In range, since there are 256; no stub reads it now, by the caller.
    unsafe { place_of_target(vector).write_volatile(handler) };
}
