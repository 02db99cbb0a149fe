// SPDX-License-Identifier: GPL-2.0

//! Probes on tracepoints that are not exported, found by name.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use crate::{
    bindings,
    sys::{
        functions::BadArea,
        kretprobe::Registers, //
    }, //
};
use core::{
    ffi::CStr,
    pin::Pin,
    ptr::{
        from_ref,
        null_mut,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    ffi::{
        c_ulong,
        c_void, //
    },
    prelude::*,
};

/// What runs when a page-fault exception arrives.
///
/// Source: `exceptions:page_fault_kernel`; all of the group have its arguments.
pub(crate) trait ExceptionHandler: Sync {
    /// The tracepoint's name, without its group.
    const NAME: &'static CStr;

    /// Called before the kernel looks at the fault.
    ///
    /// Interrupts are off, and it may be an NMI that faulted: no sleeping, no
    /// allocation, no lock.
    fn raised(&self, fault: BadArea);
}

/// A probe that is registered with a tracepoint.
///
/// # Invariants
///
/// `tracepoint` is one of the kernel's, and calls [`raised`] with the address
/// of this pinned value.
#[pin_data(PinnedDrop)]
pub(crate) struct Probe<H: ExceptionHandler> {
    tracepoint: NonNull<bindings::tracepoint>,
    handler: H,
    #[pin]
    _pin: core::marker::PhantomPinned,
}

// SAFETY: The kernel's tracepoints live for ever and belong to no task.
unsafe impl<H: ExceptionHandler + Send> Send for Probe<H> {}

// SAFETY: As above; the C side serialises registration.
unsafe impl<H: ExceptionHandler> Sync for Probe<H> {}

impl<H: ExceptionHandler> Probe<H> {
    /// Registers a probe. Sleeps.
    ///
    /// Fails with `ENOENT` if the kernel has no such tracepoint.
    pub(crate) fn new(handler: H) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            tracepoint: find(H::NAME).ok_or(ENOENT)?,
            handler,
            _pin: core::marker::PhantomPinned,
            _: {
                // SAFETY: All fields are initialised.
                let tracepoint = unsafe { (*this.as_ptr()).tracepoint };
                // SAFETY: The signature is that of the exceptions group, and
                // the probe is unregistered before the value goes.
                to_result(unsafe {
                    bindings::tracepoint_probe_register(
                        tracepoint.as_ptr(),
                        raised::<H> as *mut c_void,
                        this.as_ptr().cast(),
                    )
                })?;
            },
        })
    }
}

#[pinned_drop]
impl<H: ExceptionHandler> PinnedDrop for Probe<H> {
    fn drop(self: Pin<&mut Self>) {
        let data = from_ref::<Self>(&self).cast_mut().cast();
        // SAFETY: Registered with the same function and data (type invariant).
        unsafe {
            bindings::tracepoint_probe_unregister(
                self.tracepoint.as_ptr(),
                raised::<H> as *mut c_void,
                data,
            )
        };
        // SAFETY: Process context. Running probes end before the value goes.
        unsafe { bindings::trapscope_tracepoint_sync() };
    }
}

/// # Safety
///
/// Only as a probe of the exceptions group, with a [`Probe<H>`] as its data.
unsafe extern "C" fn raised<H: ExceptionHandler>(
    data: *mut c_void,
    address: c_ulong,
    regs: *mut bindings::pt_regs,
    error_code: c_ulong,
) {
    // SAFETY: The data is a pinned `Probe<H>`, whose drop waits for this.
    let this = unsafe { &*data.cast::<Probe<H>>() };
    // SAFETY: Those of the exception, which is just being served.
    let faulted = unsafe { Registers::from_raw(regs) };
    this.handler.raised(BadArea {
        user_mode: faulted.user_mode(),
        address: address as u64,
        instruction: faulted.instruction(),
        error_code: error_code as u64,
    });
}

/// Tells whether anybody listens to a tracepoint; `None` if there is no such.
/// Sleeps.
pub(crate) fn is_on(name: &'static CStr) -> Option<bool> {
    // SAFETY: A live tracepoint of the kernel.
    find(name).map(|tracepoint| unsafe { bindings::trapscope_tracepoint_on(tracepoint.as_ptr()) })
}

/// What [`compare`] looks for, and what it found.
struct Search {
    name: &'static CStr,
    found: *mut bindings::tracepoint,
}

/// Looks a tracepoint of the kernel itself up. Sleeps.
fn find(name: &'static CStr) -> Option<NonNull<bindings::tracepoint>> {
    let mut search = Search {
        name,
        found: null_mut(),
    };
    // SAFETY: `compare` gets the search that outlives the call.
    unsafe {
        bindings::for_each_kernel_tracepoint(Some(compare), (&raw mut search).cast());
    }
    NonNull::new(search.found)
}

/// # Safety
///
/// Only for `for_each_kernel_tracepoint()`, with a [`Search`] as its data.
unsafe extern "C" fn compare(tracepoint: *mut bindings::tracepoint, data: *mut c_void) {
    // SAFETY: The data is the search of `find()`, used by nobody else now.
    let search = unsafe { &mut *data.cast::<Search>() };
    // SAFETY: The kernel's tracepoints have a name that lives as long.
    let name = unsafe { CStr::from_char_ptr(bindings::trapscope_tracepoint_name(tracepoint)) };
    if name == search.name {
        search.found = tracepoint;
    }
}

#[kunit_tests(trapscope_tracepoint)]
mod tests {
    use super::*;

    struct Unseen;

    impl ExceptionHandler for Unseen {
        const NAME: &'static CStr = c"trapscope_no_such_tracepoint";
        fn raised(&self, _fault: BadArea) {}
    }

    #[test]
    fn an_unknown_tracepoint_is_refused() {
        let probe = KBox::pin_init(Probe::new(Unseen), GFP_KERNEL);
        assert!(probe.is_err_and(|error| error == ENOENT));
    }
}
