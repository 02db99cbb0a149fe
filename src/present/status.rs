// SPDX-License-Identifier: GPL-2.0

//! `status`: how the hooks stand, and what was lost.

use crate::{
    account::outside::Own,
    control::Control,
    hook::Hooks,
    sys::{
        atomic::Ordering,
        debugfs::{
            Out,
            Page, //
        },
        kernel_info, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The file.
pub(super) struct Status(pub(super) Arc<Control>);

/// Says what an errno means for a hook that could not be attached.
fn reason(error: Error) -> &'static str {
    match error {
        error if error == ENOENT => "this kernel has no such symbol, or it was inlined",
        error if error == EINVAL => "this kernel does not let it be probed (kprobes/blacklist)",
        error if error == EOPNOTSUPP => "not in a Xen PV guest: run it as PVH or HVM",
        error if error == ENOMEM => "out of memory: free some, then write 0 and 1 to enable",
        _ => "refused by the kernel: see dmesg, then write 0 and 1 to enable",
    }
}

impl Page for Status {
    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        let accounts = self.0.accounts();
        let outside = &accounts.outside;
        out.write_str("# item value detail\n")?;
        writeln!(out, "version {}", crate::VERSION)?;
        out.write_str("kernel ")?;
        out.bytes(kernel_info::release());
        out.write_str("\n")?;
        self.0.with_hooks(|hooks| {
            writeln!(out, "enabled {}", u8::from(hooks.is_some()))?;
            match accounts.filter.get() {
                Some(filter) => writeln!(out, "filter on {filter}")?,
                None => out.write_str("filter none\n")?,
            }
            let Some(hooks) = hooks else {
                for name in Hooks::NAMES {
                    writeln!(out, "hook:{name} detached")?;
                }
                return Ok(());
            };
            for report in hooks.report() {
                match report.state {
                    Ok((how, missed)) => {
                        writeln!(out, "hook:{} attached {how} missed={missed}", report.name)?;
                    }
                    Err(error) => writeln!(
                        out,
                        "hook:{} failed errno={} {}",
                        report.name,
                        -error.to_errno(),
                        reason(error)
                    )?,
                }
            }
            Ok(())
        })?;
        let usage = accounts.rows.usage();
        for (item, value) in [
            ("missed", self.0.missed()),
            ("unfinished", accounts.unfinished.load(Ordering::Relaxed)),
            ("in_flight", self.0.in_flight()),
            ("filtered", outside.own_count(Own::Filtered)),
            ("retry_links_dropped", accounts.links.dropped()),
            ("retries_vma_lock", outside.own_count(Own::VmaLockRetry)),
            ("rows", usage.rows as u64),
            ("rows_used", usage.used as u64),
            ("rows_free", (usage.rows - usage.used) as u64),
            ("rows_live", usage.live as u64),
            ("rows_evicted", usage.evicted),
            ("faults_evicted", usage.evicted_faults),
            ("faults_without_row", outside.own_count(Own::WithoutRow)),
            ("paths_used", usage.names as u64),
            ("paths_dropped", usage.names_dropped),
            ("memory_bytes", accounts.memory() as u64),
        ] {
            writeln!(out, "{item} {value}")?;
        }
        Ok(())
    }
}

#[kunit_tests(trapscope_status)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_sentence_of_its_own() {
        let known = [ENOENT, EINVAL, EOPNOTSUPP, ENOMEM].map(reason);
        for (place, text) in known.iter().enumerate() {
            assert!(*text != reason(EBUSY));
            assert!(known.iter().skip(place + 1).all(|other| other != text));
        }
    }
}
