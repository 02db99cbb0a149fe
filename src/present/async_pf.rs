// SPDX-License-Identifier: GPL-2.0

//! `async_pf`: pages that KVM's host had to fetch, and how long tasks waited for them.

use super::text::{
    comm,
    symbol_at, //
};
use crate::{
    account::async_pf::{
        AsyncPf,
        Count, //
    },
    control::Control,
    decode::{
        async_pf::{
            Mode,
            FEATURES, //
        },
        histogram, //
    },
    inspect::async_pf::{
        halves,
        modes, //
    },
    sys::{
        async_pf::features,
        debugfs::{
            Out,
            Page, //
        }, //
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
pub(super) struct AsyncPageFaults(pub(super) Arc<Control>);

fn mode(mode: Mode, out: &mut Out<'_>) -> fmt::Result {
    out.write_str(if mode.on { "on" } else { "off" })?;
    if let Some(vector) = mode.vector {
        write!(out, " vector={vector}")?;
    }
    for (is, name) in [(mode.as_exit, "as-vmexit"), (mode.always, "send-always")] {
        if is {
            write!(out, " {name}")?;
        }
    }
    out.write_str("\n")
}

fn machine(features: u32, out: &mut Out<'_>) -> fmt::Result {
    out.write_str("# kind name value detail\nguest kvm 1\n")?;
    for (bit, name) in FEATURES {
        writeln!(out, "offered {name} {}", features >> bit & 1)?;
    }
    for (cpu, known) in modes() {
        write!(out, "cpu {cpu} ")?;
        match known {
            Ok(known) => mode(known, out)?,
            Err(error) if error == ENXIO => out.write_str("offline\n")?,
            Err(_) => out.write_str("unreadable KVM does not offer the MSR\n")?,
        }
    }
    for (half, name) in halves().iter().zip(["not-present", "ready"]) {
        write!(out, "vector {name} {} ", half.vector)?;
        match half.handler {
            Some(handler) => symbol_at(handler, out)?,
            None => out.write_str("-")?,
        }
        out.write_str("\n")?;
    }
    Ok(())
}

fn counts(async_pf: &AsyncPf, out: &mut Out<'_>) -> fmt::Result {
    // What ends is read before what begins: no more can have ended.
    let waits = async_pf.waits();
    for (name, value) in [
        ("waiting", async_pf.waiting()),
        ("ended", waits.iter().sum()),
        ("unfinished", async_pf.unfinished()),
        ("early", async_pf.count(Count::Early)),
        ("untracked", async_pf.count(Count::Untracked)),
        ("broadcast-woken", async_pf.count(Count::BroadcastWoken)),
        ("broadcast", async_pf.count(Count::Broadcast)),
        ("unmatched", async_pf.count(Count::Unmatched)),
        ("ready", async_pf.count(Count::Ready)),
        ("not-present", async_pf.count(Count::NotPresent)),
    ] {
        writeln!(out, "count {name} {value}")?;
    }
    for (bucket, count) in waits.iter().enumerate() {
        if *count != 0 {
            let (from, to) = histogram::bounds(bucket);
            writeln!(out, "wait {from}-{to} {count}")?;
        }
    }
    for (place, wait) in async_pf.longest().iter().flatten().enumerate() {
        let task = &wait.task;
        write!(
            out,
            "longest {} {} pid={} tid={} ip={:#x} comm=",
            place + 1,
            wait.ns,
            task.pid,
            task.tid,
            task.instruction
        )?;
        comm(&task.comm, out);
        out.write_str("\n")?;
    }
    Ok(())
}

impl Page for AsyncPageFaults {
    fn show(&self, out: &mut Out<'_>) -> fmt::Result {
        let Some(features) = features() else {
            return out.write_str("not a guest of KVM: no async page faults come here\n");
        };
        machine(features, out)?;
        counts(&self.0.accounts().async_pf, out)
    }
}
