// SPDX-License-Identifier: GPL-2.0

//! What a task's next call of handle_mm_fault() has to know of the last.
//!
//! An attempt that ended in a retry leaves its class; a stack that grew says
//! which fault it grew for.

use crate::sys::{
    atomic::{
        AtomicU64,
        Ordering, //
    },
    clock::{
        self,
        Reading, //
    },
    task::TaskId, //
};
use core::mem::size_of;
use kernel::prelude::*;

/// Slots in which a task's link may lie.
const WAYS: usize = 8;

const FREE: u64 = 0;
const BUSY: u64 = 1;

/// A link from one call to the next of the same task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    /// The address of the fault, not rounded.
    pub(crate) address: u64,
    /// The address space.
    pub(crate) mm: usize,
    /// What is handed on; its meaning is the hook's.
    pub(crate) message: u32,
    /// When the first of the calls was entered, if that matters.
    pub(crate) since: Reading,
}

/// Whose slots they are: one cache line tells that a task has no link.
#[repr(align(64))]
struct Tasks([AtomicU64; WAYS]);

struct Slot {
    started: AtomicU64,
    stamp: AtomicU64,
    address: AtomicU64,
    mm: AtomicU64,
    message: AtomicU64,
    since: AtomicU64,
}

/// Links of all tasks.
pub(crate) struct Links {
    tasks: KVVec<Tasks>,
    slots: KVVec<Slot>,
    dropped: AtomicU64,
}

impl Links {
    /// Allocates for so many tasks at a time.
    pub(crate) fn new(tasks: usize) -> Result<Self> {
        let count = tasks.next_multiple_of(WAYS);
        let mut tasks = KVVec::with_capacity(count / WAYS, GFP_KERNEL)?;
        let mut slots = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count / WAYS {
            tasks.push(Tasks([const { AtomicU64::new(FREE) }; WAYS]), GFP_KERNEL)?;
        }
        for _ in 0..count {
            slots.push(
                Slot {
                    started: AtomicU64::new(0),
                    stamp: AtomicU64::new(0),
                    address: AtomicU64::new(0),
                    mm: AtomicU64::new(0),
                    message: AtomicU64::new(0),
                    since: AtomicU64::new(0),
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            tasks,
            slots,
            dropped: AtomicU64::new(0),
        })
    }

    /// Returns the number of the set in which a task's link may lie.
    #[inline(always)]
    fn set(&self, task: TaskId) -> usize {
        let hash = (task.address >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (hash as usize).wrapping_mul(self.tasks.len()) >> 32
    }

    /// Returns the slots in which a task's link may lie, with their tasks.
    fn ways(&self, task: TaskId) -> impl Iterator<Item = (&AtomicU64, &Slot)> {
        let set = self.set(task);
        let tasks = self.tasks.get(set).map_or(&[][..], |tasks| &tasks.0);
        let slots = self.slots.get(set * WAYS..).unwrap_or(&[]);
        tasks.iter().zip(slots)
    }

    /// Tells whether the task may have a link.
    #[inline(always)]
    pub(crate) fn may_have(&self, task: TaskId) -> bool {
        let Some(Tasks(tasks)) = self.tasks.get(self.set(task)) else {
            return false;
        };
        // All are read, and no branch is between them.
        tasks.iter().fold(false, |found, holder| {
            found | (holder.load(Ordering::Relaxed) == task.address)
        })
    }

    /// Takes the task's link away, if there is one.
    ///
    /// Called by the task itself, with preemption off.
    pub(crate) fn take(&self, task: TaskId) -> Option<Link> {
        let (holder, slot) = self
            .ways(task)
            .find(|(holder, _)| holder.load(Ordering::Relaxed) == task.address)?;
        // Another task may be taking the slot for itself.
        holder
            .compare_exchange(task.address, BUSY, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        let link = Link {
            address: slot.address.load(Ordering::Relaxed),
            mm: slot.mm.load(Ordering::Relaxed) as usize,
            message: slot.message.load(Ordering::Relaxed) as u32,
            since: Reading::from_bits(slot.since.load(Ordering::Relaxed)),
        };
        let same = slot.started.load(Ordering::Relaxed) == task.started;
        holder.store(FREE, Ordering::Release);
        same.then_some(link)
    }

    /// Leaves a link for the task's next call, in place of an older one.
    ///
    /// Called by the task itself, with preemption off. If every slot is in
    /// use the oldest link gives way, and is counted: its task ended, or did
    /// not come back yet.
    pub(crate) fn put(&self, task: TaskId, link: Link) {
        self.take(task);
        let claim = |holder: &AtomicU64, from: u64| {
            holder
                .compare_exchange(from, BUSY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        };
        let free = self.ways(task).find(|(holder, _)| claim(holder, FREE));
        let (holder, slot) = match free {
            Some(found) => found,
            None => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                let oldest = self
                    .ways(task)
                    .min_by_key(|(_, slot)| slot.stamp.load(Ordering::Relaxed));
                let Some((holder, slot)) = oldest else { return };
                let before = holder.load(Ordering::Relaxed);
                if before == BUSY || !claim(holder, before) {
                    return;
                }
                (holder, slot)
            }
        };
        slot.started.store(task.started, Ordering::Relaxed);
        slot.stamp.store(clock::now_ns(), Ordering::Relaxed);
        slot.address.store(link.address, Ordering::Relaxed);
        slot.mm.store(link.mm as u64, Ordering::Relaxed);
        slot.message
            .store(u64::from(link.message), Ordering::Relaxed);
        slot.since.store(link.since.to_bits(), Ordering::Relaxed);
        holder.store(task.address, Ordering::Release);
    }

    /// Returns how many links gave way, or found no place.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn memory_for(tasks: usize) -> u64 {
        (tasks * (size_of::<Slot>() + size_of::<AtomicU64>())) as u64
    }

    pub(super) fn forget_dropped(&self) {
        self.dropped.store(0, Ordering::Relaxed);
    }

    pub(super) fn memory(&self) -> usize {
        self.slots.len() * (size_of::<Slot>() + size_of::<AtomicU64>())
    }
}

#[kunit_tests(trapscope_links)]
mod tests {
    use super::*;

    fn task(n: u64) -> TaskId {
        TaskId {
            address: 0xffff_8880_0000_0000 + n * 0x1000,
            started: n,
        }
    }

    fn link(n: u64) -> Link {
        Link {
            address: n,
            mm: 64,
            message: 7,
            since: Reading::from_bits(n + 1),
        }
    }

    #[test]
    fn a_link_is_taken_once() -> Result {
        let links = Links::new(64)?;
        assert!(links.take(task(1)).is_none());
        links.put(task(1), link(1));
        links.put(task(1), link(2));
        assert!(links.take(task(2)).is_none());
        assert!(links.take(task(1)) == Some(link(2)));
        assert!(links.take(task(1)).is_none());
        assert_eq!(links.dropped(), 0);
        Ok(())
    }

    #[test]
    fn another_task_at_the_same_address_gets_nothing() -> Result {
        let links = Links::new(64)?;
        links.put(task(1), link(1));
        let later = TaskId {
            started: 99,
            ..task(1)
        };
        assert!(links.take(later).is_none());
        Ok(())
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() -> Result {
        let links = Links::new(WAYS)?;
        for n in 1..=9 {
            links.put(task(n), link(n));
        }
        assert_eq!(links.dropped(), 1);
        assert!(links.take(task(9)) == Some(link(9)));
        let left = (1..9).filter(|n| links.take(task(*n)).is_some()).count();
        assert_eq!(left, 7);
        Ok(())
    }
}
