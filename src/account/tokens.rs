// SPDX-License-Identifier: GPL-2.0

//! Which waits for a page are under way, by the token that will end them.
//!
//! KVM tells a CPU both that a page is not there and that it is ready, so that each
//! CPU has a table of its own. Only the end of a wait may come from another one,
//! where the task was moved to.

use crate::sys::{
    atomic::{
        AtomicU64,
        Ordering, //
    },
    kernel_info::cpus, //
};
use core::mem::size_of;
use kernel::prelude::*;

/// Waits of one CPU that have not been woken. KVM leaves at most 64 pages open for one
/// (ASYNC_PF_PER_VCPU).
const SLOTS: usize = 128;

const FREE: u64 = 0;

/// The waits that a CPU was told of.
#[repr(align(64))]
struct Cpu {
    /// What the last wait had above its token. Only this CPU writes it.
    last: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

impl Cpu {
    const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            slots: [const { AtomicU64::new(FREE) }; SLOTS],
        }
    }

    fn find(&self, token: u32) -> Option<&AtomicU64> {
        self.slots.iter().find(|slot| {
            let held = slot.load(Ordering::Relaxed);
            held != FREE && held as u32 == token
        })
    }
}

/// Where a wait is noted down.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    cpu: usize,
    slot: usize,
    held: u64,
}

/// The waits of all CPUs.
pub(crate) struct Tokens(KVVec<Cpu>);

impl Tokens {
    /// Fails with `ENOMEM`. Sleeps.
    pub(super) fn new() -> Result<Self> {
        let mut all = KVVec::new();
        for _ in 0..cpus().last().map_or(0, |last| last + 1) {
            all.push(Cpu::new(), GFP_KERNEL)?;
        }
        Ok(Self(all))
    }

    /// Notes down that a task is about to wait for a token that this CPU was given.
    ///
    /// `None` if there is no room, or the token has been given and not come back.
    /// Interrupts are off, until the task sleeps.
    pub(super) fn begin(&self, cpu: usize, token: u32) -> Option<Place> {
        let this = self.0.get(cpu)?;
        if this.find(token).is_some() {
            return None;
        }
        let (slot, free) = this
            .slots
            .iter()
            .enumerate()
            .find(|(_, slot)| slot.load(Ordering::Relaxed) == FREE)?;
        // Tells two waits with equal tokens apart; never 0.
        let last = (this.last.load(Ordering::Relaxed) as u32)
            .wrapping_add(1)
            .max(1);
        this.last.store(u64::from(last), Ordering::Relaxed);
        let held = u64::from(last) << 32 | u64::from(token);
        free.store(held, Ordering::Release);
        Some(Place { cpu, slot, held })
    }

    /// Tells whether a task waits for a token that this CPU got back; then it is
    /// woken. Interrupts are off.
    pub(super) fn wake(&self, cpu: usize, token: u32) -> bool {
        let waits = self.0.get(cpu).and_then(|this| this.find(token));
        if let Some(slot) = waits {
            slot.store(FREE, Ordering::Release);
        }
        waits.is_some()
    }

    /// Returns how many tasks wait for a token of this CPU; all are woken.
    /// Interrupts are off.
    pub(super) fn wake_all(&self, cpu: usize) -> usize {
        let slots = self.0.get(cpu).map_or(&[][..], |this| &this.slots);
        slots
            .iter()
            .filter(|slot| slot.swap(FREE, Ordering::Release) != FREE)
            .count()
    }

    /// Tells whether a wait ended without being woken.
    pub(super) fn end(&self, place: Place) -> bool {
        let Some(slot) = self
            .0
            .get(place.cpu)
            .and_then(|cpu| cpu.slots.get(place.slot))
        else {
            return false;
        };
        slot.compare_exchange(place.held, FREE, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Forgets all waits. The caller keeps the handlers out.
    pub(super) fn clear(&self) {
        for slot in self.0.iter().flat_map(|cpu| &cpu.slots) {
            slot.store(FREE, Ordering::Relaxed);
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.0.len() * size_of::<Cpu>()
    }
}

#[kunit_tests(trapscope_tokens)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_woken_by_its_token_on_its_cpu() -> Result {
        let tokens = Tokens::new()?;
        let place = tokens.begin(0, 0x1000).ok_or(EINVAL)?;
        assert!(!tokens.wake(0, 0x2000));
        assert!(!tokens.wake(usize::MAX, 0x1000));
        assert!(tokens.wake(0, 0x1000));
        assert!(!tokens.wake(0, 0x1000));
        assert!(!tokens.end(place));
        Ok(())
    }

    #[test]
    fn a_wait_that_nobody_woke_says_so() -> Result {
        let tokens = Tokens::new()?;
        let place = tokens.begin(0, 0).ok_or(EINVAL)?;
        assert!(tokens.end(place));
        assert!(!tokens.end(place));
        assert!(!tokens.wake(0, 0));
        Ok(())
    }

    #[test]
    fn a_token_that_comes_again_is_another_wait() -> Result {
        let tokens = Tokens::new()?;
        let first = tokens.begin(0, 7).ok_or(EINVAL)?;
        assert!(tokens.begin(0, 7).is_none());
        assert!(tokens.wake(0, 7));
        let second = tokens.begin(0, 7).ok_or(EINVAL)?;
        assert!(!tokens.end(first));
        assert!(tokens.end(second));
        Ok(())
    }

    #[test]
    fn there_is_room_for_so_many() -> Result {
        let tokens = Tokens::new()?;
        for token in 0..SLOTS as u32 {
            assert!(tokens.begin(0, token).is_some());
        }
        assert!(tokens.begin(0, 1 << 12).is_none());
        assert_eq!(tokens.wake_all(0), SLOTS);
        assert_eq!(tokens.wake_all(0), 0);
        assert!(tokens.begin(0, 1 << 12).is_some());
        tokens.clear();
        assert!(!tokens.wake(0, 1 << 12));
        Ok(())
    }
}
