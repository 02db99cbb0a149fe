// SPDX-License-Identifier: GPL-2.0

//! handle_mm_fault(): what each fault was, and whose.

use crate::{
    account::{
        links::Link,
        outside::{
            BadArea,
            Event,
            Own, //
        },
        rows::RowRef,
        Accounts, //
    },
    decode::{
        class::Class,
        classify::{
            self,
            Hint,
            VmaTraits, //
        },
        flags::{
            FaultFlags,
            Manner,
            Origin,
            VmFault, //
        },
        pte::{
            self,
            Level, //
        }, //
    },
    sys::{
        atomic::Ordering,
        clock::{
            Reading,
            Stopwatch, //
        },
        functions::{
            FaultEntry,
            FaultExit,
            HandleMmFault, //
        },
        kretprobe::{
            self,
            Besides,
            Entered,
            Room, //
        },
        page_table::PageTables,
        task::{
            fault_signal_pending,
            TaskId, //
        },
        trace_event::{
            self,
            Begin,
            End, //
        }, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What one call hands on to the task's next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    /// A stack grew for the fault that comes now.
    Grew,
    /// An attempt has to be made again.
    Again {
        /// The class that stands for the fault, whatever the next one is.
        class: Option<Class>,
        /// It ran under the per-VMA lock.
        vma_lock: bool,
        /// How many of them there were, as far as somebody wants to know.
        retries: u16,
    },
    /// The fault failed with VM_FAULT_SIGSEGV: what follows is no bad area.
    Failed,
}

impl Message {
    const NO_CLASS: u32 = 0xff;
    const GREW: u32 = 1 << 8;
    const FAILED: u32 = 1 << 9;
    const VMA_LOCK: u32 = 1 << 10;
    const RETRIES: u32 = 16;

    /// Returns the message as a number.
    pub(crate) fn pack(self) -> u32 {
        match self {
            Self::Grew => Self::GREW,
            Self::Failed => Self::FAILED,
            Self::Again {
                class,
                vma_lock,
                retries,
            } => {
                class.map_or(Self::NO_CLASS, |class| class.index() as u32)
                    | if vma_lock { Self::VMA_LOCK } else { 0 }
                    | u32::from(retries) << Self::RETRIES
            }
        }
    }

    /// Returns what a number from [`Self::pack`] stands for.
    pub(crate) fn unpack(raw: u32) -> Self {
        match raw {
            Self::GREW => Self::Grew,
            Self::FAILED => Self::Failed,
            raw => Self::Again {
                class: Class::from_index((raw & Self::NO_CLASS) as usize),
                vma_lock: raw & Self::VMA_LOCK != 0,
                retries: (raw >> Self::RETRIES) as u16,
            },
        }
    }
}

/// On `handle_mm_fault()`.
pub(crate) struct Fault {
    accounts: Arc<Accounts>,
    tables: PageTables,
    clock: Stopwatch,
}

/// Tells from which mode an exception came; `None` if there was none.
fn user_mode(manner: Manner) -> Option<bool> {
    match manner.flags().origin(manner.has_registers()) {
        Origin::User => Some(true),
        Origin::Kernel => Some(false),
        Origin::Remote => None,
    }
}

/// In [`Call::before`]: none was.
const NO_FRAME: u64 = u64::MAX;

/// What is kept from the entry of a call to its return: little, since it is
/// written and read for each. With the arguments it has 64 bytes, for which it is
/// packed.
#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
pub(crate) struct Call {
    address: u64,
    mm: usize,
    /// When the first attempt was entered.
    entered: Reading,
    /// The page frame that was mapped, or [`NO_FRAME`].
    before: u64,
    row: RowRef,
    manner: Manner,
    traits: VmaTraits,
    hint: Hint,
    /// The class, if a plain result settles it and nothing else has to be done.
    at_once: Option<Class>,
    page_cache: Option<bool>,
    /// The class of an earlier attempt that stands for the fault.
    carried: Option<Class>,
}

const _: () = assert!(core::mem::size_of::<Call>() <= 52);

impl Call {
    #[inline(always)]
    fn new(call: FaultEntry<'_>, known: Known, entered: Reading) -> Self {
        Self {
            address: call.address(),
            mm: call.vma().mm_id(),
            before: known.before,
            row: known.row,
            manner: Manner::new(FaultFlags::from_raw(call.flags()), call.has_registers()),
            traits: known.traits,
            hint: known.hint,
            at_once: known.at_once,
            carried: known.carried,
            page_cache: known.page_cache,
            entered,
        }
    }
}

impl Fault {
    /// Fails as [`PageTables::new`] does.
    pub(super) fn new(accounts: Arc<Accounts>) -> Result<Self> {
        let clock = Stopwatch::new();
        accounts.set_slow_clock(!clock.is_tsc());
        Ok(Self {
            accounts,
            tables: PageTables::new()?,
            clock,
        })
    }

    /// Takes what the task's last call left, if it is for this fault.
    fn linked(&self, call: FaultEntry<'_>, flags: FaultFlags) -> Option<(Message, Reading)> {
        if flags.vma_lock() {
            // Always the first attempt, and never below a stack.
            return None;
        }
        let link = self.accounts.links.take(TaskId::current())?;
        if link.address != call.address() || link.mm != call.vma().mm_id() {
            return None;
        }
        let message = Message::unpack(link.message);
        match message {
            // After an attempt under mmap_lock, the next one says so.
            Message::Again { vma_lock, .. } if !vma_lock && !flags.tried() => None,
            _ => Some((message, link.since)),
        }
    }

    /// Tells whether the filter leaves a call out.
    fn left_out(&self, call: FaultEntry<'_>) -> bool {
        let Some(filter) = self.accounts.filter.get() else {
            return false;
        };
        !call
            .vma()
            .owner()
            .is_some_and(|owner| filter.matches(owner.pid, &owner.comm))
    }

    /// Counts an attempt that ended in VM_FAULT_RETRY.
    #[cold]
    fn again(&self, call: &Call, begin: Option<&Begin>, result: VmFault) {
        let class = classify::on_retry(call.hint, result, call.traits, call.page_cache);
        self.accounts.totals.retry(class);
        if call.manner.flags().vma_lock() {
            self.accounts.outside.own(Own::VmaLockRetry);
        }
        self.accounts.rows.retry(call.row);
        let stands = if class.survives_retry() {
            Some(class)
        } else {
            call.carried
        };
        let user_mode = user_mode(call.manner);
        match user_mode {
            Some(mode) if fault_signal_pending(mode) => {
                let signal = Event::BadArea(BadArea::Signal);
                self.accounts.outside.count(signal, mode);
                return;
            }
            Some(mode) => self.accounts.outside.count(Event::Pending, mode),
            None => (),
        }
        if stands.is_some() || user_mode.is_some() || begin.is_some() {
            let before = begin.map_or(0, Begin::retries);
            self.link(
                call,
                Message::Again {
                    class: stands,
                    vma_lock: call.manner.flags().vma_lock(),
                    retries: before.saturating_add(1),
                },
            );
        }
    }

    #[cold]
    fn link(&self, call: &Call, message: Message) {
        self.accounts.links.put(
            TaskId::current(),
            Link {
                address: call.address,
                mm: call.mm,
                message: message.pack(),
                since: call.entered,
            },
        );
    }

    /// Counts a fault that is over.
    fn over(&self, exit: FaultExit<'_>, call: &Call, begin: Option<&Begin>, result: VmFault) {
        let after = match exit.vma() {
            Some(vma) if call.hint.needs_after(result) => {
                let entry = vma.entry(call.address, call.traits, &self.tables);
                Some(self.tables.decode(entry))
            }
            _ => None,
        };
        let before = (call.before != NO_FRAME).then_some(call.before);
        let mut class = classify::at_exit(call.hint, result, before, after);
        if !result.error() {
            class = call.carried.unwrap_or(class);
        }
        let major = !result.error() && (result.major() || call.manner.flags().tried());
        let latency_ns = self.clock.since(call.entered);
        self.accounts
            .totals
            .complete(class, call.manner.over(major), latency_ns);
        if major || !self.accounts.rows.complete_at_once(call.row, class) {
            self.count_in_row(exit, call, class, major);
        }
        if class == Class::Sigsegv && call.manner.has_registers() {
            self.link(call, Message::Failed);
        }
        if let Some(begin) = begin {
            let end = End {
                address: call.address,
                class,
                result: exit.result(),
                major,
                latency_ns,
            };
            trace_event::fault(begin, &end);
        }
    }

    /// Adds a completed fault to its row.
    #[inline(never)]
    fn count_in_row(&self, exit: FaultExit<'_>, call: &Call, class: Class, major: bool) {
        let rows = &self.accounts.rows;
        let counted = rows.complete(call.row, class, major)
            // The row went while the call ran: the mapping may have another now.
            || call.row != RowRef::NONE
                && exit
                    .vma()
                    .is_some_and(|vma| rows.complete(rows.get(vma).0, class, major));
        if !counted {
            self.accounts.outside.own(Own::WithoutRow);
        }
    }

    /// Keeps what the return needs of a call that will be seen.
    #[inline(always)]
    fn keep<'a>(
        &self,
        call: FaultEntry<'_>,
        known: Known,
        room: Room<'a, Call, Begin>,
        entered: Reading,
    ) -> Entered<'a> {
        room.keep(Call::new(call, known, entered))
    }

    /// The entry of a call that somebody is to be told of: all that is known is
    /// kept, and nothing is counted at once.
    #[cold]
    fn entered_traced<'a>(&self, call: FaultEntry<'_>, room: Room<'a, Call, Begin>) -> Entered<'a> {
        let Some(known) = self.find_out(call) else {
            return room.skip();
        };
        let begin = Begin::of(call, known.retries);
        let known = Known {
            at_once: None,
            ..known
        };
        let entered = self.begun(&known);
        room.keep_with(Call::new(call, known, entered), begin)
    }

    /// The entry of a call that no earlier one left a link for, in a mapping
    /// with this row.
    #[inline(always)]
    fn entered_in_row<'a>(
        &self,
        call: FaultEntry<'_>,
        (row, traits): (RowRef, VmaTraits),
        room: Room<'a, Call, Begin>,
    ) -> Entered<'a> {
        if traits.any(VmaTraits::INTRICATE) {
            return self.entered_rarely(call, room);
        }
        let entry = call.vma().entry(call.address(), traits, &self.tables);
        let (pte, Level::Pte) = entry else {
            return self.entered_rarely(call, room);
        };
        if !pte::is_none(pte) {
            return self.entered_mapped(call, row, traits, pte, room);
        }
        let flags = FaultFlags::from_raw(call.flags());
        let hint = classify::missing(Level::Pte, traits, flags);
        let known = Known::plain(row, traits, hint);
        self.keep(call, known, room, self.clock.read_tsc())
    }

    /// The entry of a call without the VMA's lock: an earlier attempt may have
    /// left a link.
    #[inline(never)]
    fn entered_under_mmap_lock<'a>(
        &self,
        call: FaultEntry<'_>,
        flags: FaultFlags,
        room: Room<'a, Call, Begin>,
    ) -> Entered<'a> {
        let accounts = &*self.accounts;
        if flags.tried() || accounts.links.may_have(TaskId::current()) {
            return self.entered_rarely(call, room);
        }
        match accounts.rows.at_home(call.vma()) {
            Some(found) => self.entered_in_row(call, found, room),
            None => self.entered_further_on(call, room),
        }
    }

    /// As [`Self::entered_in_row`], where the row is not at the first look.
    #[inline(never)]
    fn entered_further_on<'a>(
        &self,
        call: FaultEntry<'_>,
        room: Room<'a, Call, Begin>,
    ) -> Entered<'a> {
        match self.accounts.rows.further_on(call.vma()) {
            Some(found) => self.entered_in_row(call, found, room),
            None => self.entered_rarely(call, room),
        }
    }

    /// The entry of a call of which more is to be known than what most have in
    /// common.
    #[inline(never)]
    fn entered_rarely<'a>(&self, call: FaultEntry<'_>, room: Room<'a, Call, Begin>) -> Entered<'a> {
        match self.find_out(call) {
            Some(known) => {
                let entered = self.begun(&known);
                self.keep(call, known, room, entered)
            }
            None => room.skip(),
        }
    }

    /// When the fault began: now, unless an earlier attempt was entered.
    fn begun(&self, known: &Known) -> Reading {
        known.first.unwrap_or_else(|| self.clock.read())
    }

    /// Finds out all about a call; `None` if the filter leaves it out.
    #[inline]
    fn find_out(&self, call: FaultEntry<'_>) -> Option<Known> {
        let accounts = &*self.accounts;
        if self.left_out(call) {
            if !accounts.paused() {
                accounts.outside.own(Own::Filtered);
            }
            return None;
        }
        let (vma, flags) = (call.vma(), FaultFlags::from_raw(call.flags()));
        let (message, since) = self.linked(call, flags).unzip();
        if let (Some(Message::Again { .. }), Some(mode)) =
            (message, user_mode(Manner::new(flags, call.has_registers())))
        {
            // A reset has cleared what it would be taken from.
            if !accounts.paused() {
                accounts.outside.count(Event::Resumed, mode);
            }
        }
        let (row, traits) = if accounts.paused() {
            (RowRef::NONE, vma.traits())
        } else {
            accounts.rows.get(vma)
        };
        let entry = vma.entry(call.address(), traits, &self.tables);
        let state = self.tables.decode(entry);
        let hint = classify::at_entry(state, traits, flags, message == Some(Message::Grew));
        let (carried, retries, first) = match message {
            Some(Message::Again { class, retries, .. }) => (class, retries, since),
            _ => (None, 0, None),
        };
        Some(Known {
            before: state.pfn().unwrap_or(NO_FRAME),
            // A later attempt counts as major, whatever it does.
            at_once: hint
                .at_once()
                .filter(|_| carried.is_none() && !flags.tried()),
            page_cache: hint
                .needs_page_cache(traits)
                .then(|| vma.in_page_cache(call.address())),
            carried,
            retries,
            first,
            ..Known::plain(row, traits, hint)
        })
    }

    /// The entry of a call for an address that has an entry.
    #[inline(never)]
    fn entered_mapped<'a>(
        &self,
        call: FaultEntry<'_>,
        row: RowRef,
        traits: VmaTraits,
        pte: u64,
        room: Room<'a, Call, Begin>,
    ) -> Entered<'a> {
        let state = self.tables.decode((pte, Level::Pte));
        let flags = FaultFlags::from_raw(call.flags());
        let known = Known {
            before: state.pfn().unwrap_or(NO_FRAME),
            ..Known::plain(row, traits, classify::at_entry(state, traits, flags, false))
        };
        self.keep(call, known, room, self.clock.read())
    }

    /// The return of a call that left more to find out.
    #[inline(never)]
    fn returned_rarely(&self, exit: FaultExit<'_>, call: &Call, begin: Option<&Begin>) {
        let result = VmFault::from_raw(exit.result());
        // Nothing is counted during a reset.
        if !self.accounts.paused() {
            if result.retry() {
                self.again(call, begin, result);
            } else {
                self.over(exit, call, begin, result);
            }
        }
    }
}

