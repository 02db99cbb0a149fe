// SPDX-License-Identifier: GPL-2.0

//! What was counted: totals, rows, and what one attempt leaves for the next.
//!
//! The hooks write, [`crate::present`] reads. Writers take no lock and
//! allocate nothing.

pub(crate) mod async_pf;
pub(crate) mod filter_slot;
mod heirs;
pub(crate) mod links;
pub(crate) mod longest;
pub(crate) mod names;
pub(crate) mod outside;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod tokens;
pub(crate) mod totals;
pub(crate) mod vectors;

use crate::{
    decode::filter::Filter,
    sys::{
        atomic::{
            AtomicU32,
            AtomicU64,
            Ordering, //
        },
        rcu, //
    },
};
use async_pf::AsyncPf;
use filter_slot::FilterSlot;
use kernel::prelude::*;
use links::Links;
use outside::Outside;
use rows::Rows;
use totals::Totals;

/// Everything that is counted.
pub(crate) struct Accounts {
    /// Per class.
    pub(crate) totals: Totals,
    /// Per VMA.
    pub(crate) rows: Rows,
    /// From one attempt to the next.
    pub(crate) links: Links,
    /// What handle_mm_fault() never sees.
    pub(crate) outside: Outside,
    /// KVM's asynchronous page faults, which it never sees either.
    pub(crate) async_pf: AsyncPf,
    /// Whose faults count.
    pub(crate) filter: FilterSlot,
    /// Why a fault can't just be counted: [`PAUSED`], [`FILTERED`], [`SLOW_CLOCK`].
    gate: AtomicU32,
    /// Calls missed by hooks that are detached by now, less those that were
    /// missed before the last reset. Wraps.
    pub(crate) missed_before: AtomicU64,
    /// Calls whose return no hook saw, since it was detached in between, since the
    /// last reset.
    pub(crate) unfinished: AtomicU64,
}

/// A reset is under way.
const PAUSED: u32 = 1;
/// There is a filter.
const FILTERED: u32 = 2;
/// Reading the clock takes a call.
const SLOW_CLOCK: u32 = 4;

impl Accounts {
    /// Allocates for so many rows, and calls that are under way at a time.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new(rows: usize, calls: usize) -> Result<Self> {
        Ok(Self {
            totals: Totals::new()?,
            rows: Rows::new(rows)?,
            links: Links::new(calls)?,
            outside: Outside::new()?,
            async_pf: AsyncPf::new()?,
            filter: FilterSlot::new(),
            gate: AtomicU32::new(0),
            missed_before: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
        })
    }

    /// Returns the memory that so many rows and calls take, about, in bytes.
    pub(crate) fn memory_for(rows: usize, calls: usize) -> u64 {
        Rows::memory_for(rows) + Links::memory_for(calls)
    }

    /// Tells whether a reset is under way: nothing may be counted.
    #[inline]
    pub(crate) fn paused(&self) -> bool {
        self.gate.load(Ordering::Relaxed) & PAUSED != 0
    }

    /// Tells whether nothing keeps a fault from being counted as it comes: no reset,
    /// no filter, and a clock that is read by one instruction.
    #[inline(always)]
    pub(crate) fn clear_way(&self) -> bool {
        self.gate.load(Ordering::Relaxed) == 0
    }

    /// Says whether reading the clock takes a call. Before the hook is attached.
    pub(crate) fn set_slow_clock(&self, slow: bool) {
        if slow {
            self.gate.fetch_or(SLOW_CLOCK, Ordering::Relaxed);
        } else {
            self.gate.fetch_and(!SLOW_CLOCK, Ordering::Relaxed);
        }
    }

    /// Changes whose faults count. Sleeps; the caller keeps other writers out.
    pub(crate) fn set_filter(&self, filter: Option<&Filter>) {
        if filter.is_some() {
            self.gate.fetch_or(FILTERED, Ordering::Relaxed);
        }
        self.filter.set(filter);
        if filter.is_none() {
            self.gate.fetch_and(!FILTERED, Ordering::Relaxed);
        }
    }

    /// Sets all counts to zero. Sleeps; the caller keeps other resets out.
    ///
    /// What ends while this runs belongs to the time before: no count is left
    /// in one table that is gone from another. So does what `missed` returns, the
    /// calls that the hooks have missed so far.
    pub(crate) fn reset(&self, missed: impl FnOnce() -> u64) {
        self.gate.fetch_or(PAUSED, Ordering::Relaxed);
        rcu::wait_for_handlers();
        self.totals.clear();
        self.outside.clear();
        self.rows.clear();
        self.links.forget_dropped();
        self.unfinished.store(0, Ordering::Relaxed);
        self.async_pf.clear();
        self.missed_before
            .store(0u64.wrapping_sub(missed()), Ordering::Relaxed);
        self.gate.fetch_and(!PAUSED, Ordering::Release);
    }

    /// Returns the memory that all of it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.totals.memory()
            + self.rows.memory()
            + self.links.memory()
            + self.outside.memory()
            + self.async_pf.memory()
    }
}
