// SPDX-License-Identifier: GPL-2.0

//! What both kinds of faults have in common that handle_mm_fault() does not get.

use crate::{
    account::{
        outside::Event,
        Accounts, //
    },
    decode::c_list,
    sys::{
        functions::BadArea,
        trace_event, //
    },
};

const PLACES: [(u64, &str); Event::REFUSED] = {
    let mut list = [(0, ""); Event::REFUSED];
    let mut i = 0;
    while i < list.len() {
        list[i] = (i as u64, Event::REFUSED_NAMES[i]);
        i += 1;
    }
    list
};

/// Counts a fault, and tells of it. From any context, NMI included.
pub(super) fn refused(accounts: &Accounts, event: Event, fault: &BadArea) {
    const {
        assert!(c_list::defines(
            trace_event::NAMES,
            "TRAPSCOPE_PLACES",
            &PLACES
        ))
    };
    accounts
        .outside
        .refused(event, fault.error_code, fault.user_mode);
    trace_event::kernel_fault(event.index() as u8, fault);
}
