// SPDX-License-Identifier: GPL-2.0

//! Kprobes on a function's entry.
//!
//! C header: [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::{
    bindings,
    sys::{
        functions::Function,
        kretprobe::Registers, //
    }, //
};
use core::pin::Pin;
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

/// What runs when the probed function is entered.
pub(crate) trait Handler: Sync {
    /// The function to probe.
    type Target: Function;

    /// Called at the entry of the function, on the task that called it.
    ///
    /// Preemption is off: no sleeping, no allocation.
    fn entered(&self, call: <Self::Target as Function>::Entry<'_>);
}

/// A registered kprobe.
///
/// # Invariants
///
/// `probe` is registered, and its address is stable.
#[pin_data(PinnedDrop)]
pub(crate) struct Kprobe<H: Handler> {
    #[pin]
    probe: Opaque<bindings::kprobe>,
    handler: H,
}

// SAFETY: A kprobe belongs to no task, and the handler is `Sync` and `Send`.
unsafe impl<H: Handler + Send> Send for Kprobe<H> {}

// SAFETY: The C side serialises changes to the probe.
unsafe impl<H: Handler> Sync for Kprobe<H> {}

impl<H: Handler> Kprobe<H> {
    /// Registers a kprobe. Sleeps.
    ///
    /// Fails with the errno of `register_kprobe()`: `ENOENT` for an unknown
    /// symbol, `EINVAL` for one that may not be probed; or with `ENOMEM`.
    pub(crate) fn new(handler: H) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            probe <- Opaque::ffi_init(|slot: *mut bindings::kprobe| {
                let probe = bindings::kprobe {
                    symbol_name: H::Target::SYMBOL.as_char_ptr(),
                    pre_handler: Some(entered::<H>),
                    ..Default::default()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(probe) };
            }),
            handler,
            _: {
                // SAFETY: All fields are initialised.
                let probe = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).probe });
                // SAFETY: The slot is pinned, and the probe is unregistered
                // before it goes.
                to_result(unsafe { bindings::trapscope_register_kprobe(probe) })?;
            },
        })
    }

    /// Returns how often the kernel skipped the handler, since registration.
    pub(crate) fn missed(&self) -> u64 {
        // SAFETY: The probe is live; the word is read whole.
        unsafe { (&raw const (*self.probe.get()).nmissed).read_volatile() as u64 }
    }
}

#[pinned_drop]
impl<H: Handler> PinnedDrop for Kprobe<H> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered (type invariant). Waits for running handlers.
        unsafe { bindings::trapscope_unregister_kprobe(self.probe.get()) };
    }
}

/// # Safety
///
/// Only as `pre_handler` of the probe in a [`Kprobe<H>`].
unsafe extern "C" fn entered<H: Handler>(
    probe: *mut bindings::kprobe,
    regs: *mut bindings::pt_regs,
) -> c_int {
    // SAFETY: `probe` is the field of a pinned `Kprobe<H>`.
    let this = unsafe { kernel::container_of!(Opaque::cast_from(probe), Kprobe<H>, probe) };
    // SAFETY: Registered; its drop waits for this handler.
    let this = unsafe { &*this };
    // SAFETY: The C side passes live registers.
    let registers = unsafe { Registers::from_raw(regs) };
    // SAFETY: They are those at the entry of the target.
    this.handler.entered(unsafe { H::Target::entry(registers) });
    0
}
