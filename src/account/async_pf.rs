// SPDX-License-Identifier: GPL-2.0

//! KVM's asynchronous page faults: pages that the host had to fetch, and the waits for
//! them.

use super::{
    longest::{
        Longest,
        Wait,
        KEPT, //
    },
    tokens::{
        Place,
        Tokens, //
    }, //
};
use crate::{
    decode::histogram::{
        self,
        BUCKETS, //
    },
    sys::{
        atomic::{
            AtomicBool,
            AtomicU64,
            Ordering, //
        },
        per_cpu::PerCpuCounters,
        task::Sleeper, //
    },
};
use kernel::prelude::*;

/// The token that wakes every task that waits on a CPU.
///
/// Source: `kvm_async_pf_task_wake()`.
const BROADCAST: u32 = !0;

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// A page is not there: a task has to wait.
    NotPresent,
    /// A page is ready.
    Ready,
    /// All pages of a CPU are to be looked at again.
    Broadcast,
    /// Tasks that this woke.
    BroadcastWoken,
    /// Waits that ended at once, as their page was ready before.
    Early,
    /// Pages that are ready, for which no task was seen waiting.
    Unmatched,
    /// Waits of which it is not known what ended them.
    Untracked,
}

const COUNTS: usize = Count::Untracked as usize + 1;

/// What came with a wait that began.
#[derive(Clone, Copy)]
pub(crate) struct Begun(Option<Place>);

/// The counts.
pub(crate) struct AsyncPf {
    /// The counts, then the histogram. Nobody sets them to zero, so that none
    /// is lost.
    counters: PerCpuCounters<{ COUNTS + BUCKETS }>,
    /// What they were at the last reset.
    before: [AtomicU64; COUNTS + BUCKETS],
    tokens: Tokens,
    longest: Longest,
    /// Pages that are ready are seen.
    sees_ready: AtomicBool,
    /// Waits that the hooks saw begin, and were too late to see end.
    abandoned: AtomicU64,
    /// Of these, those before the last reset.
    abandoned_before: AtomicU64,
}

impl AsyncPf {
    /// Fails with `ENOMEM`. Sleeps.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            counters: PerCpuCounters::new()?,
            before: [const { AtomicU64::new(0) }; COUNTS + BUCKETS],
            tokens: Tokens::new()?,
            longest: Longest::new()?,
            sees_ready: AtomicBool::new(false),
            abandoned: AtomicU64::new(0),
            abandoned_before: AtomicU64::new(0),
        })
    }

    /// Begins anew: the hooks are about to be attached.
    pub(crate) fn open(&self) {
        self.tokens.clear();
        self.sees_ready.store(false, Ordering::Relaxed);
    }

    /// From here on pages that are ready are seen, before any wait for them is.
    pub(crate) fn follow(&self) {
        self.sees_ready.store(true, Ordering::Relaxed);
    }

    /// The hooks are detached: the waits that are under way stay unseen.
    pub(crate) fn close(&self) {
        let under_way = self.raw(Count::NotPresent).wrapping_sub(self.raw_ended());
        self.abandoned.store(under_way, Ordering::Relaxed);
    }

    /// A task is about to wait for the page with this token.
    ///
    /// `cpu` is this one, and interrupts are off.
    pub(crate) fn begin(&self, cpu: usize, token: u32) -> Begun {
        self.counters.increment(Count::NotPresent as usize);
        let place = self.tokens.begin(cpu, token);
        if place.is_none() {
            self.counters.increment(Count::Untracked as usize);
        }
        Begun(place)
    }

    /// A page is ready, or with the token for that all of them are.
    ///
    /// `cpu` is this one, and interrupts are off.
    pub(crate) fn ready(&self, cpu: usize, token: u32) {
        if token == BROADCAST {
            self.counters.increment(Count::Broadcast as usize);
            for _ in 0..self.tokens.wake_all(cpu) {
                self.counters.increment(Count::BroadcastWoken as usize);
            }
            return;
        }
        self.counters.increment(Count::Ready as usize);
        if !self.tokens.wake(cpu, token) {
            self.counters.increment(Count::Unmatched as usize);
        }
    }

    /// A wait is over.
    ///
    /// `cpu` is this one, and preemption is off.
    pub(crate) fn end(&self, cpu: usize, begun: Begun, ns: u64, task: impl FnOnce() -> Sleeper) {
        let early = begun.0.is_some_and(|place| self.tokens.end(place));
        if early && self.sees_ready.load(Ordering::Relaxed) {
            self.counters.increment(Count::Early as usize);
        }
        self.longest.offer(cpu, ns, task);
        self.counters.increment(COUNTS + histogram::bucket(ns));
    }

    fn raw(&self, count: Count) -> u64 {
        self.counters.sum(count as usize)
    }

    fn raw_ended(&self) -> u64 {
        (COUNTS..COUNTS + BUCKETS).fold(0, |sum, index| self.counters.sum(index).wrapping_add(sum))
    }

    fn since_reset(&self, index: usize) -> u64 {
        let before = self.before.get(index);
        self.counters
            .sum(index)
            .wrapping_sub(before.map_or(0, |before| before.load(Ordering::Relaxed)))
    }

    /// Returns a count.
    pub(crate) fn count(&self, what: Count) -> u64 {
        self.since_reset(what as usize)
    }

    /// Returns how long the waits took: [`histogram`].
    pub(crate) fn waits(&self) -> [u64; BUCKETS] {
        core::array::from_fn(|bucket| self.since_reset(COUNTS + bucket))
    }

    /// Returns how many tasks wait, of those whose end will be seen.
    ///
    /// The ends are read first: of a wait between the two readings only the
    /// begin counts. 0 if the hooks went in between.
    pub(crate) fn waiting(&self) -> u64 {
        let ended = self.raw_ended();
        self.raw(Count::NotPresent)
            .wrapping_sub(ended)
            .saturating_sub(self.abandoned.load(Ordering::Relaxed))
    }

    /// Returns how many waits were under way when the hooks were detached.
    pub(crate) fn unfinished(&self) -> u64 {
        self.abandoned
            .load(Ordering::Relaxed)
            .wrapping_sub(self.abandoned_before.load(Ordering::Relaxed))
    }

    /// Returns the longest waits.
    pub(crate) fn longest(&self) -> [Option<Wait>; KEPT] {
        self.longest.get()
    }

    /// Counts from zero. The caller keeps other resets out.
    pub(super) fn clear(&self) {
        for (index, before) in self.before.iter().enumerate() {
            before.store(self.counters.sum(index), Ordering::Relaxed);
        }
        self.abandoned_before
            .store(self.abandoned.load(Ordering::Relaxed), Ordering::Relaxed);
        self.longest.clear();
    }

    pub(super) fn memory(&self) -> usize {
        self.counters.memory() + self.tokens.memory() + self.longest.memory()
    }
}

