// SPDX-License-Identifier: GPL-2.0

//! Names of mappings, each kept once for all rows that have it.

use crate::sys::{
    atomic::{
        AtomicU32,
        AtomicU64,
        Ordering, //
    },
    vma::Vma, //
};
use core::mem::size_of;
use kernel::prelude::*;

/// Bytes of a name that are kept.
const LENGTH: usize = 216;

/// A name, and what is behind it.
pub(crate) type NameText = [u8; LENGTH];

/// No name yet.
pub(crate) const NO_TEXT: NameText = [0; LENGTH];

const WORDS: usize = LENGTH / 8;

/// Records among which one with a given key is looked for.
const WINDOW: usize = 32;

/// Stands for no record.
pub(crate) const NO_NAME: u32 = u32::MAX;

/// In [`Name::users`]: the record is being written.
const BUSY: u32 = 1 << 31;

/// A record. It may be written anew while nobody uses it.
struct Name {
    users: AtomicU32,
    length: AtomicU32,
    key: [AtomicU64; 3],
    text: [AtomicU64; WORDS],
}

/// The names.
pub(crate) struct Names {
    records: KVVec<Name>,
    dropped: AtomicU64,
}

impl Names {
    /// Bytes that a name takes.
    pub(super) const SIZE: usize = size_of::<Name>();

    pub(crate) fn new(count: usize) -> Result<Self> {
        let mut records = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            records.push(
                Name {
                    users: AtomicU32::new(0),
                    length: AtomicU32::new(0),
                    key: [const { AtomicU64::new(0) }; 3],
                    text: [const { AtomicU64::new(0) }; WORDS],
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            records,
            dropped: AtomicU64::new(0),
        })
    }

    /// Returns the records among which a key is looked for.
    fn window(&self, key: &[u64; 3]) -> impl Iterator<Item = (usize, &Name)> {
        let count = self.records.len();
        let mix = key.iter().fold(0u64, |mix, word| {
            (mix ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let first = ((mix >> 32) as usize * count) >> 32;
        (first..first + WINDOW.min(count))
            .map(move |index| index % count)
            .filter_map(|index| Some((index, self.records.get(index)?)))
    }

    /// Returns the record with the mapping's name, and counts one more user.
    ///
    /// [`NO_NAME`] if there is no room. On the fault path: no allocation, and
    /// no lock but what [`Vma::name`] says.
    pub(crate) fn take(&self, vma: &Vma, key: &[u64; 3]) -> u32 {
        for (index, name) in self.window(key) {
            if name.has(key) && name.use_more() {
                if name.has(key) {
                    return index as u32;
                }
                name.use_less();
            }
        }
        for (index, name) in self.window(key) {
            let claimed =
                name.users
                    .compare_exchange(0, BUSY, Ordering::Acquire, Ordering::Relaxed);
            if claimed.is_ok() {
                name.write(vma, key);
                name.users.store(1, Ordering::Release);
                return index as u32;
            }
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        NO_NAME
    }

    /// Counts one user less.
    pub(crate) fn release(&self, index: u32) {
        if let Some(name) = self.records.get(index as usize) {
            name.use_less();
        }
    }

    /// Copies the name out, and returns its length; `None` for [`NO_NAME`].
    ///
    /// The caller makes sure that the record was in use throughout, or throws
    /// the result away.
    pub(crate) fn read(&self, index: u32, out: &mut NameText) -> Option<usize> {
        let name = self.records.get(index as usize)?;
        for (bytes, word) in out.chunks_exact_mut(8).zip(&name.text) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        Some((name.length.load(Ordering::Relaxed) as usize).min(LENGTH))
    }

    /// Returns how many names found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn forget_dropped(&self) {
        self.dropped.store(0, Ordering::Relaxed);
    }

    /// Returns how many records are in use.
    pub(crate) fn used(&self) -> usize {
        self.records
            .iter()
            .filter(|name| name.users.load(Ordering::Relaxed) != 0)
            .count()
    }

    pub(super) fn memory_for(count: usize) -> u64 {
        (count * size_of::<Name>()) as u64
    }

    pub(super) fn memory(&self) -> usize {
        self.records.len() * size_of::<Name>()
    }
}

impl Name {
    fn has(&self, key: &[u64; 3]) -> bool {
        self.users.load(Ordering::Acquire) & BUSY == 0
            && self
                .key
                .iter()
                .zip(key)
                .all(|(have, want)| have.load(Ordering::Relaxed) == *want)
    }

    /// Counts one user more, if there is one already.
    ///
    /// What nobody uses may be out of date: a path changes, its key need not.
    fn use_more(&self) -> bool {
        let users = self.users.load(Ordering::Relaxed);
        users != 0
            && users & BUSY == 0
            && self
                .users
                .compare_exchange(users, users + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    fn use_less(&self) {
        self.users.fetch_sub(1, Ordering::Release);
    }

    fn write(&self, vma: &Vma, key: &[u64; 3]) {
        let mut text = NO_TEXT;
        let length = vma.name(&mut text);
        for (word, bytes) in self.text.iter().zip(text.chunks_exact(8)) {
            let bytes = bytes.try_into().unwrap_or_default();
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        for (word, value) in self.key.iter().zip(key) {
            word.store(*value, Ordering::Relaxed);
        }
        self.length.store(length as u32, Ordering::Relaxed);
    }
}
