// SPDX-License-Identifier: GPL-2.0

//! Stacks that grow, for the fault that follows.

use super::fault::Message;
use crate::{
    account::{
        links::Link,
        Accounts, //
    },
    sys::{
        clock::Reading,
        functions::{
            ExpandDownwards,
            GrowthEntry,
            GrowthExit, //
        },
        kretprobe::{
            self,
            Besides,
            Entered,
            Room, //
        },
        task::{
            current_in_exec,
            TaskId, //
        }, //
    },
};
use kernel::sync::Arc;

/// On `expand_downwards()`.
pub(crate) struct Growth(pub(super) Arc<Accounts>);

/// What is kept from the entry to the return.
#[derive(Clone, Copy)]
pub(crate) struct Before {
    start: u64,
    address: u64,
}

impl kretprobe::Handler for Growth {
    type Target = ExpandDownwards;
    type Data = Before;
    type More = ();

    fn entered<'a>(&self, call: GrowthEntry<'_>, room: Room<'a, Before>) -> Entered<'a> {
        if current_in_exec() {
            // execve() lays out a new stack with it: no fault asked for that.
            return room.skip();
        }
        room.keep(Before {
            start: call.vma.range().0,
            address: call.address,
        })
    }

    fn returned(&self, call: GrowthExit<'_>, before: &Before, _besides: Besides<'_, Before, ()>) {
        // It returns 0 also where another thread had been faster.
        if call.vma.range().0 < before.start {
            self.0.links.put(
                TaskId::current(),
                Link {
                    address: before.address,
                    mm: call.vma.mm_id(),
                    message: Message::Grew.pack(),
                    since: Reading::default(),
                },
            );
        }
    }
}
