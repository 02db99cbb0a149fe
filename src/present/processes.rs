// SPDX-License-Identifier: GPL-2.0

//! `processes`: the rows of each process, added up.

use super::text;
use crate::{
    account::row::RowCopy,
    control::Control,
    sys::{
        debugfs::{
            File,
            Out, //
        },
        task::Comm, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    prelude::*,
    rbtree::RBTree,
    sync::Arc, //
};

/// The file.
pub(super) struct Processes(pub(super) Arc<Control>);

/// One process.
#[derive(Clone, Copy)]
pub(super) struct Process {
    pid: i32,
    live: bool,
    faults: u64,
    major: u64,
    retries: u64,
    rows: u64,
    comm: Comm,
    /// When the mapping ended that `comm` is from.
    named: u64,
}

impl Process {
    fn of(row: &RowCopy) -> Self {
        Self {
            pid: row.pid,
            live: row.live,
            faults: row.faults(),
            major: row.major,
            retries: row.retries,
            rows: 1,
            comm: row.comm(),
            named: if row.live { u64::MAX } else { row.ended },
        }
    }

    fn add(&mut self, other: &Self) {
        if other.named > self.named {
            // execve() gave it another name: the last one counts.
            self.comm = other.comm;
            self.named = other.named;
        }
        self.live |= other.live;
        self.faults = self.faults.wrapping_add(other.faults);
        self.major = self.major.wrapping_add(other.major);
        self.retries = self.retries.wrapping_add(other.retries);
        self.rows += 1;
    }
}

impl File for Processes {
    /// The processes, taken when the file is opened, in the order of pids.
    type Opened = KVVec<Process>;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<KVVec<Process>> {
        let rows = &self.0.accounts().rows;
        // A pid is used again; together with the start it is not.
        let mut tree = RBTree::<(i32, u32), Process>::new();
        for row in (0..rows.len()).filter_map(|place| rows.read(place)) {
            let process = Process::of(&row);
            let key = (row.pid, row.started);
            match tree.get_mut(&key) {
                Some(known) => known.add(&process),
                None => {
                    tree.try_create_and_insert(key, process, GFP_KERNEL)?;
                }
            }
        }
        let mut processes = KVVec::new();
        for process in tree.values() {
            processes.push(*process, GFP_KERNEL)?;
        }
        Ok(processes)
    }

    fn records(&self, processes: &KVVec<Process>) -> usize {
        processes.len() + 1
    }

    fn show(&self, processes: &KVVec<Process>, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(process) = record.checked_sub(1).and_then(|place| processes.get(place)) else {
            return out.write_str("# pid state faults major retries rows comm\n");
        };
        write!(
            out,
            "{} {} {} {} {} {} ",
            process.pid,
            if process.live { "live" } else { "gone" },
            process.faults,
            process.major,
            process.retries,
            process.rows,
        )?;
        text::comm(&process.comm, out);
        out.write_str("\n")
    }
}
