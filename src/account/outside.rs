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

/// Why a fault on a user address did not get to handle_mm_fault().
#[derive(Clone, Copy)]
pub(crate) enum BadArea {
    /// No mapping there.
    NoVma,
    /// The mapping does not allow it.
    Access,
    /// The context may not take faults.
    Atomic,
}

impl BadArea {
    pub(crate) const ALL: [(Self, &'static str); 3] = [
        (Self::NoVma, "no-vma"),
        (Self::Access, "access"),
        (Self::Atomic, "atomic"),
    ];
}

/// What is counted, each for kernel mode and for user mode.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// A fault on a kernel address.
    Region(Region),
    /// A fault on a user address that was refused.
    BadArea(BadArea),
}

/// Error codes that can be told apart: each a combination of the known bits.
const CODES: usize = 1 << error_code::BITS.len();

/// What the hook on handle_mm_fault() counts of itself.
///
/// The first two are never reset: their difference is what is under way.
#[derive(Clone, Copy)]
pub(crate) enum Own {
    /// Calls that it saw begin.
    Entered,
    /// Calls that it saw end.
    Returned,
    /// Calls that the filter left out.
    Filtered,
    /// Completed faults that no row took.
    WithoutRow,
}

/// The counters, per CPU.
pub(crate) struct Outside {
    events: PerCpuCounters<{ Event::COUNT * 2 }>,
    codes: PerCpuCounters<{ CODES * 2 }>,
    own: PerCpuCounters<4>,
}

impl Event {
    /// Number of events.
    pub(crate) const COUNT: usize = Region::COUNT + BadArea::ALL.len();

    /// Their names, by [`Self::index`].
    pub(crate) const NAMES: [&'static str; Self::COUNT] = {
        let mut names = [""; Self::COUNT];
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

    /// Returns how often an event came from kernel mode, and from user mode.
    pub(crate) fn counts(&self, event: Event) -> (u64, u64) {
        let index = event.index() * 2;
        (self.events.sum(index), self.events.sum(index + 1))
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

    /// Returns how many calls began and did not end, as far as the hook saw.
    ///
    /// The ends are read first: of a call between the two readings only the
    /// begin counts.
    pub(crate) fn under_way(&self) -> u64 {
        let returned = self.own_count(Own::Returned);
        self.own_count(Own::Entered).saturating_sub(returned)
    }

    pub(super) fn clear(&self) {
        self.events.clear();
        self.codes.clear();
        self.own.clear_at(Own::Filtered as usize);
        self.own.clear_at(Own::WithoutRow as usize);
    }

    pub(super) fn memory(&self) -> usize {
        self.events.memory() + self.codes.memory() + self.own.memory()
    }
}
