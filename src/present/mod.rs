// SPDX-License-Identifier: GPL-2.0

//! The files in /sys/kernel/debug/trapscope/.
//!
//! They read [`crate::account`] and [`crate::inspect`], and never change a count.

mod async_pf;
mod control;
mod faults;
mod idt;
mod kernel;
mod latency;
mod line;
mod processes;
mod readme;
mod status;
mod text;
mod trace_idt;
mod vmas;

use crate::{
    control::Control,
    hook::vectors::VectorTrace,
    inspect::idt::Baseline,
    sys::debugfs::Files, //
};
use ::kernel::{
    prelude::*,
    sync::Arc,
    ThisModule, //
};

/// Returns the files, not yet to be seen.
///
/// Fails with `ENOMEM`. Sleeps.
pub(crate) fn files(
    control: &Arc<Control>,
    vectors: &Arc<VectorTrace>,
    baseline: Arc<Baseline>,
    module: &'static ThisModule,
) -> Result<Files> {
    let mut files = Files::new(module);
    let c = || control.clone();
    let v = || vectors.clone();
    files.add_page(c"README", readme::Readme)?;
    files.add_page(c"status", status::Status(c()))?;
    files.add_page(c"enable", control::Enable(c()))?;
    files.add_page(c"reset", control::Reset(c(), v()))?;
    files.add_page(c"filter", control::FilterFile(c()))?;
    files.add(c"faults", faults::Faults(c()))?;
    files.add(c"latency", latency::Latency(c()))?;
    files.add(c"vmas", vmas::Vmas(c()))?;
    files.add(c"processes", processes::Processes(c()))?;
    files.add_page(c"kernel", kernel::KernelFaults(c()))?;
    files.add_page(c"async_pf", async_pf::AsyncPageFaults(c()))?;
    files.folder(c"idt");
    files.add(c"table", idt::Gates(v()))?;
    files.add(c"idtr", idt::Idtrs(v()))?;
    files.add(c"raw", idt::Raw(v()))?;
    files.add(
        c"check",
        idt::Check {
            baseline,
            vectors: v(),
        },
    )?;
    files.folder(c"trace_idt");
    files.add_page(c"enable", trace_idt::Enable(v()))?;
    files.add_page(c"status", trace_idt::Status(v()))?;
    files.add(c"table", trace_idt::Stubs(v()))?;
    files.add(c"counts", trace_idt::Counts(v()))?;
    Ok(files)
}
