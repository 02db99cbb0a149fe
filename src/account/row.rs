// SPDX-License-Identifier: GPL-2.0

//! The row of one mapping.

use super::names::{
    NameText,
    Names,
    NO_NAME, //
};
use crate::{
    decode::{
        class::Class,
        classify::VmaTraits, //
    },
    sys::{
        atomic::{
            AtomicU32,
            AtomicU64,
            Ordering, //
        },
        clock,
        task::{
            Comm,
            Owner, //
        },
        vma::{
            Kind,
            Looks,
            Vma, //
        },
    },
};
use kernel::prelude::*;

/// Classes that one row tells apart; a fault of a further class is counted,
/// but its class is not named.
pub(crate) const CLASSES: usize = 7;

const KIND_SHIFT: u32 = 16;

/// Attempts to change one count, while others change it too.
const PATIENCE: u32 = 1000;

// A word that counts: a class, counted from one, or 0 for none; the last bits of the
// place's generation; the count, for which a million faults a second take four years.
const CLASS_SHIFT: u32 = 59;
const GENERATION_SHIFT: u32 = 47;
const COUNT_MASK: u64 = (1 << GENERATION_SHIFT) - 1;
const GENERATION_MASK: u64 = ((1 << CLASS_SHIFT) - 1) & !COUNT_MASK;
const _: () = assert!((Class::COUNT as u64) < 1 << (u64::BITS - CLASS_SHIFT));

/// What a row says of its mapping, and counts that few faults change.
///
/// Whoever has claimed its place in the table writes all of it; others only
/// count, and refresh what the VMA says of itself.
pub(super) struct Facts {
    /// Rises each time the place changes hands.
    generation: AtomicU32,
    /// [`VmaTraits`], and the kind of name above [`KIND_SHIFT`].
    traits: AtomicU32,
    start: AtomicU64,
    end: AtomicU64,
    /// [`Vma::flags`]
    flags: AtomicU64,
    /// [`Vma::identity`]; once the mapping has ended, when that was, in
    /// nanoseconds.
    identity: AtomicU64,
    device: AtomicU32,
    name: AtomicU32,
    pid: AtomicU32,
    /// When the process started, in milliseconds since boot.
    started: AtomicU32,
    /// In pages.
    offset: AtomicU64,
    inode: AtomicU64,
    comm: [AtomicU64; 2],
    /// As [`Counts::unnamed`], both.
    major: AtomicU64,
    retries: AtomicU64,
}

/// The counts of a row that faults change: on a cache line that no other row
/// has a part of.
///
/// A fault knows the generation of the place that it found. It is in each word, so that
/// the one step that adds to a word fails if the place changed hands, unless it did so
/// 4,096 times since.
#[repr(align(64))]
pub(super) struct Counts {
    /// A class, the generation, and the count.
    classes: [AtomicU64; CLASSES],
    /// The generation, and the count.
    unnamed: AtomicU64,
}

/// A row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) facts: &'a Facts,
    pub(super) counts: &'a Counts,
}

/// A copy of a row.
#[derive(Default)]
pub(crate) struct RowCopy {
    pub(crate) live: bool,
    pub(crate) pid: i32,
    pub(crate) started: u32,
    comm: Comm,
    /// When it ended, in nanoseconds, if it is not live.
    pub(crate) ended: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// [`Vma::flags`]
    pub(crate) flags: u64,
    /// In bytes.
    pub(crate) offset: u64,
    /// As `new_encode_dev()` has it.
    pub(crate) device: u32,
    pub(crate) inode: u64,
    pub(crate) major: u64,
    pub(crate) retries: u64,
    /// As [`Counts::classes`], without the generation.
    classes: [u64; CLASSES],
    /// Faults whose class is not named.
    pub(crate) unnamed: u64,
    pub(crate) kind: Kind,
    /// The name's bytes; `None` if there was no room for it, or nobody asked.
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

