// SPDX-License-Identifier: GPL-2.0

//! What handle_mm_fault() never sees, and what the hooks themselves lost.

use crate::{
    decode::{
        error_code,
        region::Region, //
    },
    sys::per_cpu::PerCpuCounters,
};
use kernel::prelude::*;

/// Why a fault on a user address did not get to handle_mm_fault(), or not again.
#[derive(Clone, Copy)]
pub(crate) enum BadArea {
    /// No mapping there.
    NoVma,
    /// The mapping does not allow it.
    Access,
    /// The context may not take faults.
    Atomic,
    /// After an attempt a signal was pending: there is no other.
    Signal,
}

impl BadArea {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::NoVma, "no-vma"),
        (Self::Access, "access"),
        (Self::Atomic, "atomic"),
        (Self::Signal, "signal"),
    ];
}

/// What is counted, each for kernel mode and for user mode.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// A fault on a kernel address.
    Region(Region),
    /// A fault on a user address that was refused.
    BadArea(BadArea),
    /// An attempt has to be made again, and no signal was pending.
    Pending,
    /// It was made again, or refused then. Until the two are equal, a signal
    /// came after all, or the task is on its way.
    Resumed,
}

/// Error codes that can be told apart: each a combination of the known bits.
const CODES: usize = 1 << error_code::BITS.len();

/// What the hook on handle_mm_fault() counts besides classes and rows.
#[derive(Clone, Copy)]
pub(crate) enum Own {
    /// Calls that the filter left out.
    Filtered,
    /// Completed faults that no row took.
    WithoutRow,
    /// Attempts under the per-VMA lock that have to be made again.
    VmaLockRetry,
}

/// The counters, per CPU.
pub(crate) struct Outside {
    events: PerCpuCounters<{ Event::COUNT * 2 }>,
    codes: PerCpuCounters<{ CODES * 2 }>,
    own: PerCpuCounters<3>,
}

impl Event {
    /// Number of events.
    const COUNT: usize = Self::REFUSED + 3;

    /// Number of those that are a fault with an error code. They come first.
    pub(crate) const REFUSED: usize = Region::COUNT + BadArea::Signal as usize;

    /// Their names, by [`Self::index`].
    pub(crate) const REFUSED_NAMES: [&'static str; Self::REFUSED] = {
        let mut names = [""; Self::REFUSED];
        let mut i = 0;
        while i < names.len() {
            names[i] = if i < Region::COUNT {
                Region::ALL[i].name()
            } else {
                BadArea::ALL[i - Region::COUNT].1
            };
            i += 1;
        }
        names
    };

    /// Returns a number below [`Self::COUNT`] that no other one has.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Region(region) => region.index(),
            Self::BadArea(reason) => Region::COUNT + reason as usize,
            Self::Pending => Self::COUNT - 2,
            Self::Resumed => Self::COUNT - 1,
        }
    }
}

impl Outside {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            events: PerCpuCounters::new()?,
            codes: PerCpuCounters::new()?,
            own: PerCpuCounters::new()?,
        })
    }

    /// Counts an event, and its error code. From any context, NMI included.
    pub(crate) fn refused(&self, event: Event, error_code: u64, user_mode: bool) {
        let mode = usize::from(user_mode);
        self.events.increment(event.index() * 2 + mode);
        self.codes
            .increment(error_code::pack(error_code) * 2 + mode);
    }

    /// Counts an event that has no error code.
    pub(crate) fn count(&self, event: Event, user_mode: bool) {
        self.events
            .increment(event.index() * 2 + usize::from(user_mode));
    }

    /// Returns how often an event came from kernel mode, and from user mode.
    pub(crate) fn counts(&self, event: Event) -> (u64, u64) {
        let index = event.index() * 2;
        (self.events.sum(index), self.events.sum(index + 1))
    }

    /// Returns how many faults a signal ended after an attempt, from kernel mode
    /// and from user mode.
    pub(crate) fn ended_by_signal(&self) -> (u64, u64) {
        let known = self.counts(Event::BadArea(BadArea::Signal));
        // A signal may come after the probe has looked, and before the kernel does.
        let resumed = self.counts(Event::Resumed);
        let pending = self.counts(Event::Pending);
        (
            known.0 + pending.0.saturating_sub(resumed.0),
            known.1 + pending.1.saturating_sub(resumed.1),
        )
    }

    /// Returns how many of the events had a bit of [`error_code::BITS`] set,
    /// from kernel mode and from user mode; `None` stands for all of them.
    pub(crate) fn codes(&self, bit: Option<usize>) -> (u64, u64) {
        (0..CODES)
            .filter(|code| bit.is_none_or(|bit| code >> bit & 1 != 0))
            .fold((0, 0), |(kernel, user), code| {
                (
                    self.codes.sum(code * 2).wrapping_add(kernel),
                    self.codes.sum(code * 2 + 1).wrapping_add(user),
                )
            })
    }

    /// Counts something about the hook itself.
    #[inline]
    pub(crate) fn own(&self, what: Own) {
        self.own.increment(what as usize);
    }

    /// Returns such a count.
    pub(crate) fn own_count(&self, what: Own) -> u64 {
        self.own.sum(what as usize)
    }

    pub(super) fn clear(&self) {
        self.events.clear();
        self.codes.clear();
        self.own.clear();
    }

    pub(super) fn memory(&self) -> usize {
        self.events.memory() + self.codes.memory() + self.own.memory()
    }
}
