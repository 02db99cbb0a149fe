// SPDX-License-Identifier: GPL-2.0

//! The trace events `trapscope:fault` and `trapscope:kernel_fault`.
//!
//! C header: `fault_events.h`. Each has a static branch, so that one that nobody
//! listens to costs an instruction that does nothing.

use crate::{
    bindings,
    decode::{
        c_list,
        class::Class,
        error_code, //
    },
    sys::functions::{
        BadArea,
        FaultEntry, //
    },
};
use kernel::jump_label::static_branch_unlikely;

/// What C prints has to be what the files say; [`c_list::defines`] tells.
pub(crate) const NAMES: &str = include_str!("../event_names.h");

const CLASSES: [(u64, &str); Class::COUNT] = {
    let mut list = [(0, ""); Class::COUNT];
    let mut i = 0;
    while i < list.len() {
        list[i] = (Class::ALL[i].index() as u64, Class::ALL[i].name());
        i += 1;
    }
    list
};

// As bindgen would have it, but for the type: the macro names that of the kernel
// crate.
#[allow(improper_ctypes)] // bindgen vouches for it
extern "C" {
    static __tracepoint_fault: kernel::bindings::tracepoint;
    static __tracepoint_kernel_fault: kernel::bindings::tracepoint;
}

/// Tells whether anybody listens to `trapscope:fault`.
#[inline(always)]
pub(crate) fn fault_is_on() -> bool {
    // SAFETY: The key of a tracepoint that C defines.
    unsafe { static_branch_unlikely!(__tracepoint_fault, kernel::bindings::tracepoint, key) }
}

/// What the event says of the begin of a fault, and of its mapping.
#[derive(Clone, Copy)]
pub(crate) struct Begin(bindings::trapscope_fault_begin);

impl Begin {
    /// Takes it at the entry, since the mapping may be gone at the return.
    pub(crate) fn of(call: FaultEntry<'_>, retries: u16) -> Self {
        let mut raw = bindings::trapscope_fault_begin {
            ip: call.instruction(),
            flags: call.flags(),
            retries,
            ..Default::default()
        };
        call.vma().tell(&mut raw);
        Self(raw)
    }

    /// Returns how many attempts there had been before.
    pub(crate) fn retries(&self) -> u16 {
        self.0.retries
    }
}

/// What the event says of the end of a fault.
pub(crate) struct End {
    pub(crate) address: u64,
    pub(crate) class: Class,
    /// `VM_FAULT_*`.
    pub(crate) result: u32,
    pub(crate) major: bool,
    pub(crate) latency_ns: u64,
}

/// Tells those who listen to `trapscope:fault`. From a handler of a probe.
pub(crate) fn fault(begin: &Begin, end: &End) {
    const { assert!(c_list::defines(NAMES, "TRAPSCOPE_CLASSES", &CLASSES)) };
    let fault = bindings::trapscope_fault {
        begin: begin.0,
        address: end.address,
        latency_ns: end.latency_ns,
        result: end.result,
        class: end.class.index() as u8,
        major: end.major,
    };
    // SAFETY: Live for the call, which keeps nothing of it.
    unsafe { bindings::rust_do_trace_fault(&fault) };
}

/// Tells those who listen to `trapscope:kernel_fault`, if any; `place` is a number
/// of `TRAPSCOPE_PLACES`. From any context, NMI included.
#[inline]
pub(crate) fn kernel_fault(place: u8, fault: &BadArea) {
    const {
        assert!(c_list::defines(
            NAMES,
            "TRAPSCOPE_ERROR_CODE_BITS",
            &error_code::BITS
        ))
    };
    // SAFETY: The key of a tracepoint that C defines.
    let on = unsafe {
        static_branch_unlikely!(__tracepoint_kernel_fault, kernel::bindings::tracepoint, key)
    };
    if on {
        // SAFETY: All by value.
        unsafe {
            bindings::rust_do_trace_kernel_fault(
                fault.address,
                fault.instruction,
                fault.error_code,
                place,
                fault.user_mode,
            )
        };
    }
}
