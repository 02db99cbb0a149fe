// SPDX-License-Identifier: GPL-2.0

//! trapscope: page faults by class and by VMA.
//!
//! Data flows one way: [`hook`] sees a fault, [`decode`] says what it was,
//! [`account`] counts it, [`present`] shows it. [`inspect`] looks at the IDT when
//! it is asked to. [`sys`] wraps what of the kernel they need; all unsafe code is
//! there.

use kernel::{
    prelude::*,
    sync::Arc,
    ThisModule, //
};

mod account;
mod bindings;
mod control;
mod decode;
mod hook;
mod inspect;
mod present;
mod sys;

use account::Accounts;
use control::Control;
use decode::refusal::OffBy;
use hook::{
    vectors::{
        Caution,
        VectorTrace, //
    },
    Hooks, //
};
use inspect::idt::Baseline;
use sys::{
    debugfs::Directory,
    kernel_info,
    notifier::Notifier, //
};

/// The module's version, as `status` shows it.
const VERSION: &str = "0.1.0";

module! {
    type: Trapscope,
    name: "trapscope",
    authors: ["The trapscope authors"],
    description: "Page faults by class and by VMA",
    license: "GPL",
    params: {
        rows: i64 {
            default: 16384,
            description: "Mappings that have a row of their own at a time: 64 to 1048576",
        },
        maxactive: i64 {
            default: 4096,
            description: "Page faults that may be under way at a time: 1 to 65536",
        },
    },
}

/// The loaded module.
struct Trapscope {
    // Goes first: nobody may ask for what goes next.
    _directory: Directory,
    // Switches off, so it goes before what is switched.
    _caution: Pin<KBox<Notifier<Caution>>>,
    vectors: Arc<VectorTrace>,
    control: Arc<Control>,
}

/// Returns a parameter, if it is in its range.
fn parameter(name: &str, value: i64, least: i64, most: i64) -> Result<u32> {
    if !(least..=most).contains(&value) {
        pr_err!("parameter {name}={value} is out of its range, {least} to {most}\n");
        return Err(EINVAL);
    }
    u32::try_from(value).map_err(|_| EINVAL)
}

/// Makes sure that there is memory for what was asked for.
///
/// An allocation that is too large would not fail: the OOM killer would come.
fn room(rows: u32, calls: u32) -> Result {
    let needed = Accounts::memory_for(rows as usize, calls as usize) + Hooks::memory_for(calls);
    let spare = kernel_info::available_memory() / 2;
    if needed <= spare {
        return Ok(());
    }
    pr_err!(
        "rows={rows} maxactive={calls} take {} MiB, {} MiB can be spared: load it with fewer\n",
        needed >> 20,
        spare >> 20
    );
    Err(ENOMEM)
}

/// Takes the tables as they are now.
fn baseline() -> Result<Arc<Baseline>> {
    Baseline::take().inspect_err(|_| pr_err!("no memory for the IDT as it is: free some first\n"))
}

impl kernel::Module for Trapscope {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let rows = parameter("rows", module_parameters::rows.value(), 64, 1 << 20)?;
        let calls = parameter(
            "maxactive",
            module_parameters::maxactive.value(),
            1,
            1 << 16,
        )?;
        room(rows, calls)?;
        let control = Control::new(rows as usize, calls)?;
        let vectors = VectorTrace::new()?;
        let caution = KBox::pin_init(Notifier::new(Caution(vectors.clone())), GFP_KERNEL)?;
        let files = present::files(&control, &vectors, baseline()?, module)?;
        control.enable(true);
        // Last: once there is a file it may be open, and nothing may fail.
        Ok(Self {
            _directory: files.publish(c"trapscope")?,
            _caution: caution,
            vectors,
            control,
        })
    }
}

impl Drop for Trapscope {
    fn drop(&mut self) {
        self.vectors.switch_off(OffBy::Write);
        self.control.enable(false);
    }
}
