// SPDX-License-Identifier: GPL-2.0

//! What is not as it was, or not as Linux has it, in the tables of all CPUs.

use super::idt::{
    Baseline,
    Snapshot,
    Table, //
};
use crate::{
    decode::{
        idt::{
            check::{
                judge_gate,
                judge_idtr,
                Facts,
                GateReasons,
                IdtrReasons, //
            },
            gate::Gate,
            Idtr, //
        },
        region::{
            region_of,
            Layout,
            Region, //
        },
    },
    hook::vectors::On,
    sys::{
        descriptor_table::CpuIdtr,
        kernel_info,
        symbol::SymbolText, //
    },
};
use kernel::prelude::*;

/// Something to tell.
pub(crate) enum Finding {
    /// About a CPU's IDTR.
    Idtr {
        cpu: u32,
        reasons: IdtrReasons,
        before: Option<Idtr>,
        after: Idtr,
    },
    /// About a gate of a CPU's table.
    Gate {
        cpu: u32,
        vector: u8,
        reasons: GateReasons,
        before: Option<Gate>,
        after: Option<Gate>,
    },
}

/// Compares a snapshot with the baseline, and with what Linux 7.3 has.
///
/// On a CPU that uses the second table, `on`, that is what is looked for. Of gates
/// that lead to its stubs the kernel's handler behind them counts, in whatever
/// table they are. Fails with `ENOMEM`. Sleeps.
pub(crate) fn findings(
    baseline: &Baseline,
    on: Option<&On>,
    now: &Snapshot,
) -> Result<KVec<Finding>> {
    let (layout, _) = kernel_info::layout();
    let mut findings = KVec::new();
    for cpu in &now.cpus {
        let Some(live) = cpu.idtr else { continue };
        let known = baseline.of(cpu.number);
        let user = on.filter(|on| on.uses(cpu));
        idtr(cpu.number, known, user, live, &layout, &mut findings)?;
        let Some(table) = now.table(live.idtr) else {
            continue;
        };
        let known = known.map(|(_, table)| table);
        gates(cpu.number, known, on, table, live, &layout, &mut findings)?;
    }
    Ok(findings)
}

fn idtr(
    cpu: u32,
    known: Option<(Idtr, &Table)>,
    on: Option<&On>,
    live: CpuIdtr,
    layout: &Layout,
    findings: &mut KVec<Finding>,
) -> Result {
    let before = known.map(|(idtr, _)| idtr);
    let reasons = match on {
        Some(on) => judge_idtr(None, live.idtr, live.vmx, on.idt.base(cpu)),
        // CPU_ENTRY_AREA_RO_IDT: the table is the first page of that area.
        None => judge_idtr(before, live.idtr, live.vmx, layout.cpu_entry_start),
    };
    if !reasons.is_empty() {
        findings.push(
            Finding::Idtr {
                cpu,
                reasons,
                before,
                after: live.idtr,
            },
            GFP_KERNEL,
        )?;
    }
    Ok(())
}

fn gates(
    cpu: u32,
    known: Option<&Table>,
    on: Option<&On>,
    table: &Table,
    live: CpuIdtr,
    layout: &Layout,
    findings: &mut KVec<Finding>,
) -> Result {
    for (vector, after) in (0..=u8::MAX).zip(table.all()) {
        let after = after.map(|gate| on.map_or(gate, |on| on.behind(cpu, vector, gate)));
        let before = known.and_then(|known| known.gate(vector));
        let reasons = match after {
            None => GateReasons::UNREADABLE,
            Some(gate) => {
                let text = SymbolText::of(gate.offset());
                let symbol = text.symbol();
                let facts = Facts {
                    in_image: region_of(gate.offset(), layout) == Region::KernelImage
                        && symbol.as_ref().is_some_and(|s| s.module.is_none()),
                    async_page_faults: live.async_page_faults,
                };
                judge_gate(vector, before.as_ref(), &gate, symbol.as_ref(), &facts)
            }
        };
        if !reasons.is_empty() {
            findings.push(
                Finding::Gate {
                    cpu,
                    vector,
                    reasons,
                    before,
                    after,
                },
                GFP_KERNEL,
            )?;
        }
    }
    Ok(())
}
