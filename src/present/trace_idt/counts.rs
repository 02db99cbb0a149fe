// SPDX-License-Identifier: GPL-2.0

//! `trace_idt/counts`: how often each vector came, on which CPU.

use crate::{
    decode::idt::{
        vector,
        GATES, //
    },
    hook::vectors::VectorTrace,
    present::text::symbol_at,
    sys::{
        debugfs::{
            File,
            Out, //
        },
        descriptor_table::read_gate,
        kernel_info,
        second_idt::kernels_base,
        vector_stubs::{
            self,
            sets, //
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
pub(crate) struct Counts(pub(crate) Arc<VectorTrace>);

fn head(out: &mut Out<'_>) -> fmt::Result {
    out.write_str("# vector hex mnemonic name all")?;
    for set in 0..sets() {
        // Where there are more CPUs than sets, some share one.
        let mut before = " cpu";
        for cpu in kernel_info::cpus().filter(|cpu| vector_stubs::set_of(*cpu) == set) {
            write!(out, "{before}{cpu}")?;
            before = "+";
        }
    }
    out.write_str(" handler\n")
}

impl File for Counts {
    /// The counts, set by set.
    type Opened = KVec<u64>;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<KVec<u64>> {
        self.0.with(|state| state.counts.now())
    }

    fn records(&self, _counts: &KVec<u64>) -> usize {
        1 + GATES
    }

    fn show(&self, counts: &KVec<u64>, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(number) = record.checked_sub(1).and_then(|n| u8::try_from(n).ok()) else {
            return head(out);
        };
        let of_sets = || {
            (0..sets()).map(|set| {
                let place = set * GATES + usize::from(number);
                counts.get(place).copied().unwrap_or(0)
            })
        };
        let all = of_sets().fold(0u64, u64::wrapping_add);
        if all == 0 {
            return Ok(());
        }
        write!(
            out,
            "{number} {number:#04x} {} {} {all}",
            vector::mnemonic(number),
            vector::name(number)
        )?;
        for count in of_sets() {
            write!(out, " {count}")?;
        }
        out.write_str(" ")?;
        match read_gate(kernels_base(), number.into()) {
            Some(gate) => symbol_at(gate.offset(), out)?,
            None => out.write_str("unreadable")?,
        }
        out.write_str("\n")
    }
}
