// SPDX-License-Identifier: GPL-2.0

//! The filter in force, for readers that take no lock.

use crate::{
    decode::filter::Filter,
    sys::{
        atomic::{
            AtomicU32,
            AtomicU64,
            Ordering, //
        },
        rcu,
        task::Comm,
    },
};

const PID: u32 = 1;
const COMM: u32 = 2;

/// One of the two places for a filter: one in force, one being written.
struct Place {
    kinds: AtomicU32,
    pid: AtomicU32,
    comm: [AtomicU64; 2],
}

impl Place {
    const fn new() -> Self {
        Self {
            kinds: AtomicU32::new(0),
            pid: AtomicU32::new(0),
            comm: [const { AtomicU64::new(0) }; 2],
        }
    }

    fn load(&self) -> Filter {
        let kinds = self.kinds.load(Ordering::Relaxed);
        Filter {
            pid: (kinds & PID != 0).then(|| self.pid.load(Ordering::Relaxed) as i32),
            comm: (kinds & COMM != 0).then(|| {
                let mut comm = Comm::default();
                for (bytes, word) in comm.chunks_exact_mut(8).zip(&self.comm) {
                    bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
                }
                comm
            }),
        }
    }

    fn store(&self, filter: &Filter) {
        let mut kinds = 0;
        if let Some(pid) = filter.pid {
            kinds |= PID;
            self.pid.store(pid as u32, Ordering::Relaxed);
        }
        if let Some(comm) = filter.comm {
            kinds |= COMM;
            for (bytes, word) in comm.chunks_exact(8).zip(&self.comm) {
                let bytes = bytes.try_into().unwrap_or_default();
                word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            }
        }
        self.kinds.store(kinds, Ordering::Relaxed);
    }
}

/// The filter in force.
pub(crate) struct FilterSlot {
    /// 0: no filter; else one more than the place in force.
    current: AtomicU32,
    places: [Place; 2],
}

impl FilterSlot {
    pub(super) const fn new() -> Self {
        Self {
            current: AtomicU32::new(0),
            places: [const { Place::new() }; 2],
        }
    }

    /// Returns the filter, or `None` if everything counts.
    pub(crate) fn get(&self) -> Option<Filter> {
        match self.current.load(Ordering::Acquire) {
            0 => None,
            1 => Some(self.places[0].load()),
            _ => Some(self.places[1].load()),
        }
    }

    /// Puts a filter in force. Sleeps; the caller keeps other writers out.
    pub(super) fn set(&self, filter: Option<&Filter>) {
        let next = match (filter, self.current.load(Ordering::Relaxed)) {
            (None, _) => 0,
            (Some(filter), 1) => {
                self.places[1].store(filter);
                2
            }
            (Some(filter), _) => {
                self.places[0].store(filter);
                1
            }
        };
        self.current.store(next, Ordering::Release);
        // Nobody reads the other place after this: it may be written next.
        rcu::wait_for_handlers();
    }
}
