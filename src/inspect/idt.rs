// SPDX-License-Identifier: GPL-2.0

//! The interrupt descriptor tables of all CPUs, at one moment.

use crate::{
    decode::idt::{
        gate::Gate,
        gates_within,
        Idtr, //
    },
    sys::{
        descriptor_table::{
            self,
            CpuIdtr, //
        },
        kernel_info, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A table, as an IDTR names it.
pub(crate) struct Table {
    idtr: Idtr,
    gates: KVec<Option<Gate>>,
}

impl Table {
    /// Reads a table.
    ///
    /// Nothing behind the limit is read, nor behind the last vector. Fails
    /// with `ENOMEM`. Sleeps.
    fn read(idtr: Idtr) -> Result<Self> {
        let count = gates_within(idtr.limit);
        let mut gates = KVec::with_capacity(count, GFP_KERNEL)?;
        for vector in 0..count {
            gates.push(descriptor_table::read_gate(idtr.base, vector), GFP_KERNEL)?;
        }
        Ok(Self { idtr, gates })
    }

    /// Returns the gate of a vector; `None` if the table ends before it, or
    /// could not be read there.
    pub(crate) fn gate(&self, vector: u8) -> Option<Gate> {
        *self.gates.get(usize::from(vector))?
    }

    /// Returns the gates up to the limit; `None` for one that can't be read.
    pub(crate) fn all(&self) -> impl Iterator<Item = Option<Gate>> + '_ {
        self.gates.iter().copied()
    }
}

/// A CPU, as it was.
pub(crate) struct Cpu {
    pub(crate) number: u32,
    /// `None`: it was offline.
    pub(crate) idtr: Option<CpuIdtr>,
}

/// All CPUs, and the tables that they name.
pub(crate) struct Snapshot {
    /// All possible CPUs, in order.
    pub(crate) cpus: KVec<Cpu>,
    tables: KVec<Table>,
}

impl Snapshot {
    /// Reads every CPU's IDTR on that CPU, and each table once.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn take() -> Result<Self> {
        let mut cpus = KVec::new();
        let mut tables = KVec::<Table>::new();
        for number in kernel_info::cpus() {
            let idtr = descriptor_table::read_idtr(number).ok();
            cpus.push(Cpu { number, idtr }, GFP_KERNEL)?;
            let Some(CpuIdtr { idtr, .. }) = idtr else {
                continue;
            };
            if !tables.iter().any(|table| table.idtr == idtr) {
                tables.push(Table::read(idtr)?, GFP_KERNEL)?;
            }
        }
        Ok(Self { cpus, tables })
    }

    /// Returns the table that an IDTR names, if a CPU had it.
    pub(crate) fn table(&self, idtr: Idtr) -> Option<&Table> {
        self.tables.iter().find(|table| table.idtr == idtr)
    }

    /// Returns what the first CPU that is online has.
    pub(crate) fn first(&self) -> Option<(&CpuIdtr, &Table)> {
        let idtr = self.cpus.iter().find_map(|cpu| cpu.idtr.as_ref())?;
        Some((idtr, self.table(idtr.idtr)?))
    }
}

/// The table as it was when the module was loaded.
pub(crate) struct Baseline(Snapshot);

impl Baseline {
    /// Takes it.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn take() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Snapshot::take()?), GFP_KERNEL)?)
    }

    /// Returns what a CPU had then; if it was offline, what the first had.
    pub(crate) fn of(&self, cpu: u32) -> Option<(Idtr, &Table)> {
        let idtr = self
            .0
            .cpus
            .iter()
            .find(|known| known.number == cpu)
            .and_then(|known| known.idtr.as_ref())
            .or_else(|| self.0.first().map(|(idtr, _)| idtr))?
            .idtr;
        Some((idtr, self.0.table(idtr)?))
    }
}
