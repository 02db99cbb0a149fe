// SPDX-License-Identifier: GPL-2.0

//! `faults`: what was counted, by family and class.

use crate::{
    account::totals::Sums,
    control::Control,
    decode::{
        class::{
            Class,
            Family, //
        },
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
pub(super) struct Faults(pub(super) Arc<Control>);

/// All of the table, taken when it is opened: so its sums are right.
pub(super) struct Table {
    classes: [Sums; Class::COUNT],
    latencies: [[u64; histogram::BUCKETS]; Class::COUNT],
}

/// One line of the table.
enum Line {
    Header,
    Of(Class),
    FamilyTotal(Family),
    Total,
}

impl Line {
    /// Returns the line at a place: classes by family, each family's total
    /// after it, and at last the total.
    fn at(mut place: usize) -> Option<Self> {
        let mut take = |count: usize| {
            let here = place < count;
            if !here {
                place -= count;
            }
            here.then_some(place)
        };
        if take(1).is_some() {
            return Some(Self::Header);
        }
        for family in Family::ALL {
            let of_family = || Class::ALL.into_iter().filter(move |c| c.family() == family);
            if let Some(place) = take(of_family().count()) {
                return of_family().nth(place).map(Self::Of);
            }
            if take(1).is_some() {
                return Some(Self::FamilyTotal(family));
            }
        }
        take(1).map(|_| Self::Total)
    }
}

impl Table {
    fn sum(&self, wanted: impl Fn(Class) -> bool) -> Sums {
        let mut sum = Sums::default();
        for (class, sums) in Class::ALL.into_iter().zip(&self.classes) {
            if wanted(class) {
                sum.add(sums);
            }
        }
        sum
    }

    /// Writes the median and the 99th percentile of some classes.
    fn percentiles(&self, wanted: impl Fn(Class) -> bool, out: &mut Out<'_>) -> fmt::Result {
        let mut counts = [0u64; histogram::BUCKETS];
        for (_, latencies) in Class::ALL
            .into_iter()
            .zip(&self.latencies)
            .filter(|(class, _)| wanted(*class))
        {
            for (sum, count) in counts.iter_mut().zip(latencies) {
                *sum = sum.wrapping_add(*count);
            }
        }
        for percent in [50, 99] {
            match histogram::percentile(&counts, percent) {
                Some(ns) => write!(out, " {ns}")?,
                None => out.write_str(" -")?,
            }
        }
        Ok(())
    }
}

/// A share in percent, with one digit behind the point.
struct Share(u64, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permille = self
            .0
            .saturating_mul(1000)
            .saturating_add(self.1 / 2)
            .checked_div(self.1)
            .unwrap_or(0);
        write!(f, "{}.{}%", permille / 10, permille % 10)
    }
}

impl File for Faults {
    type Opened = KBox<Table>;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<KBox<Table>> {
        // 10 KiB: written in place, not by way of the stack.
        let mut table = KBox::<Table>::new_uninit(GFP_KERNEL)?.write_init(init!(Table {
            classes: [Sums::default(); Class::COUNT],
            latencies <- pin_init::init_zeroed(),
        }))?;
        let totals = &self.0.accounts().totals;
        for (class, sums) in Class::ALL.into_iter().zip(&mut table.classes) {
            *sums = totals.sums(class);
        }
        for (class, latencies) in Class::ALL.into_iter().zip(&mut table.latencies) {
            *latencies = totals.histogram(class);
        }
        Ok(table)
    }

    fn records(&self, _table: &KBox<Table>) -> usize {
        Class::COUNT + Family::COUNT + 2
    }

    fn show(&self, table: &KBox<Table>, record: usize, out: &mut Out<'_>) -> fmt::Result {
        let line = Line::at(record).ok_or(fmt::Error)?;
        let (family, name, sums) = match line {
            Line::Header => {
                return out.write_str(
                    "# family class completed major retries share p50_ns p99_ns \
                     user kernel remote read write exec vma_lock\n",
                )
            }
            Line::Of(class) => (
                class.family().name(),
                class.name(),
                table.sum(|other| other == class),
            ),
            Line::FamilyTotal(family) => (
                family.name(),
                "*",
                table.sum(|class| class.family() == family),
            ),
            Line::Total => ("total", "*", table.sum(|_| true)),
        };
        let all = table.sum(|_| true).completed;
        write!(
            out,
            "{family} {name} {} {} {} {}",
            sums.completed,
            sums.major,
            sums.retries,
            Share(sums.completed, all)
        )?;
        match line {
            Line::Of(class) => table.percentiles(|other| other == class, out)?,
            Line::FamilyTotal(family) => table.percentiles(|c| c.family() == family, out)?,
            _ => table.percentiles(|_| true, out)?,
        }
        for count in Iterator::chain(sums.origin.iter(), &sums.access) {
            write!(out, " {count}")?;
        }
        writeln!(out, " {}", sums.vma_lock)
    }
}
