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

impl Faults {
    /// Writes the median and the 99th percentile of some classes.
    fn percentiles(&self, wanted: impl Fn(Class) -> bool, out: &mut Out<'_>) -> fmt::Result {
        let mut counts = [0u64; histogram::BUCKETS];
        for class in Class::ALL.into_iter().filter(|class| wanted(*class)) {
            let histogram = self.0.accounts().totals.histogram(class);
            for (sum, count) in counts.iter_mut().zip(&histogram) {
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

impl File for Faults {
    type Opened = KBox<Table>;

    const WRITABLE: bool = false;

    fn open(&self) -> Result<KBox<Table>> {
        let mut table = KBox::new(
            Table {
                classes: [Sums::default(); Class::COUNT],
            },
            GFP_KERNEL,
        )?;
        for (class, sums) in Class::ALL.into_iter().zip(&mut table.classes) {
            *sums = self.0.accounts().totals.sums(class);
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
            Line::Of(class) => self.percentiles(|other| other == class, out)?,
            Line::FamilyTotal(family) => self.percentiles(|c| c.family() == family, out)?,
            _ => self.percentiles(|_| true, out)?,
        }
        for count in Iterator::chain(sums.origin.iter(), &sums.access) {
            write!(out, " {count}")?;
        }
        writeln!(out, " {}", sums.vma_lock)
    }
}
