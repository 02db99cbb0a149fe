// SPDX-License-Identifier: GPL-2.0

//! The vectors: what the CPU and Linux 7.3 use each for.
//!
//! Vectors below 32 are those of the SDM, Vol. 3A, "Exception and Interrupt Reference", and 28 to
//! 30 those of AMD's manual, Vol. 2, "Vectors"; the others are in asm/irq_vectors.h.
//! Mnemonics of the latter are the first column of /proc/interrupts (irq_stat_info of
//! arch/x86/kernel/irq.c).

use super::expected::Stage;
use kernel::prelude::*;

/// FIRST_SYSTEM_VECTOR: vectors from here on are not for devices.
pub(super) const FIRST_SYSTEM: u8 = 0xeb;

/// IA32_SYSCALL_VECTOR.
pub(super) const SYSCALL: u8 = 0x80;

/// What calls the handler of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An exception that can be restarted.
    Fault,
    /// An exception that is reported after its instruction; #DB can be a fault, too.
    Trap,
    /// An exception that can't be restarted.
    Abort,
    /// The non-maskable interrupt.
    Nmi,
    /// A device.
    External,
    /// The instruction `int 0x80`.
    Syscall,
    /// The local APIC of the CPU itself.
    LocalApic,
    /// A CPU, by its local APIC; it may be the CPU itself.
    Ipi,
    /// The hypervisor that the kernel is a guest of.
    Hypervisor,
    /// Something that went wrong in the interrupt controllers.
    Spurious,
    /// Nothing.
    Unused,
}

impl Kind {
    /// Returns the name under which the kind is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Fault => "fault",
            Kind::Trap => "trap",
            Kind::Abort => "abort",
            Kind::Nmi => "nmi",
            Kind::External => "external",
            Kind::Syscall => "syscall",
            Kind::LocalApic => "local-apic",
            Kind::Ipi => "ipi",
            Kind::Hypervisor => "hypervisor",
            Kind::Spurious => "spurious",
            Kind::Unused => "unused",
        }
    }
}

/// What a vector is for.
struct Use {
    mnemonic: &'static str,
    name: &'static str,
    kind: Kind,
    error_code: bool,
}

const fn plain(mnemonic: &'static str, name: &'static str, kind: Kind) -> Use {
    Use {
        mnemonic,
        name,
        kind,
        error_code: false,
    }
}

const fn coded(mnemonic: &'static str, name: &'static str, kind: Kind) -> Use {
    Use {
        error_code: true,
        ..plain(mnemonic, name, kind)
    }
}

const RESERVED: Use = plain("-", "reserved", Kind::Unused);

/// The vectors that the CPU itself defines, from 0.
static EXCEPTIONS: [Use; 32] = [
    plain("#DE", "divide-error", Kind::Fault),
    plain("#DB", "debug", Kind::Trap),
    plain("NMI", "nmi", Kind::Nmi),
    plain("#BP", "breakpoint", Kind::Trap),
    plain("#OF", "overflow", Kind::Trap),
    plain("#BR", "bound-range", Kind::Fault),
    plain("#UD", "invalid-opcode", Kind::Fault),
    plain("#NM", "device-not-available", Kind::Fault),
    coded("#DF", "double-fault", Kind::Abort),
    plain("-", "coprocessor-overrun", Kind::Abort),
    coded("#TS", "invalid-tss", Kind::Fault),
    coded("#NP", "segment-not-present", Kind::Fault),
    coded("#SS", "stack-segment", Kind::Fault),
    coded("#GP", "general-protection", Kind::Fault),
    coded("#PF", "page-fault", Kind::Fault),
    // Reserved by Intel; where a spurious interrupt of the PIC ends if the PIC is not remapped.
    plain("-", "spurious-interrupt", Kind::Spurious),
    plain("#MF", "x87-error", Kind::Fault),
    coded("#AC", "alignment-check", Kind::Fault),
    plain("#MC", "machine-check", Kind::Abort),
    plain("#XM", "simd-error", Kind::Fault),
    plain("#VE", "virtualization", Kind::Fault),
    coded("#CP", "control-protection", Kind::Fault),
    RESERVED,
    RESERVED,
    RESERVED,
    RESERVED,
    RESERVED,
    RESERVED,
    plain("#HV", "hypervisor-injection", Kind::Hypervisor),
    coded("#VC", "vmm-communication", Kind::Fault),
    coded("#SX", "security", Kind::Fault),
    RESERVED,
];

static DEVICE: Use = plain("-", "device", Kind::External);

