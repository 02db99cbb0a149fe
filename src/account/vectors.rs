// SPDX-License-Identifier: GPL-2.0

//! How often each vector came.

use crate::{
    decode::idt::GATES,
    sys::vector_stubs::{
        self,
        sets, //
    },
};
use kernel::prelude::*;

/// The counts that the stubs have, since they were last set to zero.
///
/// The stubs' own counters are never written to by anybody else, so that nothing
/// is lost: zero is what they were at.
pub(crate) struct VectorCounts {
    before: KVec<u64>,
}

fn places() -> impl Iterator<Item = (usize, u8)> {
    (0..sets()).flat_map(|set| (0..=u8::MAX).map(move |vector| (set, vector)))
}

impl VectorCounts {
    /// Begins at zero.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        let mut before = KVec::with_capacity(sets() * GATES, GFP_KERNEL)?;
        for (set, vector) in places() {
            before.push(vector_stubs::count(set, vector), GFP_KERNEL)?;
        }
        Ok(Self { before })
    }

    /// Sets all counts to zero.
    pub(crate) fn restart(&mut self) {
        for (before, (set, vector)) in self.before.iter_mut().zip(places()) {
            *before = vector_stubs::count(set, vector);
        }
    }

    /// Leaves out what came since `other` began.
    pub(crate) fn leave_out(&mut self, other: &Self) {
        let begins = other.before.iter().zip(places());
        for (before, (begin, (set, vector))) in self.before.iter_mut().zip(begins) {
            let came = vector_stubs::count(set, vector).wrapping_sub(*begin);
            *before = before.wrapping_add(came);
        }
    }

    /// Returns the counts as they are, set by set and vector by vector.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn now(&self) -> Result<KVec<u64>> {
        let mut now = KVec::with_capacity(self.before.len(), GFP_KERNEL)?;
        for (before, (set, vector)) in self.before.iter().zip(places()) {
            let count = vector_stubs::count(set, vector).wrapping_sub(*before);
            now.push(count, GFP_KERNEL)?;
        }
        Ok(now)
    }
}
