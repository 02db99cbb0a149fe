// SPDX-License-Identifier: GPL-2.0

//! Atomic integers for the fault path.
//!
//! `kernel::sync::atomic` calls a C helper for each access, unless the kernel
//! was built with `CONFIG_RUST_INLINE_HELPERS`. On x86-64, the only
//! architecture that this module is for, core's relaxed, acquire and release
//! accesses are the same instructions, inline.

pub(crate) use core::sync::atomic::{
    fence,
    AtomicBool,
    AtomicU32,
    AtomicU64,
    AtomicUsize,
    Ordering, //
};
