// SPDX-License-Identifier: GPL-2.0

//! A row per VMA, in a table of fixed size.
//!
//! A row is found by the address of the VMA object, which tells mappings apart
//! as long as the object lives: its end is hooked. A mapping that grows keeps
//! its object; where it goes on in another one, [`super::heirs`] knows. The row
//! of a mapping that ended stays until its place is needed.

use super::{
    heirs::{
        Heirs,
        Note, //
    },
    names::{
        NameText,
        Names, //
    },
    row::{
        overlap,
        Counts,
        Facts,
        Row,
        RowCopy, //
    },
};
use crate::{
    decode::{
        class::Class,
        classify::VmaTraits, //
    },
    sys::{
        atomic::{
            fence,
            AtomicBool,
            AtomicU64,
            AtomicUsize,
            Ordering, //
        },
        vma::{
            Vma,
            VmaId, //
        },
    },
};
use core::mem::size_of;
use kernel::prelude::*;

/// Places in which the row of a VMA may be.
const WINDOW: usize = 64;

/// Places that are tried for a row that is in the way of another, and mappings to go on in.
const TRIES: usize = 16;

/// Rows that share the room for one name, about.
const ROWS_PER_NAME: usize = 16;

/// Turns in which a row that another CPU is just making is waited for.
const PATIENCE: u32 = 1000;

/// A key of [`Rows::keys`]: never used since the last reset.
const FREE: usize = 0;
/// The mapping ended; the row can be read, and its place taken.
const GONE: usize = 1;
/// As [`GONE`], and a note says where the row is: it had better stay there.
const NOTED: usize = GONE | 4;
/// Added to a VMA's address: its row is being made. Added to [`GONE`]: what the
/// row has goes elsewhere.
const MAKING: usize = 2;
const LEAVING: usize = GONE | MAKING;

/// A row that was found, for as long as its place does not change hands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRef {
    place: u32,
    generation: u32,
}

impl RowRef {
    /// Stands for no row.
    pub(crate) const NONE: Self = Self {
        place: u32::MAX,
        generation: 0,
    };
}

/// How full the table is.
#[derive(Default)]
pub(crate) struct Usage {
    /// Places.
    pub(crate) rows: usize,
    /// Of these, with a row.
    pub(crate) used: usize,
    /// Of these, with a row of a mapping that is still there.
    pub(crate) live: usize,
    /// Rows that gave way to others.
    pub(crate) evicted: u64,
    /// Completed faults that they had.
    pub(crate) evicted_faults: u64,
    /// Names in use.
    pub(crate) names: usize,
    /// Names for which there was no room.
    pub(crate) names_dropped: u64,
}

/// What rows lost that gave way. On a cache line of its own, away from what
/// every fault reads.
#[repr(align(64))]
struct Evicted {
    rows: AtomicU64,
    faults: AtomicU64,
}

/// A place for a row.
struct Place {
    /// The VMA that has it, or one of the constants above.
    key: AtomicUsize,
    facts: Facts,
}

/// The table.
pub(crate) struct Rows {
    places: KVVec<Place>,
    /// Those of each place.
    counts: KVVec<Counts>,
    names: Names,
    heirs: Heirs,
    /// Whether the end of a VMA is being watched for: no row without that.
    open: AtomicBool,
    evicted: Evicted,
}

/// What a look through the window of a VMA found.
enum Found {
    /// Its row.
    Row(usize),
    /// None, but a place for one, with the key to take it from, and a free
    /// place for what is there.
    Place(usize, usize, Option<usize>),
    /// None, and no place.
    Full,
}

