// SPDX-License-Identifier: GPL-2.0

//! Lists of CPUs, as the kernel writes them: `0-3,8` (`%*pbl`).

use core::fmt;
use kernel::prelude::*;

/// CPUs in rising order.
pub(crate) struct CpuList<'a>(pub(crate) &'a [u32]);

impl fmt::Display for CpuList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self
            .0
            .chunk_by(|one, next| one.checked_add(1) == Some(*next));

        for (place, run) in runs.enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            match run {
                [first, .., last] => write!(f, "{first}-{last}")?,
                _ => run.iter().try_for_each(|only| write!(f, "{only}"))?,
            }
        }
        Ok(())
    }
}

#[kunit_tests(trapscope_cpu_list)]
mod tests {
    use super::*;
    use crate::decode::printed::prints;

    #[test]
    fn runs_are_drawn_together() {
        assert!(prints(CpuList(&[]), ""));
        assert!(prints(CpuList(&[3]), "3"));
        assert!(prints(CpuList(&[0, 1]), "0-1"));
        assert!(prints(CpuList(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8"));
        assert!(prints(CpuList(&[0, 2, 4]), "0,2,4"));
        assert!(prints(
            CpuList(&[u32::MAX - 1, u32::MAX]),
            "4294967294-4294967295"
        ));
    }
}