/// What an entry found out about a call.
struct Known {
    row: RowRef,
    traits: VmaTraits,
    hint: Hint,
    at_once: Option<Class>,
    before: u64,
    page_cache: Option<bool>,
    carried: Option<Class>,
    retries: u16,
    /// When the first attempt was entered, unless this is it.
    first: Option<Reading>,
}

impl Known {
    /// Of a first attempt on a page that was not there.
    #[inline(always)]
    fn plain(row: RowRef, traits: VmaTraits, hint: Hint) -> Self {
        Self {
            row,
            traits,
            hint,
            at_once: hint.at_once(),
            before: NO_FRAME,
            page_cache: None,
            carried: None,
            retries: 0,
            first: None,
        }
    }
}

// Both handlers begin with what most faults have in common: a first attempt
// under the VMA's lock, in a mapping whose row is up to date, on an address
// without a page, that succeeds. That part calls nothing, which keeps it short.
impl kretprobe::Handler for Fault {
    type Target = HandleMmFault;
    type Data = Call;
    type More = Begin;

    #[inline(always)]
    fn entered<'a>(&self, call: FaultEntry<'_>, room: Room<'a, Call, Begin>) -> Entered<'a> {
        if trace_event::fault_is_on() {
            return self.entered_traced(call, room);
        }
        let accounts = &*self.accounts;
        let flags = FaultFlags::from_raw(call.flags());
        if !accounts.clear_way() {
            return self.entered_rarely(call, room);
        }
        if !flags.first_under_vma_lock() {
            return self.entered_under_mmap_lock(call, flags, room);
        }
        match accounts.rows.at_home(call.vma()) {
            Some(found) => self.entered_in_row(call, found, room),
            None => self.entered_further_on(call, room),
        }
    }

