// SPDX-License-Identifier: GPL-2.0

//! Pages that the CPU can only read where it is told to look for them.
//!
//! C header: [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h)

use crate::bindings;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    ffi::c_void,
    prelude::*, //
};

/// Size of a page, in bytes.
pub(crate) const PAGE: usize = 4096;

/// Pages, with an alias that can't be written to.
///
/// # Invariants
///
/// `writable` and `alias` map the same `count` pages, owned by this value.
pub(crate) struct ReadOnlyPages {
    writable: NonNull<c_void>,
    alias: NonNull<c_void>,
    count: u32,
}

// SAFETY: The pages belong to no task.
unsafe impl Send for ReadOnlyPages {}

// SAFETY: A shared reference gives addresses only.
unsafe impl Sync for ReadOnlyPages {}

impl ReadOnlyPages {
    /// Allocates pages, filled with zeros.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new(count: u32) -> Result<Self> {
        let mut writable = null_mut();
        // SAFETY: `writable` is valid for writes.
        let alias = unsafe { bindings::trapscope_alloc_read_only(count, &mut writable) };
        // INVARIANT: By the allocator.
        Ok(Self {
            alias: NonNull::new(alias).ok_or(ENOMEM)?,
            writable: NonNull::new(writable).ok_or(ENOMEM)?,
            count,
        })
    }

    /// Returns where the pages can be read, one behind the other.
    pub(crate) fn address(&self) -> u64 {
        self.alias.as_ptr() as u64
    }

    /// Writes into a page; what would go beyond its end is left out.
    pub(crate) fn write(&mut self, page: u32, offset: usize, bytes: &[u8]) {
        if page >= self.count || offset.saturating_add(bytes.len()) > PAGE {
            return;
        }
        let at = page as usize * PAGE + offset;
        // SAFETY: In range (type invariant), and nobody else has the pages.
        let to = unsafe { self.writable.cast::<u8>().add(at) };
        // SAFETY: As above; the bytes are not in there.
        unsafe {
            to.as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }
}

impl Drop for ReadOnlyPages {
    fn drop(&mut self) {
        // SAFETY: From the allocator, and not used after this.
        unsafe {
            bindings::trapscope_free_read_only(
                self.alias.as_ptr(),
                self.writable.as_ptr(),
                self.count,
            )
        };
    }
}
