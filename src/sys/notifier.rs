// SPDX-License-Identifier: GPL-2.0

//! News of modules that are loaded, and of the machine going to sleep.
//!
//! C headers: [`include/linux/module.h`](srctree/include/linux/module.h),
//! [`include/linux/suspend.h`](srctree/include/linux/suspend.h)

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

/// What runs when there is news. It may sleep.
pub(crate) trait Listener: Send + Sync {
    /// A module was loaded, and its initialisation comes next.
    fn module_comes(&self, name: &CStr);

    /// The initialisation of a module is over, one way or the other; or it goes.
    fn module_is_settled(&self, name: &CStr);

    /// The machine is about to suspend, hibernate, or resume from an image.
    fn machine_sleeps(&self);

    /// It is awake again, or something kept it from sleeping.
    fn machine_is_awake(&self);
}

/// A registered listener.
///
/// # Invariants
///
/// `modules` and `sleep` are registered, and their addresses are stable.
#[pin_data(PinnedDrop)]
pub(crate) struct Notifier<L: Listener> {
    #[pin]
    modules: Opaque<bindings::notifier_block>,
    #[pin]
    sleep: Opaque<bindings::notifier_block>,
    listener: L,
}

// SAFETY: Notifier blocks belong to no task, and the listener is `Send`.
unsafe impl<L: Listener> Send for Notifier<L> {}

// SAFETY: The C side serialises changes to the blocks.
unsafe impl<L: Listener> Sync for Notifier<L> {}

type Call = unsafe extern "C" fn(*mut bindings::notifier_block, c_ulong, *mut c_void) -> c_int;

fn block(call: Call) -> impl PinInit<Opaque<bindings::notifier_block>> {
    Opaque::ffi_init(move |slot: *mut bindings::notifier_block| {
        let block = bindings::notifier_block {
            notifier_call: Some(call),
            ..Default::default()
        };
        // SAFETY: `slot` is valid for writes.
        unsafe { slot.write(block) };
    })
}

impl<L: Listener> Notifier<L> {
    /// Registers a listener. Sleeps.
    ///
    /// Fails with the errno of `register_module_notifier()` or
    /// `register_pm_notifier()`.
    pub(crate) fn new(listener: L) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            modules <- block(module_news::<L>),
            sleep <- block(sleep_news::<L>),
            listener,
            _: {
                // SAFETY: All fields are initialised.
                let modules = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).modules });
                // SAFETY: As above.
                let sleep = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).sleep });
                // SAFETY: The slot is pinned; unregistered before it goes.
                to_result(unsafe { bindings::register_module_notifier(modules) })?;
                // SAFETY: As above.
                to_result(unsafe { bindings::trapscope_register_sleep(sleep) }).inspect_err(|_| {
                    // SAFETY: Just registered.
                    unsafe { bindings::unregister_module_notifier(modules) };
                })?;
            },
        })
    }
}

#[pinned_drop]
impl<L: Listener> PinnedDrop for Notifier<L> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered (type invariant). Waits for running calls.
        unsafe { bindings::trapscope_unregister_sleep(self.sleep.get()) };
        // SAFETY: As above.
        unsafe { bindings::unregister_module_notifier(self.modules.get()) };
    }
}

/// # Safety
///
/// Only as the call of `modules` in a registered [`Notifier<L>`].
unsafe extern "C" fn module_news<L: Listener>(
    block: *mut bindings::notifier_block,
    state: c_ulong,
    module: *mut c_void,
) -> c_int {
    let block = Opaque::cast_from(block.cast_const());
    // SAFETY: The block is a field of a pinned notifier, by the caller.
    let this = unsafe { &*kernel::container_of!(block, Notifier<L>, modules) };
    // SAFETY: The chain hands over a live module, whose name stays.
    let name = unsafe { CStr::from_char_ptr(bindings::trapscope_module_name(module)) };
    if state as bindings::module_state == bindings::module_state_MODULE_STATE_COMING {
        this.listener.module_comes(name);
    } else {
        this.listener.module_is_settled(name);
    }
    bindings::NOTIFY_DONE as c_int
}

/// # Safety
///
/// Only as the call of `sleep` in a registered [`Notifier<L>`].
unsafe extern "C" fn sleep_news<L: Listener>(
    block: *mut bindings::notifier_block,
    news: c_ulong,
    _unused: *mut c_void,
) -> c_int {
    let block = Opaque::cast_from(block.cast_const());
    // SAFETY: The block is a field of a pinned notifier, by the caller.
    let this = unsafe { &*kernel::container_of!(block, Notifier<L>, sleep) };
    // SAFETY: No preconditions.
    if unsafe { bindings::trapscope_is_before_sleep(news) } {
        this.listener.machine_sleeps();
    } else {
        this.listener.machine_is_awake();
    }
    bindings::NOTIFY_DONE as c_int
}
