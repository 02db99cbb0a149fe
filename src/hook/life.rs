// SPDX-License-Identifier: GPL-2.0

//! The end of a VMA, and its move to another object: rows follow.

use crate::{
    account::Accounts,
    sys::{
        functions::{
            CopyVma,
            Moved,
            VmAreaFree, //
        },
        kprobe,
        kretprobe,
        vma::VmaId, //
    },
};
use kernel::sync::Arc;

/// On `vm_area_free()`.
pub(crate) struct End(pub(super) Arc<Accounts>);

impl kprobe::Handler for End {
    type Target = VmAreaFree;

    fn entered(&self, vma: VmaId) {
        self.0.rows.end(vma);
    }
}

/// On `copy_vma()`.
pub(crate) struct Moves(pub(super) Arc<Accounts>);

impl kretprobe::Handler for Moves {
    type Target = CopyVma;
    type Data = ();

    fn entered(&self, (): ()) -> Option<()> {
        Some(())
    }

    fn returned(&self, moved: Moved, (): ()) {
        // A merge may leave the mapping in the object that it was in.
        if moved.to.raw() != 0 && moved.to != moved.from {
            self.0.rows.follow(moved.from, moved.to);
        }
    }
}
