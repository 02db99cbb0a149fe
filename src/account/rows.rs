// SPDX-License-Identifier: GPL-2.0

//! A row per VMA, in a table of fixed size.
//!
//! A row is found by the address of the VMA object, which tells mappings apart
//! as long as the object lives: its end is hooked, and so is its move to
//! another object by mremap(). A mapping that grows keeps its object. The row
//! of a mapping that ended stays until its place is needed.

use super::names::{
    self,
    Names, //
};
use crate::{
    decode::class::Class,
    sys::{
        atomic::{
            AtomicBool,
            AtomicU32,
            AtomicU64,
            AtomicUsize,
            Ordering, //
        },
        clock,
        task::{
            Comm,
            Owner, //
        },
        vma::{
            Kind,
            Vma,
            VmaId, //
        },
    },
};
use core::mem::size_of;
use kernel::prelude::*;

/// Places in which the row of a VMA may be: eight cache lines of keys.
const WINDOW: usize = 64;

/// Classes that one row tells apart; a fault of a further class is counted,
/// but its class is not named.
const CLASSES: usize = 10;

/// Rows that share the room for one name, about.
const ROWS_PER_NAME: usize = 16;

/// Turns in which a row that another CPU is just making is waited for.
const PATIENCE: u32 = 1000;

/// A key of [`Rows::keys`]: never used since the last reset.
const FREE: usize = 0;
/// The mapping ended; the row can be read, and its place taken.
const GONE: usize = 1;
/// Added to a VMA's address: its row is being made.
const MAKING: usize = 2;

/// In [`Row::name`]: none.
const NO_NAME: u32 = u32::MAX;

const KIND_SHIFT: u32 = 8;

/// A row. All words are written by one CPU while its key is [`MAKING`], and
/// afterwards only in ways that any CPU may.
struct Row {
    /// Rises each time the place changes hands.
    generation: AtomicU32,
    /// Permissions, and the kind of name above [`KIND_SHIFT`].
    flags: AtomicU32,
    device: AtomicU32,
    name: AtomicU32,
    pid: AtomicU32,
    /// When the process started, in milliseconds since boot.
    started: AtomicU32,
    start: AtomicU64,
    end: AtomicU64,
    offset: AtomicU64,
    inode: AtomicU64,
    comm: [AtomicU64; 2],
    /// When the mapping ended, in nanoseconds.
    ended: AtomicU64,
    major: AtomicU64,
    retries: AtomicU64,
    /// A class, counted from one, in the upper byte; its count below.
    classes: [AtomicU64; CLASSES],
    unnamed: AtomicU64,
}

const COUNT_BITS: u32 = 56;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

// A row and its key: what a mapping costs.
const _: () = assert!(size_of::<Row>() + size_of::<AtomicUsize>() <= 192);

/// A row that was found, for as long as its place does not change hands.
#[derive(Clone, Copy)]
pub(crate) struct RowRef {
    index: u32,
    generation: u32,
}

/// A copy of a row.
pub(crate) struct RowCopy {
    pub(crate) live: bool,
    pub(crate) pid: i32,
    pub(crate) started: u32,
    comm: Comm,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) flags: u32,
    /// When it ended, in nanoseconds, if it is not live.
    pub(crate) ended: u64,
    /// In bytes.
    pub(crate) offset: u64,
    pub(crate) device: u32,
    pub(crate) inode: u64,
    pub(crate) major: u64,
    pub(crate) retries: u64,
    pub(crate) classes: [(Option<Class>, u64); CLASSES],
    /// Faults whose class is not named.
    pub(crate) unnamed: u64,
    pub(crate) kind: Kind,
    pub(crate) name: [u8; names::LENGTH],
    /// Bytes of `name`; `None` if there was no room for it.
    pub(crate) name_length: Option<usize>,
}

impl RowCopy {
    /// Returns the device's major number.
    ///
    /// Source: `new_decode_dev()`, include/linux/kdev_t.h.
    pub(crate) fn device_major(&self) -> u32 {
        (self.device & 0xf_ff00) >> 8
    }

