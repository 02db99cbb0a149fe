// SPDX-License-Identifier: GPL-2.0

//! `latency`: how long the faults took, per class, from the first attempt on.

use crate::{
    control::Control,
    decode::{
        class::Class,
        histogram, //
    },
    sys::debugfs::{
        File,
        Out, //
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
pub(super) struct Latency(pub(super) Arc<Control>);

impl File for Latency {
    type Opened = ();

    const WRITABLE: bool = false;

    fn open(&self) -> Result {
        Ok(())
    }

    fn records(&self, (): &()) -> usize {
        Class::COUNT + 1
    }

    fn show(&self, (): &(), record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(class) = record.checked_sub(1).and_then(Class::from_index) else {
            return out.write_str("# class from_ns to_ns count\n");
        };
        let counts = self.0.accounts().totals.histogram(class);
        for (bucket, count) in counts.iter().enumerate() {
            if *count != 0 {
                let (from, to) = histogram::bounds(bucket);
                writeln!(out, "{} {from} {to} {count}", class.name())?;
            }
        }
        Ok(())
    }
}