    /// Returns the name that the process has, or had when the mapping ended.
    pub(crate) fn comm(&self) -> Comm {
        self.comm_of(&Owner::of_process(self.pid))
    }

    /// As [`Self::comm`], for who looked the process up already: it is the owner
    /// that has this row's pid now.
    pub(crate) fn comm_of(&self, owner: &Option<Owner>) -> Comm {
        owner
            .filter(|owner| self.live && owner.started_ms() == self.started)
            .map_or(self.comm, |owner| owner.comm)
    }

    /// Returns the words of the classes that are named: they fill up in order.
    #[inline(always)]
    fn named(&self) -> impl Iterator<Item = &u64> {
        self.classes.iter().take_while(|word| **word != 0)
    }

    /// Returns the classes that are named, and their counts.
    #[inline(always)]
    pub(crate) fn classes(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        self.named().filter_map(|word| {
            let index = (word >> CLASS_SHIFT).checked_sub(1)?;
            Some((Class::from_index(index as usize)?, word & COUNT_MASK))
        })
    }

    /// Returns the completed faults.
    #[inline(always)]
    pub(crate) fn faults(&self) -> u64 {
        self.named().fold(self.unnamed, |sum, word| {
            sum.wrapping_add(word & COUNT_MASK)
        })
    }
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

impl Facts {
    pub(super) const fn new() -> Self {
        Self {
            generation: AtomicU32::new(0),
            traits: AtomicU32::new(0),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            flags: AtomicU64::new(0),
            identity: AtomicU64::new(0),
            device: AtomicU32::new(0),
            name: AtomicU32::new(NO_NAME),
            pid: AtomicU32::new(0),
            started: AtomicU32::new(0),
            offset: AtomicU64::new(0),
            inode: AtomicU64::new(0),
            comm: [const { AtomicU64::new(0) }; 2],
            major: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }

    /// Returns how often the place has changed hands.
    #[inline(always)]
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Takes note that the place changes hands.
    pub(super) fn change_hands(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Tells whether the row says what the VMA says of itself.
    #[inline(always)]
    pub(super) fn is_current(&self, vma: &Vma) -> bool {
        let (start, end) = vma.range();
        load(&self.start) == start
            && load(&self.end) == end
            && self.flags.load(Ordering::Acquire) == vma.flags()
            && load(&self.identity) == vma.identity()
    }

    /// Returns the traits of the VMA, for which the row is current.
    #[inline(always)]
    pub(super) fn traits(&self) -> VmaTraits {
        VmaTraits::from_raw(self.traits.load(Ordering::Relaxed) as u16)
    }
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self {
            classes: [const { AtomicU64::new(0) }; CLASSES],
            unnamed: AtomicU64::new(0),
        }
    }

    /// Adds one completed fault, if its class is one of the two that came first.
    ///
    /// If it returns `false` nothing was added, for one reason or another.
    #[inline(always)]
    pub(super) fn count_early(&self, class: Class, generation: u32) -> bool {
        let head = head(Some(class), generation);
        let [first, second, ..] = &self.classes;
        for slot in [first, second] {
            let word = slot.load(Ordering::Relaxed);
            if has_head(word, head) {
                return step(slot, word, word.wrapping_add(1)).is_ok();
            }
        }
        false
    }

    /// Adds one completed fault; `false` if the place changed hands, or if others were
    /// always faster.
    pub(super) fn count(&self, class: Class, generation: u32) -> bool {
        let (free, own) = (head(None, generation), head(Some(class), generation));
        for slot in &self.classes {
            let mut word = slot.load(Ordering::Relaxed);
            let mut tries = 0;
            while word == free || has_head(word, own) {
                match step(slot, word, (word | own).wrapping_add(1)) {
                    Ok(_) => return true,
                    Err(now) => word = now,
                }
                tries += 1;
                if tries == PATIENCE {
                    return false;
                }
            }
        }
        add(&self.unnamed, generation)
    }
}

/// Returns what a word has above its count.
#[inline(always)]
fn head(class: Option<Class>, generation: u32) -> u64 {
    let class = class.map_or(0, |class| class.index() as u64 + 1);
    let generation = (u64::from(generation) << GENERATION_SHIFT) & GENERATION_MASK;
    class << CLASS_SHIFT | generation
}

/// Tells whether a word has this above its count.
#[inline(always)]
fn has_head(word: u64, head: u64) -> bool {
    (word ^ head) >> GENERATION_SHIFT == 0
}

/// Adds one to a count without a class; `false` as [`Counts::count`].
fn add(slot: &AtomicU64, generation: u32) -> bool {
    let mut word = slot.load(Ordering::Relaxed);
    for _ in 0..PATIENCE {
        if !has_head(word, head(None, generation)) {
            return false;
        }
        match step(slot, word, word.wrapping_add(1)) {
            Ok(_) => return true,
            Err(now) => word = now,
        }
    }
    false
}

/// Tells whether two ranges have a part in common.
pub(super) fn overlap(one: (u64, u64), other: (u64, u64)) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// Changes a count, if it is still what it was.
#[inline(always)]
fn step(slot: &AtomicU64, from: u64, to: u64) -> Result<u64, u64> {
    slot.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
}

impl<'a> Row<'a> {
    /// The counts.
    fn counters(self) -> impl DoubleEndedIterator<Item = &'a AtomicU64> {
        Iterator::chain(
            self.counts.classes.iter(),
            [&self.counts.unnamed, &self.facts.major, &self.facts.retries],
        )
    }

