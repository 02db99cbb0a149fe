// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers around kernel facilities, one a file.
//!
//! All of the module's `unsafe` is here.

pub(crate) mod async_pf;
pub(crate) mod atomic;
pub(crate) mod clock;
pub(crate) mod cpus;
pub(crate) mod debugfs;
pub(crate) mod descriptor_table;
pub(crate) mod ftrace;
pub(crate) mod functions;
pub(crate) mod kernel_info;
pub(crate) mod kernel_page;
pub(crate) mod kprobe;
pub(crate) mod kretprobe;
pub(crate) mod notifier;
pub(crate) mod page_table;
pub(crate) mod per_cpu;
pub(crate) mod rcu;
pub(crate) mod read_only;
pub(crate) mod second_idt;
pub(crate) mod secrecy;
pub(crate) mod symbol;
pub(crate) mod task;
pub(crate) mod trace_event;
pub(crate) mod tracepoint;
pub(crate) mod vector_stubs;
pub(crate) mod vma;