impl Rows {
    /// Allocates the table. Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new(count: usize) -> Result<Self> {
        // What a row takes: its place, its counts, and its share of the names.
        const {
            assert!(
                ROWS_PER_NAME * (size_of::<Place>() + size_of::<Counts>()) + Names::SIZE
                    <= ROWS_PER_NAME * 192
            )
        };
        let mut places = KVVec::with_capacity(count, GFP_KERNEL)?;
        let mut counts = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            let place = Place {
                key: AtomicUsize::new(FREE),
                facts: Facts::new(),
            };
            places.push(place, GFP_KERNEL)?;
            counts.push(Counts::new(), GFP_KERNEL)?;
        }
        Ok(Self {
            places,
            counts,
            names: Names::new(Self::names_for(count))?,
            heirs: Heirs::new()?,
            open: AtomicBool::new(false),
            evicted: Evicted {
                rows: AtomicU64::new(0),
                faults: AtomicU64::new(0),
            },
        })
    }

    fn names_for(rows: usize) -> usize {
        (rows / ROWS_PER_NAME).max(256)
    }

    pub(super) fn memory_for(rows: usize) -> u64 {
        let row = size_of::<Place>() + size_of::<Counts>();
        (rows * row) as u64 + Names::memory_for(Self::names_for(rows))
    }

    /// Returns a place's key and row.
    fn at(&self, place: usize) -> Option<(&AtomicUsize, Row<'_>)> {
        let counts = self.counts.get(place)?;
        let Place { key, facts } = self.places.get(place)?;
        Some((key, Row { facts, counts }))
    }

    /// Returns all places' keys and rows.
    fn all(&self) -> impl Iterator<Item = (&AtomicUsize, Row<'_>)> {
        (0..self.len()).filter_map(|place| self.at(place))
    }

    /// Returns the first place where the row of a VMA may be.
    #[inline(always)]
    fn home(&self, vma: VmaId) -> usize {
        let hash = (vma.raw() as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (hash as usize).wrapping_mul(self.places.len()) >> 32
    }

    /// Returns the places of a VMA's window, in order.
    ///
    /// The steps grow by one each: in places next to each other, rows would
    /// crowd long before the table is full.
    #[inline(always)]
    fn window(&self, vma: VmaId) -> impl Iterator<Item = (usize, &AtomicUsize)> {
        let mut next = self.home(vma);
        (1..=WINDOW).filter_map(move |step| {
            let place = next;
            next += step;
            if next >= self.len() {
                next -= self.len();
            }
            Some((place, &self.places.get(place)?.key))
        })
    }

    /// Looks for the row of a VMA, or for a place where it could be.
    ///
    /// A free place never comes back before the next reset, so that no row of
    /// this VMA can be behind one. Before that, the first place of a row that
    /// ended is taken, so that rows of live mappings are found soon; what is
    /// there moves to the free one. One with a note gives way at last.
    fn find(&self, vma: VmaId) -> Found {
        let (mut gone, mut noted) = (None, None);
        for (place, key) in self.window(vma) {
            let key = key.load(Ordering::Acquire);
            if key == vma.raw() || key == vma.raw() | MAKING {
                return Found::Row(place);
            }
            if key == FREE {
                return match gone {
                    Some(gone) => Found::Place(gone, GONE, Some(place)),
                    None => Found::Place(place, FREE, None),
                };
            }
            if key == GONE && gone.is_none() {
                gone = Some(place);
            }
            if key == NOTED && noted.is_none() {
                noted = Some(place);
            }
        }
        match (gone, noted) {
            (Some(place), _) => Found::Place(place, GONE, None),
            (None, Some(place)) => Found::Place(place, NOTED, None),
            (None, None) => Found::Full,
        }
    }

    /// Returns the row of a VMA, and makes it if there is none; and the VMA's
    /// traits.
    ///
    /// [`RowRef::NONE`] if the table is full around its place, or not open. On
    /// the fault path: no lock, no allocation.
    pub(crate) fn get(&self, vma: &Vma) -> (RowRef, VmaTraits) {
        match self.settled(vma) {
            Some((at, row)) => (at, row.facts.traits()),
            None => (RowRef::NONE, vma.traits()),
        }
    }

    /// Returns the row of a VMA, and the VMA's traits, where a look is enough:
    /// it is in the first place, and current.
    #[inline(always)]
    pub(crate) fn at_home(&self, vma: &Vma) -> Option<(RowRef, VmaTraits)> {
        self.current_at(self.home(vma.id()), vma)
    }

    /// As [`Self::at_home`], if it is in a later place.
    #[inline(always)]
    pub(crate) fn further_on(&self, vma: &Vma) -> Option<(RowRef, VmaTraits)> {
        let id = vma.id();
        for (place, key) in self.window(id) {
            match key.load(Ordering::Relaxed) {
                key if key == id.raw() => return self.current_at(place, vma),
                // None is behind a free place: see find().
                FREE => return None,
                _ => (),
            }
        }
        None
    }

    #[inline(always)]
    fn current_at(&self, place: usize, vma: &Vma) -> Option<(RowRef, VmaTraits)> {
        let Place { key, facts } = self.places.get(place)?;
        let at = RowRef {
            place: place as u32,
            generation: facts.generation(),
        };
        if key.load(Ordering::Acquire) != vma.id().raw() || !facts.is_current(vma) {
            return None;
        }
        Some((at, facts.traits()))
    }

    /// Returns the row of a VMA, made if there was none, and current.
    fn settled(&self, vma: &Vma) -> Option<(RowRef, Row<'_>)> {
        if !self.open.load(Ordering::Relaxed) {
            return None;
        }
        let id = vma.id();
        for _ in 0..PATIENCE {
            let place = match self.find(id) {
                Found::Row(place) => place,
                Found::Place(place, from, spare) => {
                    if !self.make(vma, place, from, spare) {
                        continue;
                    }
                    place
                }
                Found::Full => return None,
            };
            let (key, row) = self.at(place)?;
            let generation = row.facts.generation();
            if key.load(Ordering::Acquire) != id.raw() {
                // Another CPU is making it, at this moment.
                core::hint::spin_loop();
                continue;
            }
            if !row.facts.is_current(vma) {
                if !row.fits(vma) {
                    self.retire(key, row, id, GONE);
                    continue;
                }
                row.describe(vma, &self.names);
            }
            let at = RowRef {
                place: place as u32,
                generation,
            };
            return Some((at, row));
        }
        None
    }

    /// Takes a place for a VMA's row and fills it in.
    #[cold]
    fn make(&self, vma: &Vma, place: usize, from: usize, spare: Option<usize>) -> bool {
        let id = vma.id();
        let Some(row) = self.claim(id, place, from, spare) else {
            return false;
        };
        self.inherit(vma, row);
        row.describe(vma, &self.names);
        self.publish(id, place);
        self.settle(id);
        true
    }

    /// Makes a place that of a VMA, with all counts at zero.
    fn claim(
        &self,
        vma: VmaId,
        place: usize,
        from: usize,
        spare: Option<usize>,
    ) -> Option<Row<'_>> {
        let (key, row) = self.at(place)?;
        key.compare_exchange(
            from,
            vma.raw() | MAKING,
            Ordering::AcqRel,
            Ordering::Relaxed,
        )
        .ok()?;
        row.facts.change_hands();
        if from != FREE && !row.is_empty() && !self.keep(row, place, spare) {
            self.evicted.rows.fetch_add(1, Ordering::Relaxed);
        }
        let faults = row.empty(&self.names);
        if faults != 0 {
            self.evicted.faults.fetch_add(faults, Ordering::Relaxed);
        }
        Some(row)
    }

    /// Moves a row that ended out of the way, to the free place that is known
    /// or to any other.
    ///
    /// Nobody looks for it by its VMA any more. Without this, VMA objects that
    /// are used again and again would crowd their windows in a table that has
    /// room elsewhere.
    fn keep(&self, row: Row<'_>, place: usize, spare: Option<usize>) -> bool {
        let mut random = place as u64 ^ row.ended_ns();
        let any = core::iter::repeat_with(|| {
            random = random
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            ((random >> 32) as usize * self.len()) >> 32
        });
        for other in Iterator::chain(spare.into_iter(), any.take(TRIES)) {
            let Some((key, to)) = self.at(other) else {
                continue;
            };
            let mine = key.compare_exchange(FREE, LEAVING, Ordering::AcqRel, Ordering::Relaxed);
            if mine.is_ok() {
                to.facts.change_hands();
                to.take_over(row);
                key.store(GONE, Ordering::Release);
                return true;
            }
        }
        false
    }

    /// Lets everybody find the row at a place that was claimed.
    ///
    /// A full barrier, so that of two CPUs in `settle()` one sees both rows.
    fn publish(&self, vma: VmaId, place: usize) {
        if let Some(Place { key, .. }) = self.places.get(place) {
            let _ = key.compare_exchange(
                vma.raw() | MAKING,
                vma.raw(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
        }
    }

    /// Leaves a VMA one row, if two CPUs made one each at the same time.
    ///
    /// They go for the same place, unless another one in the window ended just
    /// between their looks. The first row stays; the other ends, with what was
    /// counted there.
    fn settle(&self, vma: VmaId) {
        let mut first = None;
        for (place, key) in self.window(vma) {
            // In a small table the window may come back to a place.
            if key.load(Ordering::Acquire) == vma.raw() && *first.get_or_insert(place) != place {
                if let Some((key, row)) = self.at(place) {
                    self.retire(key, row, vma, GONE);
                }
            }
        }
    }

    /// Ends a row; `to` is its new key, [`GONE`] or [`NOTED`].
    fn retire(&self, key: &AtomicUsize, row: Row<'_>, vma: VmaId, to: usize) {
        // Two may come for the same: the place may be another's after the first.
        let mine = key.compare_exchange(vma.raw(), LEAVING, Ordering::AcqRel, Ordering::Relaxed);
        if mine.is_ok() {
            row.end();
            key.store(to, Ordering::Release);
        }
    }

    /// Returns the row, if its place has not changed hands.
    #[inline(always)]
    fn row(&self, at: RowRef) -> Option<Row<'_>> {
        let place = at.place as usize;
        let facts = &self.places.get(place)?.facts;
        let counts = self.counts.get(place)?;
        (facts.generation() == at.generation).then_some(Row { facts, counts })
    }

    /// Counts a completed fault that was not major, if its class is one of the two
    /// that its row had first; otherwise it does nothing and returns `false`.
    #[inline(always)]
    pub(crate) fn complete_at_once(&self, at: RowRef, class: Class) -> bool {
        self.row(at)
            .is_some_and(|row| row.counts.count_early(class, at.generation))
    }

    /// Counts a completed fault; `false` if the row is not there any more.
    pub(crate) fn complete(&self, at: RowRef, class: Class, major: bool) -> bool {
        let Some(row) = self.row(at) else {
            return false;
        };
        if !row.counts.count(class, at.generation) {
            return false;
        }
        if major {
            row.count_major(at.generation);
        }
        true
    }

    /// Counts an attempt that has to be made again.
    pub(crate) fn retry(&self, at: RowRef) {
        if let Some(row) = self.row(at) {
            row.count_retry(at.generation);
        }
    }

    /// Takes note that a VMA object ends.
    pub(crate) fn end(&self, vma: &Vma) {
        let (id, mm, range) = (vma.id(), vma.mm_id(), vma.range());
        // Nobody can inherit what ends here, nor go on in it.
        while self
            .heirs
            .take(mm, |note| match note {
                Note::Rest { range: rest, .. } => overlap(*rest, range),
                Note::Copy { to, .. } => *to == id,
            })
            .is_some()
        {}
        let copy = self.heirs.take(
            mm,
            |note| matches!(note, Note::Copy { from, .. } if *from == id),
        );
        let Found::Row(place) = self.find(id) else {
            return;
        };
        let Some((key, row)) = self.at(place) else {
            return;
        };
        match copy {
            Some(Note::Copy {
                from_range,
                to,
                to_range,
                ..
            }) if from_range == range => {
                self.follow(place, id.raw(), to, to_range);
            }
            _ => {
                let had = row.range();
                let below = (had.0, had.1.min(range.0));
                let above = (had.0.max(range.1), had.1);
                let mut to = GONE;
                for rest in [below, above] {
                    if let Some(range) = self.goes_on_in(row, rest, vma) {
                        self.heirs.put(
                            mm,
                            Note::Rest {
                                range,
                                identity: row.identity(),
                                place,
                                generation: row.facts.generation(),
                            },
                        );
                        to = NOTED;
                    }
                }
                self.retire(key, row, id, to);
            }
        }
    }

    /// Returns where in the rest of its range the mapping of an object that ends goes on,
    /// in another one that has no row.
    fn goes_on_in(&self, row: Row<'_>, rest: (u64, u64), ended: &Vma) -> Option<(u64, u64)> {
        let (mut from, end) = rest;
        for _ in 0..TRIES {
            if from >= end {
                break;
            }
            let other = ended.other_in((from, end))?;
            if row.goes_on_in(other, ended.looks()) && !matches!(self.find(other.id), Found::Row(_))
            {
                return Some((from.max(other.range.0), end.min(other.range.1)));
            }
            // On in any case: the other is only looked at.
            from = other.range.1.max(from + 1);
        }
        None
    }

    /// Takes note that a VMA is copied, by mremap().
    pub(crate) fn copied(&self, from: VmaId, from_range: (u64, u64), to: &Vma) {
        if let Found::Row(place) = self.find(from) {
            // Where the copy took the old object in, that may be another's by now.
            let row = self
                .at(place)
                .filter(|(_, row)| row.identity() == to.identity());
            if let Some((_, row)) = row {
                row.set_range(from_range);
                self.heirs.put(
                    to.mm_id(),
                    Note::Copy {
                        from,
                        from_range,
                        to: to.id(),
                        to_range: to.range(),
                    },
                );
            }
        }
    }

    /// Moves a row to the VMA in which its mapping goes on.
    ///
    /// A mapping that was merged into one with a row of its own ends instead.
    fn follow(&self, place: usize, key: usize, to: VmaId, to_range: (u64, u64)) {
        let Found::Place(new, from, spare) = self.find(to) else {
            self.leave(place, key, None);
            return;
        };
        match self.claim(to, new, from, spare) {
            Some(row) => {
                self.leave(place, key, Some(row));
                row.set_range(to_range);
                self.publish(to, new);
                self.settle(to);
            }
            None => self.leave(place, key, None),
        }
    }

    /// Gives a row that is being made what an earlier object of its mapping
    /// had.
    fn inherit(&self, vma: &Vma, row: Row<'_>) {
        let (range, identity) = (vma.range(), vma.identity());
        let note = self.heirs.take(vma.mm_id(), |note| match note {
            Note::Rest {
                range: rest,
                identity: same,
                ..
            } => *same == identity && overlap(*rest, range),
            Note::Copy { .. } => false,
        });
        let Some(Note::Rest {
            place, generation, ..
        }) = note
        else {
            return;
        };
        if let Some((key, old)) = self.seize(place, NOTED) {
            // Only now it can't change any more.
            if old.facts.generation() == generation {
                self.bequeath(old, row);
                key.store(GONE, Ordering::Release);
            } else {
                key.store(NOTED, Ordering::Release);
            }
        }
    }

    /// Takes a row whose key is as expected out of all others' reach.
    fn seize(&self, place: usize, key: usize) -> Option<(&AtomicUsize, Row<'_>)> {
        let (current, row) = self.at(place)?;
        current
            .compare_exchange(key, LEAVING, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        Some((current, row))
    }

    /// Gives all that a row has, which was seized, to another.
    fn bequeath(&self, row: Row<'_>, heir: Row<'_>) {
        row.facts.change_hands();
        heir.take_over(row);
    }

    /// Ends a row whose key is as expected, and gives all it has to another.
    fn leave(&self, place: usize, key: usize, heir: Option<Row<'_>>) {
        if let Some((key, row)) = self.seize(place, key) {
            match heir {
                Some(heir) => self.bequeath(row, heir),
                None => row.end(),
            }
            key.store(GONE, Ordering::Release);
        }
    }

    /// Starts to make rows: from now on [`Self::end`] is called for every VMA.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Stops making rows, and ends all.
    ///
    /// The caller has waited for the handlers that might make one.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
        self.heirs.clear();
        for (key, row) in self.all() {
            if !matches!(key.load(Ordering::Relaxed), FREE | GONE | NOTED) {
                row.abandon();
                key.store(GONE, Ordering::Release);
            }
        }
    }

    /// Takes all rows away. The caller keeps the handlers out.
    pub(super) fn clear(&self) {
        self.heirs.clear();
        for (key, row) in self.all() {
            if key.load(Ordering::Relaxed) != FREE {
                row.facts.change_hands();
                row.empty(&self.names);
                key.store(FREE, Ordering::Release);
            }
        }
        self.names.forget_dropped();
        self.evicted.rows.store(0, Ordering::Relaxed);
        self.evicted.faults.store(0, Ordering::Relaxed);
    }

    /// Returns the number of places.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Copies a row out, without its name; `None` for a place without a row, or
    /// with one that changes hands at this moment.
    pub(crate) fn read(&self, place: usize) -> Option<RowCopy> {
        let mut copy = RowCopy::default();
        self.read_to(place, &mut copy, None).then_some(copy)
    }

    /// As [`Self::read`], with the name, if the row has one of its own. Both are
    /// of no use if it returns `false`.
    #[inline(always)]
    pub(crate) fn read_named(&self, place: usize, copy: &mut RowCopy, name: &mut NameText) -> bool {
        self.read_to(place, copy, Some(name))
    }

    #[inline(always)]
    fn read_to(&self, place: usize, copy: &mut RowCopy, name: Option<&mut NameText>) -> bool {
        let Some((key, row)) = self.at(place) else {
            return false;
        };
        // First: who takes the place changes its key before it.
        let generation = row.facts.generation();
        let key = key.load(Ordering::Acquire);
        if key == FREE || key & MAKING != 0 {
            return false;
        }
        let live = !matches!(key, GONE | NOTED);
        row.read(live, &self.names, copy, name);
        fence(Ordering::Acquire);
        let changed = row.facts.generation() != generation;
        // What went on elsewhere has left nothing behind.
        let left = !live && row.is_empty();
        !changed && !left
    }

    /// Returns how full the table is.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage {
            rows: self.places.len(),
            evicted: self.evicted.rows.load(Ordering::Relaxed),
            evicted_faults: self.evicted.faults.load(Ordering::Relaxed),
            names: self.names.used(),
            names_dropped: self.names.dropped(),
            ..Usage::default()
        };
        for (key, row) in self.all() {
            match key.load(Ordering::Relaxed) {
                FREE | LEAVING => (),
                GONE | NOTED => usage.used += usize::from(!row.is_empty()),
                _ => {
                    usage.used += 1;
                    usage.live += 1;
                }
            }
        }
        usage
    }

    pub(super) fn memory(&self) -> usize {
        self.len() * (size_of::<Place>() + size_of::<Counts>())
            + self.names.memory()
            + self.heirs.memory()
    }
}