    /// Tells whether nothing was counted.
    pub(super) fn is_empty(self) -> bool {
        self.counters().all(|word| load(word) & COUNT_MASK == 0)
    }

    /// Returns when the mapping ended, in nanoseconds, if it did.
    pub(super) fn ended_ns(self) -> u64 {
        load(&self.facts.identity)
    }

    /// Adds a major fault, if the place has not changed hands.
    pub(super) fn count_major(self, generation: u32) {
        add(&self.facts.major, generation);
    }

    /// Adds an attempt that has to be made again, if the place has not changed hands.
    pub(super) fn count_retry(self, generation: u32) {
        add(&self.facts.retries, generation);
    }

    /// Tells whether this can be the row of a VMA that has its object: a
    /// guard for the time in which nobody heard of the end of VMAs, because
    /// all kprobes were off.
    pub(super) fn fits(self, vma: &Vma) -> bool {
        let (start, end) = vma.range();
        load(&self.facts.identity) == vma.identity()
            && (start < load(&self.facts.end) && load(&self.facts.start) < end || vma.grows_down())
    }

    /// Writes down what the VMA says of itself, and who owns it.
    #[cold]
    pub(super) fn describe(self, vma: &Vma, names: &Names) {
        let (start, end) = vma.range();
        let backing = vma.backing();
        self.facts.start.store(start, Ordering::Relaxed);
        self.facts.end.store(end, Ordering::Relaxed);
        self.facts
            .offset
            .store(backing.offset_pages, Ordering::Relaxed);
        self.facts.inode.store(backing.inode, Ordering::Relaxed);
        self.facts.device.store(backing.device, Ordering::Relaxed);
        self.facts.traits.store(
            u32::from(vma.traits().raw()) | (backing.kind as u32) << KIND_SHIFT,
            Ordering::Relaxed,
        );
        self.facts.identity.store(vma.identity(), Ordering::Relaxed);
        // Last: who finds the flags right takes the traits for right.
        self.facts.flags.store(vma.flags(), Ordering::Release);
        if backing.kind == Kind::Named && self.facts.name.load(Ordering::Relaxed) == NO_NAME {
            let name = names.take(vma, &backing.name_key);
            let before = self.facts.name.compare_exchange(
                NO_NAME,
                name,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if before.is_err() {
                names.release(name);
            }
        }
        if let Some(owner) = vma.owner() {
            self.facts.pid.store(owner.pid as u32, Ordering::Relaxed);
            self.facts
                .started
                .store(owner.started_ms(), Ordering::Relaxed);
            self.rename(&owner.comm);
        }
    }

    fn rename(self, comm: &Comm) {
        for (word, bytes) in self.facts.comm.iter().zip(comm.chunks_exact(8)) {
            let bytes = bytes.try_into().unwrap_or_default();
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
    }

    /// Takes note that the mapping ended, most likely at the hands of the
    /// current process, and of the name that its process has now.
    pub(super) fn end(self) {
        self.end_with(Owner::current());
    }

    /// Takes note that nobody will hear of the mapping's end.
    pub(super) fn abandon(self) {
        let pid = self.facts.pid.load(Ordering::Relaxed) as i32;
        self.end_with(Owner::of_process(pid).unwrap_or(Owner::current()));
    }

    fn end_with(self, owner: Owner) {
        if self.facts.pid.load(Ordering::Relaxed) == owner.pid as u32
            && self.facts.started.load(Ordering::Relaxed) == owner.started_ms()
        {
            self.rename(&owner.comm);
        }
        self.facts
            .identity
            .store(clock::now_ns(), Ordering::Relaxed);
    }

    /// Returns the range that the mapping had last.
    pub(super) fn range(self) -> (u64, u64) {
        (load(&self.facts.start), load(&self.facts.end))
    }

    pub(super) fn identity(self) -> u64 {
        load(&self.facts.identity)
    }

    /// Tells whether the mapping, of which an object ends that had become a part of it, goes
    /// on in another that maps the rest, and is not one that was just made there.
    ///
    /// munmap() and mremap() of a part leave two objects that look the same, side by side.
    /// After mprotect() and the like, which the object goes along with, the rest is as the
    /// row has it since the last fault. A mapping that is new could be too, but has had no
    /// page yet, or else a row, so that nobody asks. One of a file without private pages is
    /// not told from a new one, and starts anew.
    pub(super) fn goes_on_in(self, rest: Looks, ended: Looks) -> bool {
        let cut = rest.flags == ended.flags && !overlap(rest.range, ended.range);
        let left = rest.flags == load(&self.facts.flags) && rest.anonymous_pages;
        let same = rest.identity == self.identity() && rest.file_start == ended.file_start;
        same && (cut || left)
    }

    pub(super) fn set_range(self, range: (u64, u64)) {
        self.facts.start.store(range.0, Ordering::Relaxed);
        self.facts.end.store(range.1, Ordering::Relaxed);
    }

    /// Empties the row for the generation that the place has now, and returns the
    /// completed faults that it had.
    pub(super) fn empty(self, names: &Names) -> u64 {
        let free = head(None, self.facts.generation());
        let mut faults = 0u64;
        for word in Iterator::chain(self.counts.classes.iter(), [&self.counts.unnamed]) {
            faults = faults.wrapping_add(word.swap(free, Ordering::Relaxed) & COUNT_MASK);
        }
        self.facts.major.store(free, Ordering::Relaxed);
        self.facts.retries.store(free, Ordering::Relaxed);
        names.release(self.facts.name.swap(NO_NAME, Ordering::Relaxed));
        faults
    }

    /// Takes over all that another row has, and leaves it empty. Its place has changed
    /// hands, so that nobody adds to what was taken.
    pub(super) fn take_over(self, other: Row<'_>) {
        let words = [
            (&self.facts.traits, &other.facts.traits),
            (&self.facts.device, &other.facts.device),
            (&self.facts.pid, &other.facts.pid),
            (&self.facts.started, &other.facts.started),
        ];
        for (to, from) in words {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.facts.name.store(
            other.facts.name.swap(NO_NAME, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        let words = [
            (&self.facts.start, &other.facts.start),
            (&self.facts.end, &other.facts.end),
            (&self.facts.offset, &other.facts.offset),
            (&self.facts.inode, &other.facts.inode),
            (&self.facts.flags, &other.facts.flags),
            (&self.facts.identity, &other.facts.identity),
        ];
        let comms = self.facts.comm.iter().zip(&other.facts.comm);
        for (to, from) in Iterator::chain(words.into_iter(), comms) {
            to.store(load(from), Ordering::Relaxed);
        }
        let generation = head(None, self.facts.generation());
        let left = head(None, other.facts.generation());
        // Last one first: who counts begins with the first, and finds no word free behind
        // one that was taken. So they stay in order.
        for (to, from) in Iterator::zip(self.counters().rev(), other.counters().rev()) {
            let word = from.swap(left, Ordering::Relaxed) & !GENERATION_MASK;
            to.store(word | generation, Ordering::Relaxed);
        }
    }

    /// Copies the row out, and its name if there is a place for it.
    #[inline(always)]
    pub(super) fn read(
        self,
        live: bool,
        names: &Names,
        copy: &mut RowCopy,
        name: Option<&mut NameText>,
    ) {
        let [first, second] = &self.facts.comm;
        // In memory, the first byte of a name is the lowest of the first word.
        let comm = u128::from(load(second)) << 64 | u128::from(load(first));
        copy.comm = comm.to_le_bytes();
        copy.live = live;
        copy.pid = self.facts.pid.load(Ordering::Relaxed) as i32;
        copy.started = self.facts.started.load(Ordering::Relaxed);
        copy.ended = if live { 0 } else { self.ended_ns() };
        copy.start = load(&self.facts.start);
        copy.end = load(&self.facts.end);
        copy.flags = load(&self.facts.flags);
        copy.offset = load(&self.facts.offset) << 12;
        copy.device = self.facts.device.load(Ordering::Relaxed);
        copy.inode = load(&self.facts.inode);
        copy.major = load(&self.facts.major) & COUNT_MASK;
        copy.retries = load(&self.facts.retries) & COUNT_MASK;
        for (copy, word) in copy.classes.iter_mut().zip(&self.counts.classes) {
            *copy = load(word) & !GENERATION_MASK;
        }
        copy.unnamed = load(&self.counts.unnamed) & COUNT_MASK;
        copy.kind = match self.facts.traits.load(Ordering::Relaxed) >> KIND_SHIFT {
            kind if kind == Kind::Heap as u32 => Kind::Heap,
            kind if kind == Kind::Stack as u32 => Kind::Stack,
            kind if kind == Kind::Named as u32 => Kind::Named,
            _ => Kind::Anonymous,
        };
        copy.name_length =
            name.and_then(|name| names.read(self.facts.name.load(Ordering::Relaxed), name));
    }
}

#[kunit_tests(trapscope_row)]
mod tests {
    use super::*;
    use crate::sys::vma::VmaId;

    /// A row outside of the table.
    struct Alone(Facts, Counts);

    impl Alone {
        const fn new() -> Self {
            Self(Facts::new(), Counts::new())
        }

        fn row(&self) -> Row<'_> {
            Row {
                facts: &self.0,
                counts: &self.1,
            }
        }
    }

    fn read(row: Row<'_>) -> Result<RowCopy> {
        let mut copy = RowCopy::default();
        row.read(true, &Names::new(1)?, &mut copy, None);
        Ok(copy)
    }

    #[test]
    fn a_row_counts_each_class() -> Result {
        let alone = Alone::new();
        let row = alone.row();
        for _ in 0..3 {
            assert!(row.counts.count(Class::AnonAlloc, 0));
        }
        assert!(row.counts.count(Class::AnonZero, 0));
        assert_eq!(read(row)?.faults(), 4);
        let copy = read(row)?;
        let expected = [(Class::AnonAlloc, 3), (Class::AnonZero, 1)];
        assert!(copy.classes().eq(expected));
        assert_eq!(copy.unnamed, 0);
        Ok(())
    }

    #[test]
    fn a_mapping_goes_on_in_what_is_left_of_it() {
        let alone = Alone::new();
        let row = alone.row();
        row.facts.flags.store(3, Ordering::Relaxed);
        row.facts.identity.store(7, Ordering::Relaxed);
        let looks = |range, flags, anonymous_pages| Looks {
            id: VmaId::from_word(8),
            range,
            flags,
            identity: 7,
            file_start: 0,
            anonymous_pages,
        };
        let (low, high, all) = ((0, 8), (8, 16), (0, 16));
        // A part was unmapped.
        assert!(row.goes_on_in(looks(low, 3, false), looks(high, 3, false)));
        assert!(row.goes_on_in(looks(low, 1, false), looks(high, 1, false)));
        // A part was changed, and then unmapped, or changed back.
        assert!(row.goes_on_in(looks(low, 3, true), looks(high, 1, true)));
        assert!(row.goes_on_in(looks(all, 3, true), looks(high, 1, true)));
        // Both were replaced, or one by another kind.
        assert!(!row.goes_on_in(looks(all, 3, false), looks(high, 3, false)));
        assert!(!row.goes_on_in(looks(all, 3, false), looks(high, 1, true)));
        assert!(!row.goes_on_in(looks(low, 3, false), looks(high, 1, true)));
        assert!(!row.goes_on_in(looks(low, 1, true), looks(high, 3, true)));
        let other = Looks {
            identity: 8,
            ..looks(low, 3, true)
        };
        assert!(!row.goes_on_in(other, looks(high, 3, true)));
        let elsewhere = Looks {
            file_start: 4096,
            ..looks(low, 3, true)
        };
        assert!(!row.goes_on_in(elsewhere, looks(high, 3, true)));
    }

    #[test]
    fn classes_over_the_number_are_counted_without_a_name() -> Result {
        let alone = Alone::new();
        let row = alone.row();
        for class in Class::ALL {
            assert!(row.counts.count(class, 0));
        }
        assert_eq!(read(row)?.faults(), Class::COUNT as u64);
        assert_eq!(read(row)?.unnamed, (Class::COUNT - CLASSES) as u64);
        Ok(())
    }

    #[test]
    fn what_is_taken_over_or_emptied_is_not_lost() -> Result {
        let alone = (Alone::new(), Alone::new());
        let (one, two) = (alone.0.row(), alone.1.row());
        one.counts.count(Class::SwapIn, 0);
        one.count_major(0);
        one.count_retry(0);
        one.facts.change_hands();
        two.facts.change_hands();
        two.take_over(one);
        assert!(!one.counts.count(Class::SwapIn, 0));
        assert_eq!(read(one)?.faults(), 0);
        let copy = read(two)?;
        assert_eq!((copy.faults(), copy.major, copy.retries), (1, 1, 1));
        assert_eq!(two.empty(&Names::new(1)?), 1);
        assert_eq!(read(two)?.faults(), 0);
        Ok(())
    }

    #[test]
    fn who_comes_too_late_adds_nothing() -> Result {
        let alone = Alone::new();
        let row = alone.row();
        for class in Class::ALL {
            assert!(row.counts.count(class, 0));
        }
        row.facts.change_hands();
        // The counts are still those of the one before.
        assert!(row.counts.count_early(Class::ALL[0], 0));
        assert_eq!(row.empty(&Names::new(1)?), Class::COUNT as u64 + 1);
        for class in Class::ALL {
            assert!(!row.counts.count_early(class, 0));
            assert!(!row.counts.count(class, 0));
        }
        row.count_major(0);
        row.count_retry(0);
        assert!(row.is_empty());
        assert!(row.counts.count(Class::SwapIn, 1));
        assert!(!row.counts.count_early(Class::SwapIn, 0));
        assert!(row.counts.count_early(Class::SwapIn, 1));
        row.count_major(1);
        let copy = read(row)?;
        assert_eq!((copy.faults(), copy.major, copy.retries), (2, 1, 0));
        // Not all of the generation has room in a word.
        assert!(row.counts.count(Class::SwapIn, 0x1001));
        Ok(())
    }
}
