// SPDX-License-Identifier: GPL-2.0

//! The longest waits, and the tasks that they were of.

use crate::sys::{
    atomic::{
        fence,
        AtomicU64,
        Ordering, //
    },
    kernel_info::cpus,
    task::{
        Comm,
        Sleeper, //
    }, //
};
use core::mem::size_of;
use kernel::prelude::*;

/// How many are kept.
pub(crate) const KEPT: usize = 8;

/// A wait that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wait {
    pub(crate) ns: u64,
    pub(crate) task: Sleeper,
}

/// A wait as words, which are written and read whole.
const WORDS: usize = 6;

impl Wait {
    fn pack(&self, since: u64) -> [u64; WORDS] {
        let (low, high) = self.task.comm.split_at(8);
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        [
            since,
            self.ns,
            self.task.instruction,
            u64::from(self.task.pid as u32) << 32 | u64::from(self.task.tid as u32),
            word(low),
            word(high),
        ]
    }

    fn unpack(words: [u64; WORDS]) -> Self {
        let [_, ns, instruction, ids, low, high] = words;
        let mut comm = Comm::default();
        let (first, second) = comm.split_at_mut(8);
        first.copy_from_slice(&low.to_ne_bytes());
        second.copy_from_slice(&high.to_ne_bytes());
        Self {
            ns,
            task: Sleeper {
                pid: (ids >> 32) as i32,
                tid: ids as i32,
                comm,
                instruction,
            },
        }
    }
}

/// Those that ended on one CPU. Only that CPU writes.
#[repr(align(64))]
struct Cpu {
    /// Odd while it writes.
    version: AtomicU64,
    waits: [[AtomicU64; WORDS]; KEPT],
}

impl Cpu {
    const fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            waits: [const { [const { AtomicU64::new(0) }; WORDS] }; KEPT],
        }
    }

    fn write(&self, place: &[AtomicU64; WORDS], words: [u64; WORDS]) {
        let version = self.version.load(Ordering::Relaxed);
        self.version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (to, from) in place.iter().zip(words) {
            to.store(from, Ordering::Relaxed);
        }
        self.version
            .store(version.wrapping_add(2), Ordering::Release);
    }

    /// Reads all of them as they were at one moment.
    ///
    /// A writer can't be pushed away in between, so that this does not go on for
    /// long.
    fn read(&self) -> [[u64; WORDS]; KEPT] {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let words = core::array::from_fn(|place| {
                core::array::from_fn(|word| {
                    self.waits
                        .get(place)
                        .and_then(|wait| wait.get(word))
                        .map_or(0, |word| word.load(Ordering::Relaxed))
                })
            });
            fence(Ordering::Acquire);
            if version % 2 == 0 && self.version.load(Ordering::Relaxed) == version {
                return words;
            }
            core::hint::spin_loop();
        }
    }
}

/// The longest waits of all CPUs.
pub(crate) struct Longest {
    cpus: KVVec<Cpu>,
    /// What is of another time was before the last reset.
    time: AtomicU64,
}

impl Longest {
    /// Fails with `ENOMEM`. Sleeps.
    pub(super) fn new() -> Result<Self> {
        let mut all = KVVec::new();
        for _ in 0..cpus().last().map_or(0, |last| last + 1) {
            all.push(Cpu::new(), GFP_KERNEL)?;
        }
        Ok(Self {
            cpus: all,
            time: AtomicU64::new(1),
        })
    }

    /// Keeps a wait if it is one of the longest of this CPU.
    ///
    /// Preemption is off, and no interrupt handler calls it.
    pub(super) fn offer(&self, cpu: usize, ns: u64, task: impl FnOnce() -> Sleeper) {
        let Some(cpu) = self.cpus.get(cpu) else {
            return;
        };
        let time = self.time.load(Ordering::Relaxed);
        let length = |wait: &[AtomicU64; WORDS]| {
            let [since, ns, ..] = wait;
            if since.load(Ordering::Relaxed) == time {
                ns.load(Ordering::Relaxed)
            } else {
                0
            }
        };
        let Some(shortest) = cpu.waits.iter().min_by_key(|wait| length(wait)) else {
            return;
        };
        if ns > length(shortest) {
            let wait = Wait { ns, task: task() };
            cpu.write(shortest, wait.pack(time));
        }
    }

    /// Returns the longest of all, the longest first.
    pub(crate) fn get(&self) -> [Option<Wait>; KEPT] {
        let time = self.time.load(Ordering::Relaxed);
        let mut best = [None::<Wait>; KEPT];
        for words in self.cpus.iter().flat_map(Cpu::read) {
            let [since, ns, ..] = words;
            if since != time || ns == 0 {
                continue;
            }
            let mut wait = Wait::unpack(words);
            for place in &mut best {
                match place {
                    Some(other) if other.ns >= wait.ns => (),
                    Some(other) => core::mem::swap(other, &mut wait),
                    None => {
                        *place = Some(wait);
                        break;
                    }
                }
            }
        }
        best
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        self.time.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn memory(&self) -> usize {
        self.cpus.len() * size_of::<Cpu>()
    }
}

#[kunit_tests(trapscope_longest)]
mod tests {
    use super::*;

    fn task(tid: i32) -> Sleeper {
        Sleeper {
            pid: 1,
            tid,
            comm: *b"fifteen letters\0",
            instruction: 0x1234_5678_9abc,
        }
    }

    #[test]
    fn the_longest_stay_in_order() -> Result {
        let longest = Longest::new()?;
        for ns in [5, 900, 3, 7, 100, 8, 2, 6, 1, 800, 4, 0] {
            longest.offer(0, ns, || task(ns as i32));
        }
        let lengths = longest.get().map(|wait| wait.map_or(0, |wait| wait.ns));
        assert_eq!(lengths, [900, 800, 100, 8, 7, 6, 5, 4]);
        assert!(
            longest.get()[0]
                == Some(Wait {
                    ns: 900,
                    task: task(900)
                })
        );
        Ok(())
    }

    #[test]
    fn a_reset_forgets_them() -> Result {
        let longest = Longest::new()?;
        longest.offer(0, 5, || task(5));
        longest.clear();
        assert!(longest.get().iter().all(Option::is_none));
        longest.offer(0, 2, || task(-2));
        assert!(
            longest.get()[0]
                == Some(Wait {
                    ns: 2,
                    task: task(-2)
                })
        );
        assert!(longest.get()[1].is_none());
        Ok(())
    }
}