#[kunit_tests(trapscope_rows)]
mod tests {
    use super::*;

    fn vma(number: u64) -> VmaId {
        VmaId::from_word(number * 8)
    }

    /// Makes a row without faults.
    fn make(rows: &Rows, vma: VmaId) -> Result<usize> {
        let Found::Place(place, from, spare) = rows.find(vma) else {
            return Err(EINVAL);
        };
        rows.claim(vma, place, from, spare).ok_or(EINVAL)?;
        rows.publish(vma, place);
        Ok(place)
    }

    fn count(rows: &Rows, place: usize) -> Result {
        let (_, row) = rows.at(place).ok_or(EINVAL)?;
        assert!(row.counts.count(Class::Special, row.facts.generation()));
        Ok(())
    }

    fn retire(rows: &Rows, place: usize, vma: VmaId) -> Result {
        let (key, row) = rows.at(place).ok_or(EINVAL)?;
        rows.retire(key, row, vma, GONE);
        Ok(())
    }

    #[test]
    fn a_place_is_taken_once_and_given_back() -> Result {
        let rows = Rows::new(64)?;
        let Found::Place(place, FREE, None) = rows.find(vma(1)) else {
            return Err(EINVAL);
        };
        assert!(rows.claim(vma(1), place, FREE, None).is_some());
        assert!(rows.claim(vma(2), place, FREE, None).is_none());
        // Not to be read while it is being made.
        assert!(rows.read(place).is_none());
        rows.publish(vma(1), place);
        assert!(matches!(rows.find(vma(1)), Found::Row(at) if at == place));
        assert!(rows.read(place).is_some_and(|row| row.live));
        count(&rows, place)?;
        retire(&rows, place, vma(1))?;
        assert!(!matches!(rows.find(vma(1)), Found::Row(_)));
        assert!(rows.read(place).is_some_and(|row| !row.live));
        rows.clear();
        assert!(rows.read(place).is_none());
        Ok(())
    }

