// SPDX-License-Identifier: GPL-2.0

//! Where a mapping may go on when its VMA object ends.
//!
//! munmap() of a part of a mapping splits it so that the object becomes the
//! part that goes, and the mapping goes on in another. mremap() copies a VMA
//! and unmaps the old one. What the end of an object would need to know, or
//! the first fault in another, is noted here: none of it is on the path of an
//! ordinary fault, and a note that gives way to others costs a mapping its
//! row, not a count.

use crate::sys::{
    atomic::{
        AtomicU64,
        AtomicUsize,
        Ordering, //
    },
    vma::VmaId, //
};
use core::mem::size_of;
use kernel::prelude::*;

/// Notes of one address space that fit, about.
const WAYS: usize = 8;
const SETS: usize = 64;

const FREE: usize = 0;
const BUSY: usize = 1;

/// A note.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// An object ended that had become a part of its mapping: `range` is
    /// left, and goes on with the row at `place`.
    Rest {
        range: (u64, u64),
        /// [`crate::sys::vma::Vma::identity`]
        identity: u64,
        place: usize,
        generation: u32,
    },
    /// An object was copied: if it ends as it was, the mapping goes on.
    Copy {
        from: VmaId,
        from_range: (u64, u64),
        to: VmaId,
        to_range: (u64, u64),
    },
}

struct Entry {
    /// The address space, or [`FREE`] or [`BUSY`].
    mm: AtomicUsize,
    words: [AtomicU64; 6],
}

/// The notes.
pub(crate) struct Heirs {
    entries: KVVec<Entry>,
    next: AtomicUsize,
}

impl Note {
    fn pack(self) -> [u64; 6] {
        match self {
            Self::Rest {
                range,
                identity,
                place,
                generation,
            } => [
                range.0,
                range.1,
                0,
                identity,
                place as u64,
                u64::from(generation),
            ],
            Self::Copy {
                from,
                from_range,
                to,
                to_range,
            } => [
                from_range.0,
                from_range.1,
                from.raw() as u64,
                to.raw() as u64,
                to_range.0,
                to_range.1,
            ],
        }
    }

    fn unpack(words: [u64; 6]) -> Self {
        let range = (words[0], words[1]);
        match words[2] {
            0 => Self::Rest {
                range,
                identity: words[3],
                place: words[4] as usize,
                generation: words[5] as u32,
            },
            from => Self::Copy {
                from: VmaId::from_word(from),
                from_range: range,
                to: VmaId::from_word(words[3]),
                to_range: (words[4], words[5]),
            },
        }
    }
}

impl Entry {
    fn read(&self) -> Note {
        let mut words = [0; 6];
        for (copy, word) in words.iter_mut().zip(&self.words) {
            *copy = word.load(Ordering::Relaxed);
        }
        Note::unpack(words)
    }

    fn claim(&self, from: usize) -> bool {
        self.mm
            .compare_exchange(from, BUSY, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

impl Heirs {
    pub(super) fn new() -> Result<Self> {
        let mut entries = KVVec::with_capacity(SETS * WAYS, GFP_KERNEL)?;
        for _ in 0..SETS * WAYS {
            entries.push(
                Entry {
                    mm: AtomicUsize::new(FREE),
                    words: [const { AtomicU64::new(0) }; 6],
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            entries,
            next: AtomicUsize::new(0),
        })
    }

    /// Returns the entries in which notes of an address space may be.
    fn set(&self, mm: usize) -> &[Entry] {
        let hash = (mm as u64 >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let first = ((hash as usize * SETS) >> 32) * WAYS;
        self.entries.get(first..first + WAYS).unwrap_or(&[])
    }

    /// Takes a note, in place of another if there is no room.
    pub(super) fn put(&self, mm: usize, note: Note) {
        let set = self.set(mm);
        let entry = set.iter().find(|entry| entry.claim(FREE)).or_else(|| {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % WAYS;
            let entry = set.get(turn)?;
            let holder = entry.mm.load(Ordering::Relaxed);
            (holder != BUSY && entry.claim(holder)).then_some(entry)
        });
        if let Some(entry) = entry {
            for (word, value) in entry.words.iter().zip(note.pack()) {
                word.store(value, Ordering::Relaxed);
            }
            entry.mm.store(mm, Ordering::Release);
        }
    }

    /// Takes away the first note of an address space that is wanted.
    pub(super) fn take(&self, mm: usize, wanted: impl Fn(&Note) -> bool) -> Option<Note> {
        for entry in self.set(mm) {
            if entry.mm.load(Ordering::Acquire) != mm || !wanted(&entry.read()) {
                continue;
            }
            if entry.claim(mm) {
                // It may have been another one before.
                let note = entry.read();
                let wanted = wanted(&note);
                entry
                    .mm
                    .store(if wanted { FREE } else { mm }, Ordering::Release);
                if wanted {
                    return Some(note);
                }
            }
        }
        None
    }

    /// Takes all notes away.
    pub(super) fn clear(&self) {
        for entry in &self.entries {
            let holder = entry.mm.load(Ordering::Relaxed);
            if holder != FREE && holder != BUSY && entry.claim(holder) {
                entry.mm.store(FREE, Ordering::Release);
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }
}

#[kunit_tests(trapscope_heirs)]
mod tests {
    use super::*;

    const MM: usize = 0x40_0000;

    fn rest(start: u64) -> Note {
        Note::Rest {
            range: (start, start + 4),
            identity: 5,
            place: 6,
            generation: 7,
        }
    }

    #[test]
    fn a_note_is_taken_once() -> Result {
        let heirs = Heirs::new()?;
        let copy = Note::Copy {
            from: VmaId::from_word(8),
            from_range: (1, 2),
            to: VmaId::from_word(16),
            to_range: (3, 4),
        };
        heirs.put(MM, rest(1));
        heirs.put(MM, copy);
        assert!(heirs.take(MM + 64, |_| true).is_none());
        assert!(heirs.take(MM, |note| *note == copy) == Some(copy));
        assert!(heirs.take(MM, |_| true) == Some(rest(1)));
        assert!(heirs.take(MM, |_| true).is_none());
        Ok(())
    }

    #[test]
    fn an_old_note_gives_way() -> Result {
        let heirs = Heirs::new()?;
        for start in 0..=WAYS as u64 {
            heirs.put(MM, rest(start));
        }
        let last = rest(WAYS as u64);
        assert!(heirs.take(MM, |note| *note == last).is_some());
        let left = (0..WAYS).filter(|_| heirs.take(MM, |_| true).is_some());
        assert_eq!(left.count(), WAYS - 1);
        heirs.put(MM, last);
        heirs.clear();
        assert!(heirs.take(MM, |_| true).is_none());
        Ok(())
    }
}