static INT80: Use = plain("-", "int80", Kind::Syscall);

/// The vectors that Linux keeps for itself, from [`FIRST_SYSTEM`].
static SYSTEM: [Use; 21] = [
    // The IOMMU sends it, when interrupts of devices have been posted.
    plain("PMN", "posted-msi", Kind::External),
    plain("LOC", "local-timer", Kind::LocalApic),
    plain("HVS", "hyperv-timer", Kind::Hypervisor),
    plain("HRE", "hyperv-reenlightenment", Kind::Hypervisor),
    // MSIs of devices are sent here while they are shut down; no handler is wanted.
    plain("-", "managed-irq-shutdown", Kind::Spurious),
    plain("NPI", "posted-interrupt-nested", Kind::Ipi),
    plain("PIW", "posted-interrupt-wakeup", Kind::Ipi),
    plain("PIN", "posted-interrupt", Kind::Ipi),
    plain("HYP", "hypervisor-callback", Kind::Hypervisor),
    plain("DFR", "deferred-error", Kind::LocalApic),
    plain("VPMI", "guest-pmi", Kind::LocalApic),
    plain("IWI", "irq-work", Kind::Ipi),
    plain("PLT", "platform-ipi", Kind::Ipi),
    plain("-", "reboot", Kind::Ipi),
    plain("THR", "threshold", Kind::LocalApic),
    plain("TRM", "thermal", Kind::LocalApic),
    plain("CAL", "call-function-single", Kind::Ipi),
    plain("CAL", "call-function", Kind::Ipi),
    plain("RES", "reschedule", Kind::Ipi),
    plain("ERR", "apic-error", Kind::LocalApic),
    plain("SPU", "apic-spurious", Kind::Spurious),
];

fn use_of(vector: u8) -> &'static Use {
    let system = || SYSTEM.get(usize::from(vector.checked_sub(FIRST_SYSTEM)?));

    match EXCEPTIONS.get(usize::from(vector)).or_else(system) {
        Some(known) => known,
        None if vector == SYSCALL => &INT80,
        None => &DEVICE,
    }
}

/// Returns the mnemonic of a vector, `-` if it has none.
pub(crate) fn mnemonic(vector: u8) -> &'static str {
    use_of(vector).mnemonic
}

/// Returns the name of a vector; reserved ones share one, and so do those of devices.
pub(crate) fn name(vector: u8) -> &'static str {
    use_of(vector).name
}

/// Returns whether the CPU pushes an error code before it calls the handler.
pub(crate) fn pushes_error_code(vector: u8) -> bool {
    use_of(vector).error_code
}

/// Returns what calls the handler of a vector, given the stage that installed the handler.
///
/// Without a stage it is what the vector is kept for.
pub(crate) fn kind(vector: u8, stage: Option<Stage>) -> Kind {
    match stage {
        Some(Stage::Irq) => Kind::External,
        Some(Stage::Spurious) => Kind::Spurious,
        _ => use_of(vector).kind,
    }
}

#[kunit_tests(trapscope_idt_vector)]
mod tests {
    use super::*;

    fn is_device(vector: u8) -> bool {
        (0x20..FIRST_SYSTEM).contains(&vector) && vector != SYSCALL
    }

    #[test]
    fn the_tables_meet_the_ends() {
        assert_eq!(
            usize::from(FIRST_SYSTEM) + SYSTEM.len(),
            super::super::GATES
        );
        assert_eq!(name(0), "divide-error");
        assert_eq!(name(31), "reserved");
        assert_eq!(name(32), "device");
        assert_eq!(name(0x7f), "device");
        assert_eq!(name(0x80), "int80");
        assert_eq!(name(0x81), "device");
        assert_eq!(name(0xea), "device");
        assert_eq!(name(0xeb), "posted-msi");
        assert_eq!(name(0xff), "apic-spurious");
    }