    #[test]
    fn a_row_that_ended_gives_way_and_its_counts_are_kept() -> Result {
        let rows = Rows::new(64)?;
        for number in 1..=64 {
            make(&rows, vma(number))?;
        }
        assert!(matches!(rows.find(vma(65)), Found::Full));
        let Found::Row(place) = rows.find(vma(10)) else {
            return Err(EINVAL);
        };
        count(&rows, place)?;
        retire(&rows, place, vma(10))?;
        assert_eq!(make(&rows, vma(65))?, place);
        let usage = rows.usage();
        assert_eq!(usage.evicted, 1);
        assert_eq!(usage.evicted_faults, 1);
        assert_eq!(usage.live, 64);
        Ok(())
    }

    #[test]
    fn a_row_that_ended_moves_out_of_the_way() -> Result {
        let rows = Rows::new(4096)?;
        // One object, used over and over: its row stays where it is found first.
        for _ in 0..200 {
            let place = make(&rows, vma(1))?;
            assert_eq!(place, rows.home(vma(1)));
            count(&rows, place)?;
            retire(&rows, place, vma(1))?;
        }
        let kept = (0..rows.len()).filter_map(|place| rows.read(place));
        assert_eq!(kept.map(|row| row.faults()).sum::<u64>(), 200);
        let usage = rows.usage();
        assert_eq!((usage.evicted, usage.used), (0, 200));
        Ok(())
    }

