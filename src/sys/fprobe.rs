// SPDX-License-Identifier: GPL-2.0

//! Fprobes on a function's entry.
//!
//! Where a kprobe is running the kernel skips another one, so that what interrupts
//! a handler goes unseen. An fprobe only keeps out what is of the same context: a
//! function of an interrupt handler is seen whatever was interrupted. Nor does it take
//! as long to go as ftrace operations of a module's own, for which the kernel waits until
//! each task has slept or been in user mode (`ftrace_shutdown()`, kernel/trace/ftrace.c).
//!
//! C header: [`include/linux/fprobe.h`](srctree/include/linux/fprobe.h)

use crate::bindings;
use core::pin::Pin;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};

/// What runs when the probed function is entered.
pub(crate) trait Handler: Sync {
    /// The function's name.
    const SYMBOL: &'static CStr;

    /// Called at the entry of the function, in its context.
    ///
    /// Preemption is off: no sleeping, no allocation.
    fn entered(&self);
}

/// A registered fprobe.
///
/// # Invariants
///
/// `probe` is registered, and its address is stable.
#[pin_data(PinnedDrop)]
pub(crate) struct Fprobe<H: Handler> {
    #[pin]
    probe: Opaque<bindings::fprobe>,
    handler: H,
}

// SAFETY: An fprobe belongs to no task, and the handler is `Sync` and `Send`.
unsafe impl<H: Handler + Send> Send for Fprobe<H> {}

// SAFETY: The C side serialises changes to the probe.
unsafe impl<H: Handler> Sync for Fprobe<H> {}

impl<H: Handler> Fprobe<H> {
    /// Registers an fprobe. Sleeps.
    ///
    /// Fails with `ENOENT` if there is no such function or it can't be traced, or with
    /// `ENOMEM`.
    pub(crate) fn new(handler: H) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            probe <- Opaque::uninit(),
            handler,
            _: {
                // SAFETY: The field is there, to be filled by the next call.
                let probe = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).probe });
                // SAFETY: The slot is pinned, and the probe is unregistered before it goes.
                to_result(unsafe {
                    bindings::trapscope_register_fprobe(
                        probe,
                        Some(entered::<H>),
                        H::SYMBOL.as_char_ptr(),
                    )
                })?;
            },
        })
    }
}

#[pinned_drop]
impl<H: Handler> PinnedDrop for Fprobe<H> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered (type invariant). Waits for running handlers.
        unsafe { bindings::trapscope_unregister_fprobe(self.probe.get()) };
    }
}

/// # Safety
///
/// Only as `entry_handler` of the probe in an [`Fprobe<H>`].
unsafe extern "C" fn entered<H: Handler>(
    probe: *mut bindings::fprobe,
    _ip: c_ulong,
    _parent: c_ulong,
    _registers: *mut bindings::ftrace_regs,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: `probe` is the field of a pinned `Fprobe<H>`.
    let this = unsafe { kernel::container_of!(Opaque::cast_from(probe), Fprobe<H>, probe) };
    // SAFETY: Registered; its drop waits for this handler.
    let this = unsafe { &*this };
    this.handler.entered();
    0
}

#[kunit_tests(trapscope_fprobe)]
mod tests {
    use super::*;
    use crate::sys::{
        atomic::{
            AtomicU64,
            Ordering, //
        },
        symbol::SymbolBuffer, //
    };
    use kernel::sync::Arc;

    struct Unseen;

    impl Handler for Unseen {
        const SYMBOL: &'static CStr = c"trapscope_no_such_function";
        fn entered(&self) {}
    }

    /// Counts the calls of sprint_symbol().
    struct Spy(Arc<AtomicU64>);

    impl Handler for Spy {
        const SYMBOL: &'static CStr = c"sprint_symbol";
        fn entered(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_unknown_function_is_refused() {
        let probe = KBox::pin_init(Fprobe::new(Unseen), GFP_KERNEL);
        assert!(probe.is_err_and(|error| error == ENOENT));
    }

    #[test]
    fn calls_are_seen_until_it_is_dropped() -> Result {
        let seen = Arc::new(AtomicU64::new(0), GFP_KERNEL)?;
        let probe = KBox::pin_init(Fprobe::new(Spy(seen.clone())), GFP_KERNEL)?;
        SymbolBuffer::new().look_up(0x1234);
        assert!(seen.load(Ordering::Relaxed) >= 1);
        drop(probe);
        let before = seen.load(Ordering::Relaxed);
        SymbolBuffer::new().look_up(0x1234);
        assert_eq!(seen.load(Ordering::Relaxed), before);
        Ok(())
    }
}
