// SPDX-License-Identifier: GPL-2.0

//! What is not as it was, or not as Linux has it, in the tables of all CPUs.

use super::idt::{
    Baseline,
    Seen,
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
                Home,
                IdtrReasons, //
            },
            gate::Gate,
            Place, //
        },
        region::{
            region_of,
            Layout,
            Region, //
        },
    },
    hook::vectors::On,
    sys::{
        kernel_info,
        symbol::SymbolBuffer, //
    },
};
use kernel::prelude::*;

/// Something to tell.
pub(crate) enum Finding {
    /// About a CPU's IDTR; of no CPU, about where it would find the kernel's table.
    Idtr {
        cpu: Option<u32>,
        reasons: IdtrReasons,
        before: Option<Place>,
        after: Place,
    },
    /// About a gate of a table.
    Gate {
        /// Which of [`Findings::users`] use it.
        users: usize,
        vector: u8,
        reasons: GateReasons,
        before: Option<Gate>,
        after: Option<Gate>,
    },
}

/// All that there is to tell.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) list: KVVec<Finding>,
    /// CPUs that have a table in common, in rising order; none use the kernel's own
    /// while all are on the second one.
    pub(crate) users: KVVec<KVec<u32>>,
}

/// CPUs whose gates are judged alike.
struct Group<'a> {
    first: u32,
    seen: Seen,
    before: Option<Place>,
    known: Option<&'a Table>,
    /// The second table, if they are on it.
    on: Option<&'a On>,
    /// The same, if there is one at all: they may be on a copy of it.
    stubs: Option<&'a On>,
}

impl Group<'_> {
    fn takes(&self, other: &Self) -> bool {
        self.seen.place.same_table(&other.seen.place)
            && self.seen.idtr.async_page_faults == other.seen.idtr.async_page_faults
            && self.before == other.before
            && self.on.is_some() == other.on.is_some()
    }
}

/// Compares a snapshot with the baseline, and with what Linux 7.3 has.
///
/// On a CPU that uses the second table, `on`, that is what is looked for. Of gates
/// that lead to its stubs the kernel's handler behind them counts, in whatever
/// table they are. The kernel's own table is judged even if no CPU uses it, since that
/// is what they come back to. Fails with `ENOMEM`. Sleeps.
pub(crate) fn findings(baseline: &Baseline, on: Option<&On>, now: &Snapshot) -> Result<Findings> {
    let (layout, _) = kernel_info::layout();
    let mut findings = Findings::default();
    let mut groups = KVVec::<Group<'_>>::new();
    for cpu in &now.cpus {
        let Some(seen) = cpu.seen else { continue };
        let known = baseline.of(cpu.number);
        let group = Group {
            first: cpu.number,
            seen,
            before: known.map(|(place, _)| place),
            known: known.map(|(_, table)| table),
            on: on.filter(|on| on.uses(cpu)),
            stubs: on,
        };
        idtr(Some(cpu.number), &group, &layout, &mut findings)?;
        let known = groups.iter().position(|other| other.takes(&group));
        if let Some(users) = known.and_then(|place| findings.users.get_mut(place)) {
            users.push(cpu.number, GFP_KERNEL)?;
            continue;
        }
        let mut users = KVec::new();
        users.push(cpu.number, GFP_KERNEL)?;
        findings.users.push(users, GFP_KERNEL)?;
        groups.push(group, GFP_KERNEL)?;
    }
    for (users, group) in groups.iter().enumerate() {
        if let Some(table) = now.table(group.seen.place) {
            gates(users, group, table, &layout, &mut findings)?;
        }
    }
    if on.is_some() {
        unused(baseline, now, &layout, &mut findings)?;
    }
    Ok(findings)
}

/// Judges the kernel's own table, if no CPU uses it.
fn unused(baseline: &Baseline, now: &Snapshot, layout: &Layout, findings: &mut Findings) -> Result {
    let table = Table::kernels()?;
    let place = table.place();
    let first = now.cpus.iter().find_map(|cpu| Some((cpu, cpu.seen?)));
    let Some((cpu, seen)) = first.filter(|_| now.table(place).is_none()) else {
        return Ok(());
    };
    let known = baseline.of(cpu.number);
    let group = Group {
        first: cpu.number,
        seen: Seen { place, ..seen },
        before: known.map(|(place, _)| place),
        known: known.map(|(_, table)| table),
        on: None,
        stubs: None,
    };
    idtr(None, &group, layout, findings)?;
    let users = findings.users.len();
    findings.users.push(KVec::new(), GFP_KERNEL)?;
    gates(users, &group, &table, layout, findings)
}

/// Tells whether a page can be that of the kernel's table.
pub(crate) fn page_fits(page: Option<u64>, layout: &Layout) -> bool {
    let mut buffer = SymbolBuffer::new();
    page.is_some_and(|page| {
        region_of(page, layout) == Region::KernelImage
            // Without KALLSYMS_ALL data has no symbols.
            && buffer
                .look_up(page)
                .is_none_or(|symbol| symbol.is_kernels("idt_table", 0))
    })
}

fn idtr(cpu: Option<u32>, group: &Group<'_>, layout: &Layout, findings: &mut Findings) -> Result {
    let (place, vmx) = (group.seen.place, group.seen.idtr.vmx);
    let reasons = match group.on {
        Some(on) => {
            let home = Home {
                base: on.idt.base(group.first),
                page_fits: true,
            };
            judge_idtr(None, place, vmx, home)
        }
        None => {
            let home = Home {
                // CPU_ENTRY_AREA_RO_IDT: the first page of that area.
                base: layout.cpu_entry_start,
                page_fits: page_fits(place.page, layout),
            };
            judge_idtr(group.before, place, vmx, home)
        }
    };
    if !reasons.is_empty() {
        findings.list.push(
            Finding::Idtr {
                cpu,
                reasons,
                before: group.before,
                after: place,
            },
            GFP_KERNEL,
        )?;
    }
    Ok(())
}

fn gates(
    users: usize,
    group: &Group<'_>,
    table: &Table,
    layout: &Layout,
    findings: &mut Findings,
) -> Result {
    let mut buffer = SymbolBuffer::new();
    for (vector, gate) in (0..=u8::MAX).zip(table.all()) {
        let before = group.known.and_then(|known| known.gate(vector));
        let after = gate.map(|gate| match group.stubs {
            Some(on) => on.behind(group.first, vector, gate),
            None => gate,
        });
        let reasons = match &after {
            None => GateReasons::UNREADABLE,
            Some(gate) => {
                let symbol = buffer.look_up(gate.offset());
                let facts = Facts {
                    in_image: region_of(gate.offset(), layout) == Region::KernelImage
                        && symbol.is_some_and(|symbol| symbol.module.is_none()),
                    async_page_faults: group.seen.idtr.async_page_faults,
                };
                judge_gate(vector, before.as_ref(), gate, symbol.as_ref(), &facts)
            }
        };
        if !reasons.is_empty() {
            findings.list.push(
                Finding::Gate {
                    users,
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