    #[test]
    fn a_row_with_a_note_gives_way_at_last() -> Result {
        let rows = Rows::new(64)?;
        let noted = make(&rows, vma(1))?;
        count(&rows, noted)?;
        let (key, row) = rows.at(noted).ok_or(EINVAL)?;
        rows.retire(key, row, vma(1), NOTED);
        for number in 1..64 {
            assert!(make(&rows, vma(number))? != noted);
        }
        assert!(rows.read(noted).is_some_and(|row| !row.live));
        assert_eq!(make(&rows, vma(64))?, noted);
        assert_eq!(rows.usage().evicted_faults, 1);
        Ok(())
    }

    #[test]
    fn a_reference_ends_with_the_row() -> Result {
        let rows = Rows::new(64)?;
        let place = make(&rows, vma(1))?;
        let at = RowRef {
            place: place as u32,
            generation: rows.places[place].facts.generation(),
        };
        assert!(rows.complete(at, Class::Special, false));
        rows.clear();
        make(&rows, vma(1))?;
        assert!(!rows.complete(at, Class::Special, false));
        Ok(())
    }

    #[test]
    fn counts_follow_a_mapping_that_moves() -> Result {
        let rows = Rows::new(64)?;
        let place = make(&rows, vma(1))?;
        count(&rows, place)?;
        rows.follow(place, vma(1).raw(), vma(2), (4096, 8192));
        assert!(rows.read(place).is_none());
        let Found::Row(place) = rows.find(vma(2)) else {
            return Err(EINVAL);
        };
        let row = rows.read(place).ok_or(EINVAL)?;
        assert_eq!((row.faults(), row.start, row.end), (1, 4096, 8192));
        Ok(())
    }

    #[test]
    fn counts_stay_where_the_mapping_merged_into_another() -> Result {
        let rows = Rows::new(64)?;
        let (one, two) = (make(&rows, vma(1))?, make(&rows, vma(2))?);
        count(&rows, one)?;
        rows.follow(one, vma(1).raw(), vma(2), (4096, 8192));
        let row = rows.read(one).ok_or(EINVAL)?;
        assert_eq!((row.faults(), row.live), (1, false));
        assert_eq!(rows.read(two).ok_or(EINVAL)?.faults(), 0);
        Ok(())
    }
}