    #[inline(always)]
    fn returned(&self, exit: FaultExit<'_>, call: &Call, besides: Besides<'_, Call, Begin>) {
        let accounts = &*self.accounts;
        let result = VmFault::from_raw(exit.result());
        match call.at_once {
            Some(class) if result.plain() && accounts.clear_way() => {
                let latency = self.clock.since_tsc(call.entered);
                accounts.totals.complete(class, call.manner, latency);
                if !accounts.rows.complete_at_once(call.row, class) {
                    self.count_in_row(exit, call, class, false);
                }
            }
            _ => self.returned_rarely(exit, call, besides.get()),
        }
    }

    fn gone(&self, missed: u64, unfinished: u64) {
        self.accounts
            .missed_before
            .fetch_add(missed, Ordering::Relaxed);
        self.accounts
            .unfinished
            .fetch_add(unfinished, Ordering::Relaxed);
    }
}

#[kunit_tests(trapscope_fault)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_packing() {
        let again = |class, vma_lock, retries| Message::Again {
            class,
            vma_lock,
            retries,
        };
        for message in [
            Message::Grew,
            Message::Failed,
            again(None, false, 1),
            again(None, true, u16::MAX),
            again(Some(Class::AnonZero), false, 0),
            again(Some(Class::Hwpoison), true, 2),
        ] {
            assert_eq!(Message::unpack(message.pack()), message);
        }
    }
}
