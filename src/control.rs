// SPDX-License-Identifier: GPL-2.0

//! The state of the module: what is counted, and whether the hooks are on.

use crate::{
    account::Accounts,
    decode::filter::Filter,
    hook::Hooks,
    sys::atomic::Ordering, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The module's state.
#[pin_data]
pub(crate) struct Control {
    /// Held by whoever changes anything.
    #[pin]
    hooks: Mutex<Option<Hooks>>,
    accounts: Arc<Accounts>,
    calls: u32,
}

impl Control {
    /// Allocates the tables, with the hooks off.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new(rows: usize, calls: u32) -> Result<Arc<Self>> {
        let accounts = Arc::new(Accounts::new(rows, calls as usize)?, GFP_KERNEL)?;
        Arc::pin_init(
            pin_init!(Self {
                hooks <- new_mutex!(None),
                accounts,
                calls,
            }),
            GFP_KERNEL,
        )
    }

    /// Returns what is counted.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Attaches or detaches the hooks. Sleeps.
    pub(crate) fn enable(&self, on: bool) {
        let mut hooks = self.hooks.lock();
        match (&*hooks, on) {
            (None, true) => *hooks = Some(Hooks::attach(&self.accounts, self.calls)),
            (Some(_), false) => {
                *hooks = None;
                self.accounts.async_pf.close();
            }
            _ => (),
        }
    }

    /// Sets all counts to zero. Sleeps.
    pub(crate) fn reset(&self) {
        let hooks = self.hooks.lock();
        self.accounts
            .reset(|| hooks.as_ref().map_or(0, Hooks::missed));
    }

    /// Changes whose faults count. Sleeps.
    pub(crate) fn set_filter(&self, filter: Option<&Filter>) {
        let _hooks = self.hooks.lock();
        self.accounts.set_filter(filter);
    }

    /// Calls `f` with the hooks, which stay as they are meanwhile. Sleeps.
    pub(crate) fn with_hooks<R>(&self, f: impl FnOnce(Option<&Hooks>) -> R) -> R {
        f(self.hooks.lock().as_ref())
    }

    /// Returns how many calls went unseen since the last reset. Sleeps.
    pub(crate) fn missed(&self) -> u64 {
        // Both under the lock: what a hook has moves to the other when it goes.
        self.with_hooks(|hooks| {
            let before = self.accounts.missed_before.load(Ordering::Relaxed);
            hooks.map_or(0, Hooks::missed).wrapping_add(before)
        })
    }

    /// Returns how many calls are under way that the hook will see return. Sleeps.
    pub(crate) fn in_flight(&self) -> u64 {
        self.with_hooks(|hooks| hooks.map_or(0, Hooks::in_flight))
    }
}
