// SPDX-License-Identifier: GPL-2.0

//! The error code that x86 pushes with a page fault (arch/x86/include/asm/trap_pf.h).

use kernel::prelude::*;

/// Every defined bit with its name, in ascending order.
pub(crate) const BITS: [(u64, &str); 9] = [
    (1 << 0, "protection"),
    (1 << 1, "write"),
    (1 << 2, "user"),
    (1 << 3, "reserved"),
    (1 << 4, "instr"),
    (1 << 5, "pkey"),
    (1 << 6, "shstk"),
    (1 << 15, "sgx"),
    (1 << 31, "rmp"),
];

/// Returns whether an instruction was being fetched.
pub(crate) const fn fetch(code: u64) -> bool {
    code & 1 << 4 != 0
}

/// Returns the bits of [`BITS`] that an error code has, moved together.
///
/// Bit `n` of the result stands for `BITS[n]`.
#[inline]
pub(crate) const fn pack(code: u64) -> usize {
    (code & 0x7f | (code >> 15 & 1) << 7 | (code >> 31 & 1) << 8) as usize
}

#[kunit_tests(trapscope_error_code)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_a_name() {
        for (position, (bit, name)) in BITS.iter().enumerate() {
            assert_eq!(bit.count_ones(), 1);
            assert!(BITS
                .iter()
                .skip(position + 1)
                .all(|(b, n)| b > bit && n != name));
        }
    }

    #[test]
    fn each_bit_packs_to_its_place() {
        for (place, (bit, _)) in BITS.iter().enumerate() {
            assert_eq!(pack(*bit), 1 << place);
        }
        // A write from user mode to a page that is mapped read-only.
        assert_eq!(pack(7), 7);
        // Bits without a name are left out.
        assert_eq!(pack(1 << 7 | 1 << 63), 0);
    }
}
