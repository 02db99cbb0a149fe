// SPDX-License-Identifier: GPL-2.0

//! Pure decoding: from what the kernel left in flags, page-table entries and addresses to names.
//!
//! Everything here takes integers or byte strings and returns plain types. There is no unsafe
//! code, no input or output and no allocation, so that each file is tested by the KUnit suite that
//! it carries, without a fault having to happen.

pub(crate) mod async_pf;
pub(crate) mod c_list;
pub(crate) mod class;
pub(crate) mod classify;
pub(crate) mod cpu_list;
pub(crate) mod digits;
pub(crate) mod error_code;
pub(crate) mod escape;
pub(crate) mod filter;
pub(crate) mod flags;
pub(crate) mod histogram;
pub(crate) mod idt;
#[cfg(CONFIG_KUNIT = "y")]
mod printed;
pub(crate) mod pte;
pub(crate) mod refusal;
pub(crate) mod region;
pub(crate) mod symbol;
