// SPDX-License-Identifier: GPL-2.0

//! The files in trace_idt/: every vector that arrives, counted.

mod counts;
mod enable;
mod status;
mod table;

pub(super) use counts::Counts;
pub(super) use enable::Enable;
pub(super) use status::Status;
pub(super) use table::Stubs;