    /// Returns the device's minor number.
    pub(crate) fn device_minor(&self) -> u32 {
        self.device & 0xff | (self.device >> 12) & 0xf_ff00
    }

    /// Returns the name that the process has, or had when the row was made.
    pub(crate) fn comm(&self) -> Comm {
        Owner::of_process(self.pid)
            .filter(|owner| self.live && owner.started_ms() == self.started)
            .map_or(self.comm, |owner| owner.comm)
    }

    /// Returns the completed faults.
    pub(crate) fn faults(&self) -> u64 {
        self.classes
            .iter()
            .fold(self.unnamed, |sum, (_, count)| sum.wrapping_add(*count))
    }
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
    /// Rows for whose name there was no room.
    pub(crate) names_dropped: u64,
}

/// The table.
pub(crate) struct Rows {
    keys: KVVec<AtomicUsize>,
    rows: KVVec<Row>,
    names: Names,
    /// Whether the end of a VMA is being watched for: no row without that.
    open: AtomicBool,
    evicted: AtomicU64,
    evicted_faults: AtomicU64,
    names_dropped: AtomicU64,
}

impl Row {
    const fn new() -> Self {
        Self {
            generation: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            device: AtomicU32::new(0),
            name: AtomicU32::new(NO_NAME),
            pid: AtomicU32::new(0),
            started: AtomicU32::new(0),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            offset: AtomicU64::new(0),
            inode: AtomicU64::new(0),
            comm: [const { AtomicU64::new(0) }; 2],
            ended: AtomicU64::new(0),
            major: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            classes: [const { AtomicU64::new(0) }; CLASSES],
            unnamed: AtomicU64::new(0),
        }
    }

    /// The words that are the same for all that a mapping goes through.
    fn counters(&self) -> impl Iterator<Item = &AtomicU64> {
        Iterator::chain(
            self.classes.iter(),
            [&self.unnamed, &self.major, &self.retries],
        )
    }

    /// Returns the completed faults.
    fn faults(&self) -> u64 {
        self.classes
            .iter()
            .fold(self.unnamed.load(Ordering::Relaxed), |sum, class| {
                sum.wrapping_add(class.load(Ordering::Relaxed) & COUNT_MASK)
            })
    }

