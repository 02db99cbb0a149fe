// SPDX-License-Identifier: GPL-2.0

//! Numbers as digits, written where they belong.
//!
//! core::fmt takes some 300 instructions for a number, and a file of 60,000 rows
//! has ten of them in each.

use kernel::prelude::*;

/// Returns how many decimal digits a number has: 1 to 20.
#[inline]
pub(crate) fn decimal_length(value: u64) -> usize {
    value.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Fills `room` with the last decimal digits of a number, zeros in front.
#[inline]
pub(crate) fn decimal(mut value: u64, room: &mut [u8]) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' | (value % 10) as u8;
        value /= 10;
    }
}

/// Returns how many hexadecimal digits a number has: 1 to 16.
#[inline]
pub(crate) fn hex_length(value: u64) -> usize {
    value.checked_ilog2().unwrap_or(0) as usize / 4 + 1
}

/// Returns the 16 hexadecimal digits of a number.
#[inline(always)]
pub(crate) fn hex(value: u64) -> [u8; 16] {
    let (high, low) = (hex_half((value >> 32) as u32), hex_half(value as u32));
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// Returns eight digits, the first in the uppermost byte: all bytes at once.
#[inline(always)]
fn hex_half(value: u32) -> u64 {
    let mut digits = u64::from(value);
    digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte that needs a letter: six more would be sixteen.
    let letters = digits.wrapping_add(0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (digits | 0x3030_3030_3030_3030).wrapping_add(letters.wrapping_mul(u64::from(b'a' - 10 - b'0')))
}

#[kunit_tests(trapscope_digits)]
mod tests {
    use super::*;
    use crate::decode::printed::prints;

    /// The digits that a number has, compared with what core::fmt prints.
    fn right(value: u64) -> bool {
        let mut ten = [0; 20];
        let ten = &mut ten[..decimal_length(value)];
        decimal(value, ten);
        let sixteen = hex(value);
        let text = |digits| core::str::from_utf8(digits).unwrap_or("");
        prints(value, text(ten))
            && prints(
                format_args!("{value:x}"),
                text(&sixteen[16 - hex_length(value)..]),
            )
            && prints(format_args!("{value:016x}"), text(&sixteen))
    }

    #[test]
    fn as_core_prints_them() {
        assert!(right(0));
        for step in 0..64 {
            let power = 1 << step;
            assert!(right(power) && right(power - 1) && right(power | 5));
        }
        let mut power = 1u64;
        for _ in 0..19 {
            power *= 10;
            assert!(right(power) && right(power - 1) && right(power + 1));
        }
        for digit in 0..16 {
            assert!(right(digit * 0x1111_1111_1111_1111));
        }
        assert!(right(0x0123_4567_89ab_cdef));
        assert!(right(0xfedc_ba98_7654_3210));
    }

    #[test]
    fn zeros_in_front() {
        let mut room = [0; 8];
        decimal(7, &mut room);
        assert_eq!(&room, b"00000007");
    }
}
