// SPDX-License-Identifier: GPL-2.0

//! The interrupt descriptor tables of all CPUs, at one moment.

use crate::{
    decode::idt::{
        gate::Gate,
        gates_within,
        Idtr,
        Place,
        LIMIT, //
    },
    sys::{
        descriptor_table::{
            self,
            CpuIdtr, //
        },
        kernel_info,
        kernel_page,
        second_idt::kernels_base, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A table.
pub(crate) struct Table {
    place: Place,
    gates: KVec<Option<Gate>>,
}

impl Table {
    /// Reads a table.
    ///
    /// Nothing behind the limit is read, nor behind the last vector. Fails
    /// with `ENOMEM`. Sleeps.
    fn read(place: Place) -> Result<Self> {
        let count = gates_within(place.idtr.limit);
        let mut gates = KVec::with_capacity(count, GFP_KERNEL)?;
        for vector in 0..count {
            let gate = descriptor_table::read_gate(place.idtr.base, vector);
            gates.push(gate, GFP_KERNEL)?;
        }
        Ok(Self { place, gates })
    }

    /// Reads the kernel's own table, whether a CPU uses it or not.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn kernels() -> Result<Self> {
        let base = kernels_base();
        Self::read(Place {
            idtr: Idtr { base, limit: LIMIT },
            page: kernel_page::behind(base),
        })
    }

    /// Returns where it was found.
    pub(crate) fn place(&self) -> Place {
        self.place
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

/// What a CPU that is online had.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) idtr: CpuIdtr,
    pub(crate) place: Place,
}

/// A CPU, as it was.
pub(crate) struct Cpu {
    pub(crate) number: u32,
    /// `None`: it was offline.
    pub(crate) seen: Option<Seen>,
}

/// All CPUs, and the tables that they name.
pub(crate) struct Snapshot {
    /// All possible CPUs, in order.
    pub(crate) cpus: KVVec<Cpu>,
    tables: KVVec<Table>,
}

impl Snapshot {
    /// Reads every CPU's IDTR on that CPU, and each table once.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn take() -> Result<Self> {
        let mut cpus = KVVec::new();
        let mut tables = KVVec::<Table>::new();
        for number in kernel_info::cpus() {
            let seen = descriptor_table::read_idtr(number).ok().map(|cpu| Seen {
                idtr: cpu,
                place: Place {
                    idtr: cpu.idtr,
                    page: kernel_page::behind(cpu.idtr.base),
                },
            });
            cpus.push(Cpu { number, seen }, GFP_KERNEL)?;
            let Some(Seen { place, .. }) = seen else {
                continue;
            };
            if !tables.iter().any(|table| table.place.same_table(&place)) {
                tables.push(Table::read(place)?, GFP_KERNEL)?;
            }
        }
        Ok(Self { cpus, tables })
    }

    /// Returns the table that a CPU had.
    pub(crate) fn table(&self, place: Place) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.place.same_table(&place))
    }

    /// Returns what the first CPU that was online had.
    pub(crate) fn first(&self) -> Option<(Place, &Table)> {
        let place = self.cpus.iter().find_map(|cpu| cpu.seen)?.place;
        Some((place, self.table(place)?))
    }
}

/// The tables as they were when the module was loaded.
pub(crate) struct Baseline(Snapshot);

impl Baseline {
    /// Takes it.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn take() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Snapshot::take()?), GFP_KERNEL)?)
    }

    /// Returns what a CPU had then; if it was offline, what the first had.
    pub(crate) fn of(&self, cpu: u32) -> Option<(Place, &Table)> {
        let cpu = self.0.cpus.iter().find(|known| known.number == cpu)?;
        match cpu.seen {
            Some(Seen { place, .. }) => Some((place, self.0.table(place)?)),
            None => self.0.first(),
        }
    }
}
