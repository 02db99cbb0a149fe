// SPDX-License-Identifier: GPL-2.0

//! The interrupt descriptor table: its gates, what Linux 7.3 has in it, and what is wrong with one.

pub(crate) mod check;
pub(crate) mod expected;
pub(crate) mod gate;
#[cfg_attr(
    not(CONFIG_KUNIT = "y"),
    expect(
        dead_code,
        reason = "reference for readers of older texts; KUnit runs it"
    )
)]
pub(crate) mod gate32;
pub(crate) mod vector;

use kernel::prelude::*;

/// Number of gates in a whole table, one a vector (IDT_ENTRIES of asm/segment.h).
pub(crate) const GATES: usize = 256;

/// Size of a gate in 64-bit mode.
pub(crate) const GATE_BYTES: usize = 16;

/// The limit that Linux sets: the last byte of [`GATES`] gates.
pub(crate) const LIMIT: u16 = 0xfff;

/// What SIDT stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Idtr {
    /// Address of the first gate.
    pub(crate) base: u64,
    /// Offset of the last byte of the table.
    pub(crate) limit: u16,
}

/// Where a CPU finds its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// The register.
    pub(crate) idtr: Idtr,
    /// Where the page that the base maps lies in the kernel image, or else in the direct map.
    pub(crate) page: Option<u64>,
}

impl Place {
    /// Returns whether two CPUs find the same gates: a limit may go beyond them.
    pub(crate) fn same_table(&self, other: &Self) -> bool {
        self.idtr.base == other.idtr.base
            && self.page == other.page
            && gates_within(self.idtr.limit) == gates_within(other.idtr.limit)
    }
}

/// Returns how many whole gates a table with this limit has, at most [`GATES`].
///
/// The rest behind the last whole gate is none: the CPU raises #GP for a gate that the limit cuts.
pub(crate) fn gates_within(limit: u16) -> usize {
    GATES.min((usize::from(limit) + 1) / GATE_BYTES)
}

#[kunit_tests(trapscope_idt)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_gates_count() {
        assert_eq!(gates_within(0), 0);
        assert_eq!(gates_within(14), 0);
        assert_eq!(gates_within(15), 1);
        assert_eq!(gates_within(30), 1);
        assert_eq!(gates_within(31), 2);
        assert_eq!(gates_within(0xffe), GATES - 1);
        assert_eq!(gates_within(0xfff), GATES);
        // What VM exits leave: no vector is above 255.
        assert_eq!(gates_within(0xffff), GATES);
    }

    #[test]
    fn a_larger_limit_is_no_other_table() {
        let place = |base, limit, page| Place {
            idtr: Idtr { base, limit },
            page,
        };
        let table = place(0x1000, LIMIT, Some(0x5000));
        assert!(table.same_table(&table));
        assert!(table.same_table(&place(0x1000, 0xffff, Some(0x5000))));
        assert!(!table.same_table(&place(0x1000, 0x3ff, Some(0x5000))));
        assert!(!table.same_table(&place(0x1000, LIMIT, Some(0x6000))));
        assert!(!table.same_table(&place(0x1000, LIMIT, None)));
        assert!(!table.same_table(&place(0x2000, LIMIT, Some(0x5000))));
    }
}
