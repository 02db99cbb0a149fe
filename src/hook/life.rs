// SPDX-License-Identifier: GPL-2.0

//! The end of a VMA object, and its copies: rows follow the mapping.

use crate::{
    account::Accounts,
    sys::{
        functions::{
            Copied,
            CopyVma,
            VmAreaFree, //
        },
        kprobe,
        kretprobe::{
            self,
            Besides,
            Entered,
            Room, //
        },
        vma::Vma, //
    },
};
use kernel::sync::Arc;

/// On `vm_area_free()`.
pub(crate) struct End(pub(super) Arc<Accounts>);

impl kprobe::Handler for End {
    type Target = VmAreaFree;

    fn entered(&self, vma: &Vma) {
        if !self.0.paused() {
            self.0.rows.end(vma);
        }
    }
}

/// On `copy_vma()`.
pub(crate) struct Copies(pub(super) Arc<Accounts>);

impl kretprobe::Handler for Copies {
    type Target = CopyVma;
    type Data = ();
    type More = ();

    fn entered<'a>(&self, (): (), room: Room<'a, ()>) -> Entered<'a> {
        room.keep(())
    }

    fn returned(&self, copied: Copied<'_>, (): &(), _besides: Besides<'_, (), ()>) {
        if let Some(to) = copied.to {
            // A merge may leave the mapping in the object that it was in.
            if to.id() != copied.from && !copied.from_stays && !self.0.paused() {
                self.0.rows.copied(copied.from, copied.from_range, to);
            }
        }
    }
}