    #[test]
    fn names_are_words_of_one_vector() {
        for vector in 0..=u8::MAX {
            let own = name(vector);
            assert!(!own.is_empty());
            assert!(own
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            let shared = (0..=u8::MAX).filter(|&v| name(v) == own).count();
            let expected = if is_device(vector) {
                202
            } else if own == "reserved" {
                7
            } else {
                1
            };
            assert_eq!(shared, expected);
        }
    }

    #[test]
    fn mnemonics_are_words() {
        for vector in 0..=u8::MAX {
            let own = mnemonic(vector);
            let bare = own.strip_prefix('#');
            // The CPU's own are two letters after a number sign, but for NMI.
            assert_eq!(bare.is_some(), vector < 32 && own != "-" && own != "NMI");
            assert!(bare.is_none_or(|bare| bare.len() == 2));
            let letters = bare.unwrap_or(own);
            assert!(letters == "-" || letters.bytes().all(|b| b.is_ascii_uppercase()));
            let shared = (0..=u8::MAX).filter(|&v| mnemonic(v) == own).count();
            // Both function call vectors are counted in the same row of /proc/interrupts.
            assert!(own == "-" || shared == if own == "CAL" { 2 } else { 1 });
            assert!(!is_device(vector) || own == "-");
        }
    }

    #[test]
    fn mnemonics_at_their_vectors() {
        let known = [
            (0, "#DE"),
            (2, "NMI"),
            (8, "#DF"),
            (13, "#GP"),
            (14, "#PF"),
            (19, "#XM"),
            (21, "#CP"),
            (29, "#VC"),
            (0x80, "-"),
            (0xeb, "PMN"),
            (0xec, "LOC"),
            (0xed, "HVS"),
            (0xee, "HRE"),
            (0xef, "-"),
            (0xf0, "NPI"),
            (0xf1, "PIW"),
            (0xf2, "PIN"),
            (0xf3, "HYP"),
            (0xf4, "DFR"),
            (0xf5, "VPMI"),
            (0xf6, "IWI"),
            (0xf7, "PLT"),
            (0xf8, "-"),
            (0xf9, "THR"),
            (0xfa, "TRM"),
            (0xfb, "CAL"),
            (0xfc, "CAL"),
            (0xfd, "RES"),
            (0xfe, "ERR"),
            (0xff, "SPU"),
        ];
        for (vector, expected) in known {
            assert_eq!(mnemonic(vector), expected);
        }
    }

    #[test]
    fn error_codes() {
        let with_code = [8, 10, 11, 12, 13, 14, 17, 21, 29, 30];
        for vector in 0..=u8::MAX {
            assert_eq!(pushes_error_code(vector), with_code.contains(&vector));
        }
    }

    #[test]
    fn kinds_follow_the_vector() {
        let without = |vector| kind(vector, None);
        assert_eq!(without(0), Kind::Fault);
        assert_eq!(without(1), Kind::Trap);
        assert_eq!(without(2), Kind::Nmi);
        assert_eq!(without(3), Kind::Trap);
        assert_eq!(without(4), Kind::Trap);
        assert_eq!(without(8), Kind::Abort);
        assert_eq!(without(9), Kind::Abort);
        assert_eq!(without(14), Kind::Fault);
        assert_eq!(without(15), Kind::Spurious);
        assert_eq!(without(18), Kind::Abort);
        assert_eq!(without(22), Kind::Unused);
        assert_eq!(without(0x20), Kind::External);
        assert_eq!(without(0x80), Kind::Syscall);
        assert_eq!(without(0xec), Kind::LocalApic);
        assert_eq!(without(0xf3), Kind::Hypervisor);
        assert_eq!(without(0xfd), Kind::Ipi);
    }

    #[test]
    fn kinds_follow_the_stage() {
        assert_eq!(kind(14, Some(Stage::EarlyPf)), Kind::Fault);
        assert_eq!(kind(22, Some(Stage::EarlyHandler)), Kind::Unused);
        assert_eq!(kind(0x80, Some(Stage::Default)), Kind::Syscall);
        assert_eq!(kind(0x80, Some(Stage::Irq)), Kind::External);
        assert_eq!(kind(0xf2, Some(Stage::Apic)), Kind::Ipi);
        assert_eq!(kind(0xf2, Some(Stage::Spurious)), Kind::Spurious);
        assert_eq!(kind(0xf3, Some(Stage::SystemVector)), Kind::Hypervisor);
        assert_eq!(kind(0xf3, Some(Stage::Spurious)), Kind::Spurious);
        assert_eq!(kind(0xec, Some(Stage::Apic)), Kind::LocalApic);
    }

    #[test]
    fn kind_names_are_unique_words() {
        let names = [
            Kind::Fault,
            Kind::Trap,
            Kind::Abort,
            Kind::Nmi,
            Kind::External,
            Kind::Syscall,
            Kind::LocalApic,
            Kind::Ipi,
            Kind::Hypervisor,
            Kind::Spurious,
            Kind::Unused,
        ]
        .map(Kind::name);
        for (position, name) in names.iter().enumerate() {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert!(names.iter().skip(position + 1).all(|other| other != name));
        }
    }
}