    /// Adds one completed fault.
    #[inline]
    fn count(&self, class: Class) {
        let tag = (class.index() as u64 + 1) << COUNT_BITS;
        for slot in &self.classes {
            let mut word = slot.load(Ordering::Relaxed);
            if word == 0 {
                word = match slot.compare_exchange(0, tag | 1, Ordering::Relaxed, Ordering::Relaxed)
                {
                    Ok(_) => return,
                    Err(word) => word,
                };
            }
            if word & !COUNT_MASK == tag {
                slot.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        self.unnamed.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what the VMA says of itself, if that changed.
    #[inline]
    fn refresh(&self, vma: &Vma) {
        let (start, end) = vma.range();
        let permissions = vma.flags() & 0xff;
        if self.start.load(Ordering::Relaxed) != start
            || self.end.load(Ordering::Relaxed) != end
            || self.flags.load(Ordering::Relaxed) & 0xff != permissions
        {
            self.describe(vma, vma.backing().kind);
        }
    }

    /// Writes what may change in the life of a mapping.
    #[cold]
    fn describe(&self, vma: &Vma, kind: Kind) {
        let (start, end) = vma.range();
        self.start.store(start, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
        self.flags.store(
            vma.flags() & 0xff | (kind as u32) << KIND_SHIFT,
            Ordering::Relaxed,
        );
        if let Some(owner) = vma.owner() {
            self.pid.store(owner.pid as u32, Ordering::Relaxed);
            self.started.store(owner.started_ms(), Ordering::Relaxed);
            self.rename(&owner.comm);
        }
    }

    fn rename(&self, comm: &Comm) {
        for (word, bytes) in self.comm.iter().zip(comm.chunks_exact(8)) {
            let bytes = bytes.try_into().unwrap_or_default();
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
    }

    /// Tells whether this is the row of a mapping of a process.
    fn is_of(&self, owner: &Owner) -> bool {
        self.pid.load(Ordering::Relaxed) == owner.pid as u32
            && self.started.load(Ordering::Relaxed) == owner.started_ms()
    }
}

/// What a look through the window of a VMA found.
enum Found {
    /// Its row.
    Row(usize),
    /// None, but a place for one, with the key to take it from.
    Place(usize, usize),
    /// None, and no place.
    Full,
}

impl Rows {
    /// Allocates the table.
    pub(crate) fn new(count: usize) -> Result<Self> {
        let mut keys = KVVec::with_capacity(count, GFP_KERNEL)?;
        let mut rows = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            keys.push(AtomicUsize::new(FREE), GFP_KERNEL)?;
            rows.push(Row::new(), GFP_KERNEL)?;
        }
        Ok(Self {
            keys,
            rows,
            names: Names::new((count / ROWS_PER_NAME).max(256))?,
            open: AtomicBool::new(false),
            evicted: AtomicU64::new(0),
            evicted_faults: AtomicU64::new(0),
            names_dropped: AtomicU64::new(0),
        })
    }

    /// Returns the first place of a VMA's window.
    #[inline]
    fn home(&self, vma: VmaId) -> usize {
        let hash = (vma.raw() as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        // Aligned to a cache line of keys.
        ((hash as usize * self.keys.len()) >> 32) & !7
    }

    /// Looks for the row of a VMA, or for a place where it could be.
    ///
    /// A free place never comes back before the next reset, so that no row of
    /// this VMA can be behind one.
    #[inline]
    fn find(&self, vma: VmaId) -> Found {
        let count = self.keys.len();
        let mut gone = None;
        let mut index = self.home(vma);
        for _ in 0..WINDOW.min(count) {
            if index >= count {
                index = 0;
            }
            let Some(key) = self.keys.get(index) else {
                break;
            };
            let key = key.load(Ordering::Acquire);
            if key == vma.raw() || key == vma.raw() | MAKING {
                return Found::Row(index);
            }
            if key == FREE {
                return Found::Place(index, FREE);
            }
            if key == GONE && gone.is_none() {
                gone = Some(index);
            }
            index += 1;
        }
        gone.map_or(Found::Full, |index| Found::Place(index, GONE))
    }

    /// Returns the row of a VMA, and makes it if there is none.
    ///
    /// `None` if the table is full around its place, or not open. On the fault
    /// path: no lock, no allocation.
    #[inline]
    pub(crate) fn get(&self, vma: &Vma) -> Option<RowRef> {
        if !self.open.load(Ordering::Relaxed) {
            return None;
        }
        for _ in 0..PATIENCE {
            let index = match self.find(vma.id()) {
                Found::Row(index) => index,
                Found::Place(index, from) => {
                    if !self.make(vma, index, from) {
                        continue;
                    }
                    index
                }
                Found::Full => return None,
            };
            let row = self.rows.get(index)?;
            let generation = row.generation.load(Ordering::Relaxed);
            if self.keys.get(index)?.load(Ordering::Acquire) != vma.id().raw() {
                // Another CPU is making it, at this moment.
                core::hint::spin_loop();
                continue;
            }
            row.refresh(vma);
            return Some(RowRef {
                index: index as u32,
                generation,
            });
        }
        None
    }

    /// Takes a place for a VMA's row and fills it in.
    #[cold]
    fn make(&self, vma: &Vma, index: usize, from: usize) -> bool {
        let id = vma.id();
        let Some(row) = self.claim(id, index, from) else {
            return false;
        };
        let backing = vma.backing();
        row.offset.store(backing.offset_pages, Ordering::Relaxed);
        row.inode.store(backing.inode, Ordering::Relaxed);
        row.device.store(backing.device, Ordering::Relaxed);
        if backing.kind == Kind::Named {
            match self.names.take(vma, &backing.name_key) {
                Some(name) => row.name.store(name, Ordering::Relaxed),
                None => {
                    self.names_dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        row.describe(vma, backing.kind);
        self.publish(id, index);
        if from == GONE {
            self.settle(id);
        }
        true
    }

    /// Leaves a VMA one row, if two CPUs made one each at the same time.
    ///
    /// Free places are taken in order, so that both go for the same; but of
    /// two rows that ended, each CPU may have taken another. The first stays,
    /// the other ends, with what was counted there.
    fn settle(&self, vma: VmaId) {
        let count = self.keys.len();
        let home = self.home(vma);
        let mut first = true;
        for index in home..home + WINDOW.min(count) {
            let Some(key) = self.keys.get(index % count) else {
                return;
            };
            if key.load(Ordering::Acquire) == vma.raw() && !core::mem::take(&mut first) {
                let _ = key.compare_exchange(vma.raw(), GONE, Ordering::Release, Ordering::Relaxed);
            }
        }
    }

    /// Makes a place that of a VMA, with all counts at zero.
    fn claim(&self, vma: VmaId, index: usize, from: usize) -> Option<&Row> {
        let key = self.keys.get(index)?;
        let row = self.rows.get(index)?;
        key.compare_exchange(
            from,
            vma.raw() | MAKING,
            Ordering::AcqRel,
            Ordering::Relaxed,
        )
        .ok()?;
        row.generation.fetch_add(1, Ordering::AcqRel);
        if from == GONE {
            self.evicted.fetch_add(1, Ordering::Relaxed);
            self.evicted_faults
                .fetch_add(row.faults(), Ordering::Relaxed);
        }
        self.empty(row);
        Some(row)
    }

    /// Lets everybody find the row at a place that was claimed.
    ///
    /// A full barrier, so that of two CPUs in `settle()` one sees both rows.
    fn publish(&self, vma: VmaId, index: usize) {
        if let Some(key) = self.keys.get(index) {
            key.swap(vma.raw(), Ordering::SeqCst);
        }
    }

    /// Sets a row's counts to zero, and gives its name back.
    fn empty(&self, row: &Row) {
        for word in row.counters() {
            word.store(0, Ordering::Relaxed);
        }
        let name = row.name.swap(NO_NAME, Ordering::Relaxed);
        if name != NO_NAME {
            self.names.release(name);
        }
    }

    /// Returns the row, if its place has not changed hands.
    #[inline]
    fn row(&self, at: RowRef) -> Option<&Row> {
        let row = self.rows.get(at.index as usize)?;
        (row.generation.load(Ordering::Relaxed) == at.generation).then_some(row)
    }

    /// Counts a completed fault; `false` if the row is not there any more.
    #[inline]
    pub(crate) fn complete(&self, at: RowRef, class: Class, major: bool) -> bool {
        let Some(row) = self.row(at) else {
            return false;
        };
        row.count(class);
        if major {
            row.major.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Counts an attempt that has to be made again.
    pub(crate) fn retry(&self, at: RowRef) {
        if let Some(row) = self.row(at) {
            row.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes note that a VMA object ended, and of its process's last name.
    pub(crate) fn end(&self, vma: VmaId) {
        if let Found::Row(index) = self.find(vma) {
            if let (Some(key), Some(row)) = (self.keys.get(index), self.rows.get(index)) {
                let owner = Owner::current();
                if row.is_of(&owner) {
                    row.rename(&owner.comm);
                }
                row.ended.store(clock::now_ns(), Ordering::Relaxed);
                let _ = key.compare_exchange(vma.raw(), GONE, Ordering::Release, Ordering::Relaxed);
            }
        }
    }

    /// Takes note that a mapping goes on in another VMA object.
    ///
    /// Both are locked by mremap(), so that no fault completes in them. A
    /// mapping that was merged into one with a row of its own ends instead.
    pub(crate) fn follow(&self, from: VmaId, to: VmaId) {
        let (Found::Row(old), Found::Place(new, place)) = (self.find(from), self.find(to)) else {
            return;
        };
        let Some(old_row) = self.rows.get(old) else {
            return;
        };
        let Some(row) = self.claim(to, new, place) else {
            return;
        };
        let word = |to: &AtomicU32, from: &AtomicU32| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        word(&row.flags, &old_row.flags);
        word(&row.device, &old_row.device);
        word(&row.pid, &old_row.pid);
        word(&row.started, &old_row.started);
        row.name.store(
            old_row.name.swap(NO_NAME, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        let places = [
            (&row.start, &old_row.start),
            (&row.end, &old_row.end),
            (&row.offset, &old_row.offset),
            (&row.inode, &old_row.inode),
        ];
        let comms = row.comm.iter().zip(&old_row.comm);
        for (to, from) in Iterator::chain(places.into_iter(), comms) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for (to, from) in row.counters().zip(old_row.counters()) {
            to.store(from.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.publish(to, new);
        self.end(from);
    }

    /// Starts to make rows: from now on [`Self::end`] is called for every VMA.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Stops making rows, and marks all as ended.
    ///
    /// The caller has waited for the handlers that might make one.
    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
        for key in &self.keys {
            if key.load(Ordering::Relaxed) != FREE {
                key.store(GONE, Ordering::Release);
            }
        }
    }

    /// Takes all rows away. The caller keeps the handlers out.
    pub(super) fn clear(&self) {
        for (key, row) in self.keys.iter().zip(&self.rows) {
            if key.load(Ordering::Relaxed) != FREE {
                row.generation.fetch_add(1, Ordering::AcqRel);
                self.empty(row);
                key.store(FREE, Ordering::Release);
            }
        }
        self.evicted.store(0, Ordering::Relaxed);
        self.evicted_faults.store(0, Ordering::Relaxed);
        self.names_dropped.store(0, Ordering::Relaxed);
    }

    /// Returns the number of places.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Copies a row out; `None` for a place without one, or with one that
    /// changes hands at this moment.
    pub(crate) fn read(&self, index: usize) -> Option<RowCopy> {
        let key = self.keys.get(index)?.load(Ordering::Acquire);
        let row = self.rows.get(index)?;
        if key == FREE || (key != GONE && key & MAKING != 0) {
            return None;
        }
        let generation = row.generation.load(Ordering::Acquire);
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let mut comm = Comm::default();
        for (bytes, word) in comm.chunks_exact_mut(8).zip(&row.comm) {
            bytes.copy_from_slice(&load(word).to_le_bytes());
        }
        let mut classes = [(None, 0); CLASSES];
        for (copy, word) in classes.iter_mut().zip(&row.classes) {
            let word = load(word);
            let class = ((word >> COUNT_BITS) as usize)
                .checked_sub(1)
                .and_then(Class::from_index);
            *copy = (class, word & COUNT_MASK);
        }
        let flags = row.flags.load(Ordering::Relaxed);
        let mut name = [0; names::LENGTH];
        let name_index = row.name.load(Ordering::Relaxed);
        let copy = RowCopy {
            live: key != GONE,
            pid: row.pid.load(Ordering::Relaxed) as i32,
            started: row.started.load(Ordering::Relaxed),
            comm,
            ended: load(&row.ended),
            start: load(&row.start),
            end: load(&row.end),
            flags,
            offset: load(&row.offset) << 12,
            device: row.device.load(Ordering::Relaxed),
            inode: load(&row.inode),
            major: load(&row.major),
            retries: load(&row.retries),
            classes,
            unnamed: load(&row.unnamed),
            kind: match flags >> KIND_SHIFT {
                kind if kind == Kind::Heap as u32 => Kind::Heap,
                kind if kind == Kind::Stack as u32 => Kind::Stack,
                kind if kind == Kind::Named as u32 => Kind::Named,
                _ => Kind::Anonymous,
            },
            name_length: (name_index != NO_NAME).then(|| self.names.read(name_index, &mut name)),
            name,
        };
        let changed = row.generation.load(Ordering::Acquire) != generation;
        // What moved away has left its counts behind it.
        let left = key == GONE && copy.faults() == 0 && copy.retries == 0;
        (!changed && !left).then_some(copy)
    }

    /// Returns how full the table is.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage {
            rows: self.rows.len(),
            evicted: self.evicted.load(Ordering::Relaxed),
            evicted_faults: self.evicted_faults.load(Ordering::Relaxed),
            names: self.names.used(),
            names_dropped: self.names_dropped.load(Ordering::Relaxed),
            ..Usage::default()
        };
        for key in &self.keys {
            let key = key.load(Ordering::Relaxed);
            usage.used += usize::from(key != FREE);
            usage.live += usize::from(key != FREE && key != GONE);
        }
        usage
    }

    pub(super) fn memory(&self) -> usize {
        self.rows.len() * (size_of::<Row>() + size_of::<AtomicUsize>()) + self.names.memory()
    }
}

#[kunit_tests(trapscope_rows)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_each_class() {
        let row = Row::new();
        for _ in 0..3 {
            row.count(Class::AnonAlloc);
        }
        row.count(Class::AnonZero);
        assert_eq!(row.faults(), 4);
        assert_eq!(row.unnamed.load(Ordering::Relaxed), 0);
        let named = row
            .classes
            .iter()
            .filter(|word| word.load(Ordering::Relaxed) != 0)
            .count();
        assert_eq!(named, 2);
    }

    #[test]
    fn classes_over_the_number_are_counted_without_a_name() {
        let row = Row::new();
        for class in Class::ALL {
            row.count(class);
        }
        assert_eq!(row.faults(), Class::COUNT as u64);
        let unnamed = row.unnamed.load(Ordering::Relaxed);
        assert_eq!(unnamed, (Class::COUNT - CLASSES) as u64);
    }

    #[test]
    fn a_place_is_taken_once_and_given_back() -> Result {
        let rows = Rows::new(64)?;
        let (one, two) = (VmaId::for_test(8), VmaId::for_test(16));
        let Found::Place(index, FREE) = rows.find(one) else {
            return Err(EINVAL);
        };
        assert!(rows.claim(one, index, FREE).is_some());
        assert!(rows.claim(two, index, FREE).is_none());
        // Not to be read while it is being made.
        assert!(rows.read(index).is_none());
        rows.publish(one, index);
        assert!(matches!(rows.find(one), Found::Row(at) if at == index));
        assert!(rows.read(index).is_some_and(|row| row.live));
        rows.rows[index].count(Class::Special);
        rows.end(one);
        assert!(!matches!(rows.find(one), Found::Row(_)));
        assert!(rows.read(index).is_some_and(|row| !row.live));
        rows.clear();
        assert!(rows.read(index).is_none());
        Ok(())
    }

    #[test]
    fn a_row_that_ended_gives_way_and_its_counts_are_kept() -> Result {
        let rows = Rows::new(64)?;
        for n in 1..=64 {
            let vma = VmaId::for_test(n * 8);
            let Found::Place(index, FREE) = rows.find(vma) else {
                return Err(EINVAL);
            };
            assert!(rows.claim(vma, index, FREE).is_some());
            rows.publish(vma, index);
        }
        let late = VmaId::for_test(65 * 8);
        assert!(matches!(rows.find(late), Found::Full));
        let Found::Row(index) = rows.find(VmaId::for_test(80)) else {
            return Err(EINVAL);
        };
        rows.rows[index].count(Class::Special);
        rows.end(VmaId::for_test(80));
        let Found::Place(place, GONE) = rows.find(late) else {
            return Err(EINVAL);
        };
        assert_eq!(place, index);
        assert!(rows.claim(late, place, GONE).is_some());
        rows.publish(late, place);
        let usage = rows.usage();
        assert_eq!(usage.evicted, 1);
        assert_eq!(usage.evicted_faults, 1);
        assert_eq!(usage.live, 64);
        Ok(())
    }

    #[test]
    fn counts_follow_a_mapping_that_moves() -> Result {
        let rows = Rows::new(64)?;
        let (old, new) = (VmaId::for_test(8), VmaId::for_test(16));
        let Found::Place(index, FREE) = rows.find(old) else {
            return Err(EINVAL);
        };
        assert!(rows.claim(old, index, FREE).is_some());
        rows.publish(old, index);
        rows.rows[index].count(Class::Special);
        rows.follow(old, new);
        assert!(rows.read(index).is_none());
        let Found::Row(index) = rows.find(new) else {
            return Err(EINVAL);
        };
        assert_eq!(rows.rows[index].faults(), 1);
        Ok(())
    }
}
