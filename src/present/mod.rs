// SPDX-License-Identifier: GPL-2.0

//! The files in /sys/kernel/debug/trapscope/.
//!
//! They read [`crate::account`], and never change a count.

mod control;
mod faults;
mod kernel;
mod latency;
mod processes;
mod readme;
mod status;
mod text;
mod vmas;

use crate::{
    control::Control,
    sys::debugfs::Directory, //
};
use ::kernel::{
    prelude::*,
    sync::Arc,
    ThisModule, //
};

/// Makes the directory and its files.
///
/// Fails with `EEXIST` if there is such a directory, or with `ENOMEM`. Sleeps.
pub(crate) fn publish(control: &Arc<Control>, module: &'static ThisModule) -> Result<Directory> {
    let mut directory = Directory::new(c"trapscope", module)?;
    let c = || control.clone();
    directory.add(c"README", readme::Readme)?;
    directory.add(c"status", status::Status(c()))?;
    directory.add(c"enable", control::Enable(c()))?;
    directory.add(c"reset", control::Reset(c()))?;
    directory.add(c"filter", control::FilterFile(c()))?;
    directory.add(c"faults", faults::Faults(c()))?;
    directory.add(c"latency", latency::Latency(c()))?;
    directory.add(c"vmas", vmas::Vmas(c()))?;
    directory.add(c"processes", processes::Processes(c()))?;
    directory.add(c"kernel", kernel::KernelFaults(c()))?;
    Ok(directory)
}