#[kunit_tests(trapscope_async_pf)]
mod tests {
    use super::*;

    fn task() -> Sleeper {
        Sleeper {
            pid: 1,
            tid: 2,
            comm: *b"0123456789abcde\0",
            instruction: 3,
        }
    }

    fn new() -> Result<AsyncPf> {
        let async_pf = AsyncPf::new()?;
        async_pf.open();
        async_pf.follow();
        Ok(async_pf)
    }

    fn counts(async_pf: &AsyncPf) -> [u64; COUNTS] {
        use Count::*;
        [
            NotPresent,
            Ready,
            Broadcast,
            BroadcastWoken,
            Early,
            Unmatched,
            Untracked,
        ]
        .map(|what| async_pf.count(what))
    }

    fn ended(async_pf: &AsyncPf) -> u64 {
        async_pf.waits().iter().sum()
    }

    #[test]
    fn a_wait_ends_when_its_page_is_ready() -> Result {
        let async_pf = new()?;
        let begun = async_pf.begin(0, 0x1000);
        assert_eq!(async_pf.waiting(), 1);
        async_pf.ready(0, 0x1000);
        assert_eq!(async_pf.waiting(), 1);
        async_pf.end(0, begun, 1000, task);
        assert_eq!(async_pf.waiting(), 0);
        assert_eq!(counts(&async_pf), [1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(async_pf.waits()[histogram::bucket(1000)], 1);
        assert_eq!(ended(&async_pf), 1);
        assert!(
            async_pf.longest()[0]
                == Some(Wait {
                    ns: 1000,
                    task: task()
                })
        );
        Ok(())
    }

    #[test]
    fn a_page_may_be_ready_before_the_wait() -> Result {
        let async_pf = new()?;
        async_pf.ready(0, 0x1000);
        assert_eq!(counts(&async_pf), [0, 1, 0, 0, 0, 1, 0]);
        let begun = async_pf.begin(0, 0x1000);
        async_pf.end(0, begun, 1, task);
        assert_eq!(counts(&async_pf), [1, 1, 0, 0, 1, 1, 0]);
        assert_eq!((ended(&async_pf), async_pf.waiting()), (1, 0));
        Ok(())
    }

    #[test]
    fn a_broadcast_wakes_all() -> Result {
        let async_pf = new()?;
        let begun = [1, 2, 3].map(|token| async_pf.begin(0, token));
        async_pf.ready(0, 2);
        async_pf.ready(0, BROADCAST);
        for begun in begun {
            async_pf.end(0, begun, 1, task);
        }
        assert_eq!(counts(&async_pf), [3, 1, 1, 2, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn without_the_other_half_no_wake_up_is_called_early() -> Result {
        let async_pf = AsyncPf::new()?;
        async_pf.open();
        let begun = async_pf.begin(0, 1);
        async_pf.end(0, begun, 1, task);
        assert_eq!(counts(&async_pf), [1, 0, 0, 0, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn a_reset_keeps_what_is_under_way() -> Result {
        let async_pf = new()?;
        let begun = [async_pf.begin(0, 1), async_pf.begin(0, 1)];
        assert_eq!(counts(&async_pf), [2, 0, 0, 0, 0, 0, 1]);
        async_pf.clear();
        assert_eq!(counts(&async_pf), [0; COUNTS]);
        assert_eq!(async_pf.waiting(), 2);
        async_pf.ready(0, 1);
        let [first, second] = begun;
        async_pf.end(0, first, 1, task);
        assert_eq!((async_pf.waiting(), ended(&async_pf)), (1, 1));
        // The hooks go; the end of the other one is not seen.
        async_pf.close();
        assert_eq!((async_pf.waiting(), async_pf.unfinished()), (0, 1));
        let _ = second;
        async_pf.open();
        async_pf.clear();
        assert_eq!((async_pf.waiting(), async_pf.unfinished()), (0, 0));
        async_pf.begin(0, 1);
        async_pf.close();
        assert_eq!((async_pf.waiting(), async_pf.unfinished()), (0, 1));
        Ok(())
    }
}
