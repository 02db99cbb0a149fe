// SPDX-License-Identifier: GPL-2.0

//! Why the second table can't be switched on, and what switched it off.

use core::fmt;
use kernel::prelude::*;

/// Why it can't be right to switch to a second table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// User mode's page tables would not map the table and the stubs.
    PageTableIsolation,
    /// The IDT is not in use.
    Fred,
    /// The IDT is the hypervisor's.
    XenPv,
    /// A CPU's table is not the kernel's.
    ForeignTable {
        /// The CPU.
        cpu: u32,
    },
    /// A CPU's limit is not the kernel's, so that it could not be put back.
    Limit {
        /// The CPU.
        cpu: u32,
    },
    /// A stub behind such a gate would run with interrupts on.
    Gate {
        /// The vector.
        vector: u8,
    },
    /// A VM exit on this CPU would load the old base.
    Vmx {
        /// The CPU.
        cpu: u32,
    },
    /// kvm_intel is about to take the base that VM exits will load.
    KvmIntel,
    /// The machine is going to sleep, and off is what it has to be then.
    Sleep,
    /// A CPU did not take it.
    NotSwitched {
        /// The CPU.
        cpu: u32,
    },
    /// The kernel refused, with this error.
    Kernel(Error),
}

impl Refusal {
    /// Returns the errno with which the write fails.
    pub(crate) fn errno(self) -> Error {
        match self {
            Refusal::PageTableIsolation | Refusal::Fred | Refusal::XenPv => EOPNOTSUPP,
            Refusal::ForeignTable { .. }
            | Refusal::Limit { .. }
            | Refusal::Gate { .. }
            | Refusal::Vmx { .. }
            | Refusal::KvmIntel
            | Refusal::Sleep
            | Refusal::NotSwitched { .. } => EBUSY,
            Refusal::Kernel(error) => error,
        }
    }

    /// Returns the name under which it is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Refusal::PageTableIsolation => "page-table-isolation",
            Refusal::Fred => "fred",
            Refusal::XenPv => "xen-pv",
            Refusal::ForeignTable { .. } => "foreign-table",
            Refusal::Limit { .. } => "limit",
            Refusal::Gate { .. } => "gate",
            Refusal::Vmx { .. } => "vmx",
            Refusal::KvmIntel => "kvm_intel",
            Refusal::Sleep => "sleep",
            Refusal::NotSwitched { .. } => "not-switched",
            Refusal::Kernel(_) => "kernel",
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Kernel(error)
    }
}

/// The reason in words, with what to do.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::PageTableIsolation => f.write_str(
                "user mode's page tables lack the second table: boot with pti=off where that is safe",
            ),
            Refusal::Fred => f.write_str("the CPUs use FRED and no IDT: boot with fred=off"),
            Refusal::XenPv => f.write_str("the IDT is the hypervisor's: boot without Xen PV"),
            Refusal::ForeignTable { cpu } => write!(
                f,
                "the table of CPU {cpu} is not the kernel's: see idt/check, and unload what changed it"
            ),
            Refusal::Limit { cpu } => write!(
                f,
                "CPU {cpu} has a limit that Linux does not set (VM exits do): take it offline and \
                 online again, or reboot"
            ),
            Refusal::Gate { vector } => write!(
                f,
                "gate {vector} of the kernel's table is not an interrupt gate: see idt/check, and \
                 unload what changed it"
            ),
            Refusal::Vmx { cpu } => write!(
                f,
                "VMX is in use on CPU {cpu}, and VM exits load the old table: unload kvm_intel"
            ),
            Refusal::KvmIntel => f.write_str("kvm_intel is being loaded: try again after that"),
            Refusal::Sleep => {
                f.write_str("the machine is going to sleep, or waking: try again after that")
            }
            Refusal::NotSwitched { cpu } => {
                write!(f, "CPU {cpu} did not take it: see idt/idtr, then try again")
            }
            Refusal::Kernel(error) if *error == ENOMEM => {
                f.write_str("out of memory: free some, then try again")
            }
            Refusal::Kernel(error) => {
                write!(f, "errno={}: see dmesg, then try again", -error.to_errno())
            }
        }
    }
}

/// What switched the second table off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OffBy {
    /// A write to `enable`.
    Write,
    /// kvm_intel was about to be loaded, which keeps the base for VM exits.
    KvmIntel,
    /// The machine was about to sleep.
    Suspend,
}

impl OffBy {
    /// Returns the name under which it is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            OffBy::Write => "write",
            OffBy::KvmIntel => "kvm_intel",
            OffBy::Suspend => "suspend",
        }
    }
}

#[kunit_tests(trapscope_trace_idt_refusal)]
mod tests {
    use super::*;

    const ALL: [Refusal; 11] = [
        Refusal::PageTableIsolation,
        Refusal::Fred,
        Refusal::XenPv,
        Refusal::ForeignTable { cpu: 1 },
        Refusal::Limit { cpu: 1 },
        Refusal::Gate { vector: 4 },
        Refusal::Vmx { cpu: 2 },
        Refusal::KvmIntel,
        Refusal::Sleep,
        Refusal::NotSwitched { cpu: 3 },
        Refusal::Kernel(ENOMEM),
    ];

    #[test]
    fn names_are_words_of_their_own() {
        for (place, refusal) in ALL.iter().enumerate() {
            assert!(refusal.name().bytes().all(|b| b.is_ascii_graphic()));
            assert!(ALL
                .iter()
                .skip(place + 1)
                .all(|other| other.name() != refusal.name()));
        }
    }

    #[test]
    fn what_can_pass_is_busy_and_what_can_not_is_unsupported() {
        let errnos = ALL.map(Refusal::errno);
        let wanted = [
            EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP, EBUSY, EBUSY, EBUSY, EBUSY, EBUSY, EBUSY, EBUSY,
            ENOMEM,
        ];
        assert!(errnos == wanted);
    }
}
