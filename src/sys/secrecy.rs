// SPDX-License-Identifier: GPL-2.0

//! Who may see kernel addresses.
//!
//! Source: Documentation/admin-guide/sysctl/kernel.rst, "kptr_restrict".

use crate::bindings;

/// Tells whether kptr_restrict hides kernel addresses from the current task.
///
/// The rule is that of /proc/kallsyms: 2 hides them, and otherwise whoever has
/// CAP_SYSLOG sees them. Task context.
pub(crate) fn addresses_hidden() -> bool {
    // SAFETY: No preconditions in task context.
    unsafe { bindings::trapscope_addresses_hidden() }
}
