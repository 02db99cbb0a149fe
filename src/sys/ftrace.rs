// SPDX-License-Identifier: GPL-2.0

//! Calls of one function, told by ftrace.
//!
//! Where a kprobe is running the kernel skips another one, so that what interrupts
//! a handler goes unseen. ftrace only keeps out what is of the same context: a
//! function of an interrupt handler is seen whatever was interrupted.
//!
//! C header: [`include/linux/ftrace.h`](srctree/include/linux/ftrace.h)

use crate::bindings;
use core::pin::Pin;
use kernel::{
    error::to_result,
    ffi::c_ulong,
    prelude::*,
    types::Opaque, //
};

/// What runs when the traced function is entered.
pub(crate) trait Handler: Sync {
    /// The function's name.
    const SYMBOL: &'static CStr;

    /// Called at the entry of the function, in its context.
    ///
    /// Preemption is off: no sleeping, no allocation.
    fn entered(&self);
}

/// A function that is traced.
///
/// # Invariants
///
/// `ops` is registered, and its address is stable.
#[pin_data(PinnedDrop)]
pub(crate) struct Traced<H: Handler> {
    #[pin]
    ops: Opaque<bindings::ftrace_ops>,
    handler: H,
}

// SAFETY: The ops belong to no task, and the handler is `Send`.
unsafe impl<H: Handler + Send> Send for Traced<H> {}

// SAFETY: The C side serialises changes to the ops.
unsafe impl<H: Handler> Sync for Traced<H> {}

impl<H: Handler> Traced<H> {
    /// Begins to trace. Sleeps.
    ///
    /// Fails with `ENOENT` if there is no such function, `EINVAL` if it can't be traced,
    /// or the errno of `register_ftrace_function()`.
    pub(crate) fn new(handler: H) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            ops <- Opaque::uninit(),
            handler,
            _: {
                // SAFETY: The field is there, to be filled by the next call.
                let ops = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).ops });
                // SAFETY: The slot is pinned; untraced before it goes.
                to_result(unsafe {
                    bindings::trapscope_trace_function(
                        ops,
                        Some(entered::<H>),
                        H::SYMBOL.as_char_ptr(),
                    )
                })?;
            },
        })
    }
}

#[pinned_drop]
impl<H: Handler> PinnedDrop for Traced<H> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered (type invariant). Waits for running handlers.
        unsafe { bindings::trapscope_untrace_function(self.ops.get()) };
    }
}

/// # Safety
///
/// Only as the function of the ops in a [`Traced<H>`].
unsafe extern "C" fn entered<H: Handler>(
    _ip: c_ulong,
    _parent: c_ulong,
    ops: *mut bindings::ftrace_ops,
    _registers: *mut bindings::ftrace_regs,
) {
    // SAFETY: `ops` is the field of a pinned `Traced<H>`.
    let this = unsafe { kernel::container_of!(Opaque::cast_from(ops), Traced<H>, ops) };
    // SAFETY: Registered; its drop waits for this handler.
    let this = unsafe { &*this };
    this.handler.entered();
}

#[kunit_tests(trapscope_ftrace)]
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
        let traced = KBox::pin_init(Traced::new(Unseen), GFP_KERNEL);
        assert!(traced.is_err_and(|error| error == ENOENT));
    }

    #[test]
    fn calls_are_seen_until_it_is_dropped() -> Result {
        let seen = Arc::new(AtomicU64::new(0), GFP_KERNEL)?;
        let traced = KBox::pin_init(Traced::new(Spy(seen.clone())), GFP_KERNEL)?;
        SymbolBuffer::new().look_up(0x1234);
        assert!(seen.load(Ordering::Relaxed) >= 1);
        drop(traced);
        let before = seen.load(Ordering::Relaxed);
        SymbolBuffer::new().look_up(0x1234);
        assert_eq!(seen.load(Ordering::Relaxed), before);
        Ok(())
    }
}
