// SPDX-License-Identifier: GPL-2.0

//! Histograms of durations with buckets that double in width.
//!
//! Bucket 0 holds 0 ns, bucket `i` the durations from 2^(i-1) up to, but not including, 2^i ns. The
//! last one is open at its upper end: it holds everything from 2^38 ns (4.6 minutes) on.

use kernel::prelude::*;

/// Number of buckets.
pub(crate) const BUCKETS: usize = 40;

/// Returns the bucket for a duration, below [`BUCKETS`].
#[inline]
pub(crate) const fn bucket(ns: u64) -> usize {
    const LAST: u64 = 1 << (BUCKETS - 2);

    let ns = if ns < LAST { ns } else { LAST };
    // The bits that it has: one more than its logarithm, and 0 for 0.
    (ns << 1 | 1).ilog2() as usize
}

/// Returns the durations that a bucket holds, in nanoseconds: from the first up to, but not
/// including, the second, which is `u64::MAX` for the last bucket.
pub(crate) const fn bounds(bucket: usize) -> (u64, u64) {
    if bucket == 0 {
        (0, 1)
    } else if bucket < BUCKETS - 1 {
        (1 << (bucket - 1), 1 << bucket)
    } else {
        (1 << (BUCKETS - 2), u64::MAX)
    }
}

/// Returns the upper edge of the bucket that holds the given percentile, in nanoseconds, or `None`
/// if nothing was counted.
///
/// `percent` is taken as 100 if it is larger. The rank is rounded up, so that the result is never
/// below the percentile itself.
pub(crate) fn percentile(counts: &[u64], percent: u32) -> Option<u64> {
    let percent = u64::from(percent.min(100));
    let total = counts.iter().fold(0u64, |sum, &n| sum.saturating_add(n));
    // In two parts, since total * percent may not fit.
    let whole = (total / 100).saturating_mul(percent);
    let rest = ((total % 100) * percent).div_ceil(100);
    let rank = whole.saturating_add(rest).max(1);

    let mut seen = 0u64;
    counts
        .iter()
        .position(|&n| {
            seen = seen.saturating_add(n);
            seen >= rank
        })
        .map(|bucket| bounds(bucket).1)
}

#[kunit_tests(trapscope_histogram)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_bounds_agree() {
        for i in 0..BUCKETS {
            let (from, to) = bounds(i);
            assert!(from < to);
            assert_eq!(bucket(from), i);
            assert_eq!(bucket(to - 1), i);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn buckets_leave_no_gap() {
        assert_eq!(bounds(0).0, 0);
        for i in 1..BUCKETS {
            assert_eq!(bounds(i - 1).1, bounds(i).0);
        }
        assert_eq!(bounds(BUCKETS - 1), (1 << 38, u64::MAX));
    }

    #[test]
    fn bucket_of_known_durations() {
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(1), 1);
        assert_eq!(bucket(1023), 10);
        assert_eq!(bucket(1024), 11);
    }

    #[test]
    fn percentile_of_nothing() {
        assert_eq!(percentile(&[0; BUCKETS], 50), None);
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn percentile_rounds_the_rank_up() {
        let mut counts = [0; BUCKETS];
        counts[3] = 98;
        counts[10] = 1;
        counts[20] = 1;
        assert_eq!(percentile(&counts, 0), Some(1 << 3));
        assert_eq!(percentile(&counts, 50), Some(1 << 3));
        assert_eq!(percentile(&counts, 98), Some(1 << 3));
        assert_eq!(percentile(&counts, 99), Some(1 << 10));
        assert_eq!(percentile(&counts, 100), Some(1 << 20));
        assert_eq!(percentile(&counts, 1000), Some(1 << 20));
        // One more puts the 99th percentile of 101 at rank 100.
        counts[20] = 2;
        assert_eq!(percentile(&counts, 99), Some(1 << 20));
    }

    #[test]
    fn percentile_of_huge_counts() {
        let mut counts = [0; BUCKETS];
        counts[2] = u64::MAX / 2;
        counts[5] = u64::MAX;
        assert_eq!(percentile(&counts, 49), Some(1 << 2));
        assert_eq!(percentile(&counts, 99), Some(1 << 5));
        counts[2] = 0;
        counts[5] = 0;
        counts[BUCKETS - 1] = 1;
        assert_eq!(percentile(&counts, 50), Some(u64::MAX));
    }
}
