// SPDX-License-Identifier: GPL-2.0

//! Looks at the machine's own tables, when somebody asks.

pub(crate) mod async_pf;
pub(crate) mod check;
pub(crate) mod idt;
