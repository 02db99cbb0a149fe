// SPDX-License-Identifier: GPL-2.0

//! `trace_idt/status`: which table each CPU is on, and why the second is not.

use crate::{
    hook::vectors::{
        On,
        VectorTrace, //
    },
    inspect::idt::{
        Cpu,
        Snapshot, //
    },
    present::idt,
    sys::{
        debugfs::{
            Out,
            Page, //
        },
        second_idt,
        tracepoint, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The file.
pub(crate) struct Status(pub(crate) Arc<VectorTrace>);

/// The trace events whose static keys took the place of the kernel's own second
/// table, but for `_entry` and `_exit`.
///
/// Source: include/trace/events/exceptions.h,
/// arch/x86/include/asm/trace/irq_vectors.h.
const EVENTS: [(&str, &CStr); 24] = [
    ("exceptions", c"page_fault_user"),
    ("exceptions", c"page_fault_kernel"),
    ("irq_vectors", c"local_timer_entry"),
    ("irq_vectors", c"local_timer_exit"),
    ("irq_vectors", c"spurious_apic_entry"),
    ("irq_vectors", c"spurious_apic_exit"),
    ("irq_vectors", c"error_apic_entry"),
    ("irq_vectors", c"error_apic_exit"),
    ("irq_vectors", c"x86_platform_ipi_entry"),
    ("irq_vectors", c"x86_platform_ipi_exit"),
    ("irq_vectors", c"irq_work_entry"),
    ("irq_vectors", c"irq_work_exit"),
    ("irq_vectors", c"reschedule_entry"),
    ("irq_vectors", c"reschedule_exit"),
    ("irq_vectors", c"call_function_entry"),
    ("irq_vectors", c"call_function_exit"),
    ("irq_vectors", c"call_function_single_entry"),
    ("irq_vectors", c"call_function_single_exit"),
    ("irq_vectors", c"threshold_apic_entry"),
    ("irq_vectors", c"threshold_apic_exit"),
    ("irq_vectors", c"deferred_error_apic_entry"),
    ("irq_vectors", c"deferred_error_apic_exit"),
    ("irq_vectors", c"thermal_apic_entry"),
    ("irq_vectors", c"thermal_apic_exit"),
];

fn cpu(on: Option<&On>, cpu: &Cpu, out: &mut Out<'_>) -> fmt::Result {
    let which = match cpu.seen.map(|seen| seen.place.idtr.base) {
        None => "offline",
        Some(_) if idt::unused().is_some() => "unused",
        Some(_) if on.is_some_and(|on| on.uses(cpu)) => "trace_idt",
        Some(base) if base == second_idt::kernels_base() => "kernel",
        Some(_) => "other",
    };
    writeln!(out, "cpu:{} {which}", cpu.number)
}

impl Page for Status {
    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        out.write_str("# item value detail\n")?;
        self.0.with(|state| {
            match &state.on {
                Some(on) => {
                    let (seconds, rest) =
                        (on.since_ns / 1_000_000_000, on.since_ns % 1_000_000_000);
                    writeln!(out, "enabled 1 since {seconds}.{:06}", rest / 1000)?;
                }
                None => match state.off_by {
                    Some(by) => writeln!(out, "enabled 0 switched off by {}", by.name())?,
                    None => out.write_str("enabled 0\n")?,
                },
            }
            match state.refused {
                Some(refusal) => writeln!(out, "refused {} {refusal}", refusal.name())?,
                None => out.write_str("refused none\n")?,
            }
            match Snapshot::take() {
                Ok(now) => now
                    .cpus
                    .iter()
                    .try_for_each(|known| cpu(state.on.as_ref(), known, out)),
                Err(_) => {
                    out.write_str("cpu:* unknown out of memory: free some, then read again\n")
                }
            }
        })?;
        out.write_str("kernel_trace_idt_table 0 gone since 4.14, for the keys of these events\n")?;
        for (group, name) in EVENTS {
            let key = match tracepoint::is_on(name) {
                Some(true) => "on",
                Some(false) => "off",
                None => "absent",
            };
            write!(out, "event:{group}:")?;
            out.bytes(name.to_bytes());
            writeln!(out, " {key}")?;
        }
        Ok(())
    }
}
