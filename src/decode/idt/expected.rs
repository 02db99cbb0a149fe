// SPDX-License-Identifier: GPL-2.0

//! What Linux 7.3 has in its interrupt descriptor table once it is up.
//!
//! This follows arch/x86/kernel/idt.c and those who call sysvec_install(). It depends on how the
//! kernel was built and, for a few vectors, on the machine, so that a vector can have several right
//! answers.

use super::{
    gate::Gate,
    vector::{
        FIRST_SYSTEM,
        SYSCALL, //
    }, //
};
use crate::decode::symbol::Symbol;
use kernel::prelude::*;

/// The selector of the kernel's code segment (__KERNEL_CS).
const KERNEL_CS: u16 = 0x10;

/// FIRST_EXTERNAL_VECTOR, which is NUM_EXCEPTION_VECTORS, too.
const FIRST_EXTERNAL: u8 = 0x20;

/// The part of the set-up that installed a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// idt_setup_early_handler(): the exceptions that nothing else is installed for.
    EarlyHandler,
    /// idt_setup_early_traps().
    Early,
    /// idt_setup_early_pf().
    EarlyPf,
    /// idt_setup_traps().
    Default,
    /// idt_setup_apic_and_irq_gates(), from its table.
    Apic,
    /// idt_setup_apic_and_irq_gates(), for devices.
    Irq,
    /// idt_setup_apic_and_irq_gates(), for the system vectors that are left.
    Spurious,
    /// idt_install_sysvec(), which the guest support of a hypervisor calls.
    SystemVector,
}

impl Stage {
    /// Returns the name under which the stage is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Stage::EarlyHandler => "early-handler",
            Stage::Early => "early",
            Stage::EarlyPf => "early-pf",
            Stage::Default => "default",
            Stage::Apic => "apic",
            Stage::Irq => "irq",
            Stage::Spurious => "spurious",
            Stage::SystemVector => "system-vector",
        }
    }
}

/// Declares [`Config`] and what of it this kernel has from one row an option.
macro_rules! options {
    ($($variant:ident = $config:ident,)*) => {
        /// An option of the kernel that decides on gates.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        enum Config {
            $($variant,)*
        }

        impl Build {
            /// Returns the options of the kernel that this module is built for.
            const fn of_this_kernel() -> Self {
                let build = Self(0);
                $(let build = if cfg!($config) {
                    build.with(Config::$variant)
                } else {
                    build
                };)*
                build
            }
        }
    };
}

/// The options that a kernel was built with.
#[derive(Clone, Copy, Debug)]
struct Build(u32);

options! {
    AcrnGuest = CONFIG_ACRN_GUEST,
    AmdMemEncrypt = CONFIG_AMD_MEM_ENCRYPT,
    GuestPerfEvents = CONFIG_GUEST_PERF_EVENTS,
    HyperV = CONFIG_HYPERV,
    Ia32Emulation = CONFIG_IA32_EMULATION,
    IntelTdxGuest = CONFIG_INTEL_TDX_GUEST,
    IrqWork = CONFIG_IRQ_WORK,
    Kvm = CONFIG_KVM,
    KvmGuest = CONFIG_KVM_GUEST,
    Smp = CONFIG_SMP,
    X86Cet = CONFIG_X86_CET,
    X86KernelIbt = CONFIG_X86_KERNEL_IBT,
    X86Mce = CONFIG_X86_MCE,
    X86MceAmd = CONFIG_X86_MCE_AMD,
    X86MceThreshold = CONFIG_X86_MCE_THRESHOLD,
    X86PostedMsi = CONFIG_X86_POSTED_MSI,
    X86ThermalVector = CONFIG_X86_THERMAL_VECTOR,
    Xen = CONFIG_XEN,
}

impl Build {
    const fn with(self, config: Config) -> Self {
        Self(self.0 | 1 << config as u8)
    }

    const fn has(self, config: Config) -> bool {
        self.0 & 1 << config as u8 != 0
    }
}

/// The kernel that runs.
const THIS: Build = Build::of_this_kernel();

/// A gate that the source names.
struct Row {
    vector: u8,
    symbol: &'static str,
    dpl: u8,
    ist: u8,
    needs: Option<Config>,
}

impl Row {
    /// Makes the row depend on an option.
    const fn needs(self, config: Config) -> Self {
        Self {
            needs: Some(config),
            ..self
        }
    }
}

/// INTG of idt.c: an interrupt gate.
const fn intg(vector: u8, symbol: &'static str) -> Row {
    Row {
        vector,
        symbol,
        dpl: 0,
        ist: 0,
        needs: None,
    }
}

/// SYSG of idt.c: an interrupt gate that user mode may call.
const fn sysg(vector: u8, symbol: &'static str) -> Row {
    Row {
        dpl: 3,
        ..intg(vector, symbol)
    }
}

/// ISTG of idt.c: an interrupt gate with a stack of its own, of this number as the CPU counts.
const fn istg(vector: u8, symbol: &'static str, ist: u8) -> Row {
    Row {
        ist,
        ..intg(vector, symbol)
    }
}

/// early_idts without #DB, whose gate def_idts replaces.
static EARLY: [Row; 2] = [
    sysg(3, "asm_exc_int3"),
    intg(20, "asm_exc_virtualization_exception").needs(Config::IntelTdxGuest),
];

/// early_pf_idts.
static EARLY_PF: [Row; 1] = [intg(14, "asm_exc_page_fault")];

/// def_idts and ia32_idt.
static DEFAULT: [Row; 21] = [
    intg(0, "asm_exc_divide_error"),
    istg(1, "asm_exc_debug", 3),
    istg(2, "asm_exc_nmi", 2),
    sysg(4, "asm_exc_overflow"),
    intg(5, "asm_exc_bounds"),
    intg(6, "asm_exc_invalid_op"),
    intg(7, "asm_exc_device_not_available"),
    istg(8, "asm_exc_double_fault", 1),
    intg(9, "asm_exc_coproc_segment_overrun"),
    intg(10, "asm_exc_invalid_tss"),
    intg(11, "asm_exc_segment_not_present"),
    intg(12, "asm_exc_stack_segment"),
    intg(13, "asm_exc_general_protection"),
    intg(15, "asm_exc_spurious_interrupt_bug"),
    intg(16, "asm_exc_coprocessor_error"),
    intg(17, "asm_exc_alignment_check"),
    istg(18, "asm_exc_machine_check", 4).needs(Config::X86Mce),
    intg(19, "asm_exc_simd_coprocessor_error"),
    intg(21, "asm_exc_control_protection").needs(Config::X86Cet),
    istg(29, "asm_exc_vmm_communication", 5).needs(Config::AmdMemEncrypt),
    sysg(SYSCALL, "asm_int80_emulation").needs(Config::Ia32Emulation),
];

/// apic_idts.
static APIC: [Row; 17] = [
    intg(0xeb, "asm_sysvec_posted_msi_notification").needs(Config::X86PostedMsi),
    intg(0xec, "asm_sysvec_apic_timer_interrupt"),
    intg(0xf0, "asm_sysvec_kvm_posted_intr_nested_ipi").needs(Config::Kvm),
    intg(0xf1, "asm_sysvec_kvm_posted_intr_wakeup_ipi").needs(Config::Kvm),
    intg(0xf2, "asm_sysvec_kvm_posted_intr_ipi").needs(Config::Kvm),
    intg(0xf4, "asm_sysvec_deferred_error").needs(Config::X86MceAmd),
    intg(0xf5, "asm_sysvec_perf_guest_mediated_pmi_handler").needs(Config::GuestPerfEvents),
    intg(0xf6, "asm_sysvec_irq_work").needs(Config::IrqWork),
    intg(0xf7, "asm_sysvec_x86_platform_ipi"),
    intg(0xf8, "asm_sysvec_reboot").needs(Config::Smp),
    intg(0xf9, "asm_sysvec_threshold").needs(Config::X86MceThreshold),
    intg(0xfa, "asm_sysvec_thermal").needs(Config::X86ThermalVector),
    intg(0xfb, "asm_sysvec_call_function_single").needs(Config::Smp),
    intg(0xfc, "asm_sysvec_call_function").needs(Config::Smp),
    intg(0xfd, "asm_sysvec_reschedule_ipi").needs(Config::Smp),
    intg(0xfe, "asm_sysvec_error_interrupt"),
    intg(0xff, "asm_sysvec_spurious_apic_interrupt"),
];

/// What the support for hypervisors installs if the kernel is a guest of that hypervisor.
static SYSTEM_VECTORS: [Row; 6] = [
    intg(0xed, "asm_sysvec_hyperv_stimer0").needs(Config::HyperV),
    intg(0xee, "asm_sysvec_hyperv_reenlightenment").needs(Config::HyperV),
    intg(0xf3, "asm_sysvec_kvm_asyncpf_interrupt").needs(Config::KvmGuest),
    intg(0xf3, "asm_sysvec_hyperv_callback").needs(Config::HyperV),
    intg(0xf3, "asm_sysvec_acrn_hv_callback").needs(Config::AcrnGuest),
    intg(0xf3, "asm_sysvec_xen_hvm_callback").needs(Config::Xen),
];

static STAGES: [(Stage, &[Row]); 5] = [
    (Stage::Early, &EARLY),
    (Stage::EarlyPf, &EARLY_PF),
    (Stage::Default, &DEFAULT),
    (Stage::Apic, &APIC),
    (Stage::SystemVector, &SYSTEM_VECTORS),
];

/// A gate that may be installed at a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Answer {
    stage: Stage,
    symbol: &'static str,
    /// Where in the symbol the handler begins.
    offset: u64,
    dpl: u8,
    ist: u8,
}

impl Answer {
    /// Returns whether the vector may have another gate, as this one depends on the machine or on
    /// a parameter at boot.
    fn optional(&self, vector: u8) -> bool {
        // int 0x80 can be switched off: ia32_emulation=, and guests that are confidential.
        self.stage == Stage::SystemVector || self.stage == Stage::Default && vector == SYSCALL
    }

    /// Returns whether a gate, whose handler has this symbol, is the one.
    fn is(&self, gate: &Gate, symbol: &Symbol<'_>) -> bool {
        symbol.is_kernels(self.symbol, self.offset)
            && *gate == Gate::interrupt(gate.offset(), KERNEL_CS, self.dpl, self.ist)
    }
}

/// Returns the gates that the source names for a vector.
fn named(vector: u8, build: Build) -> impl Iterator<Item = Answer> {
    STAGES.iter().flat_map(move |&(stage, rows)| {
        rows.iter()
            .filter(move |row| {
                row.vector == vector && row.needs.is_none_or(|config| build.has(config))
            })
            .map(move |row| Answer {
                stage,
                symbol: row.symbol,
                offset: 0,
                dpl: row.dpl,
                ist: row.ist,
            })
    })
}

/// Returns the gate that a vector has if nothing else was installed.
fn left_over(vector: u8, build: Build) -> Answer {
    let endbr = if build.has(Config::X86KernelIbt) {
        4
    } else {
        0
    };
    // EARLY_IDT_HANDLER_SIZE of asm/segment.h and IDT_ALIGN of asm/idtentry.h.
    let early_size = 9 + endbr;
    let entry_size = 8 + 2 * endbr;
    let (stage, symbol, first, size) = if vector < FIRST_EXTERNAL {
        (
            Stage::EarlyHandler,
            "early_idt_handler_array",
            0,
            early_size,
        )
    } else if vector < FIRST_SYSTEM {
        (Stage::Irq, "irq_entries_start", FIRST_EXTERNAL, entry_size)
    } else {
        (
            Stage::Spurious,
            "spurious_entries_start",
            FIRST_SYSTEM,
            entry_size,
        )
    };

    Answer {
        stage,
        symbol,
        offset: size * u64::from(vector.saturating_sub(first)),
        dpl: 0,
        ist: 0,
    }
}

/// Returns all gates that a vector may have.
fn answers(vector: u8, build: Build) -> impl Iterator<Item = Answer> {
    let settled = named(vector, build).any(|answer| !answer.optional(vector));

    // By its full name: Init of pin_init has a method of that name for everything.
    Iterator::chain(
        named(vector, build),
        (!settled).then(|| left_over(vector, build)),
    )
}

/// Returns the stage that installed a gate, whose handler has this symbol.
///
/// `None`: the gate is none that Linux 7.3 installs at that vector, by its handler or otherwise.
pub(crate) fn stage_of(vector: u8, gate: &Gate, symbol: Option<&Symbol<'_>>) -> Option<Stage> {
    let symbol = symbol?;

    answers(vector, THIS)
        .find(|answer| answer.is(gate, symbol))
        .map(|answer| answer.stage)
}

/// Returns whether a gate, whose handler has this symbol, is one that Linux 7.3 installs there.
pub(crate) fn agrees(vector: u8, gate: &Gate, symbol: Option<&Symbol<'_>>) -> bool {
    stage_of(vector, gate, symbol).is_some()
}

#[kunit_tests(trapscope_idt_expected)]
mod tests {
    use super::*;

    const NOTHING: Build = Build(0);
    const EVERYTHING: Build = Build(u32::MAX);

    /// Somewhere in the kernel image.
    const ADDRESS: u64 = 0xffff_ffff_8180_1240;

    fn only(vector: u8, build: Build) -> Option<Answer> {
        let mut all = answers(vector, build);
        all.next().filter(|_| all.next().is_none())
    }

    fn first(vector: u8, build: Build) -> Option<Answer> {
        answers(vector, build).next()
    }

    fn stage(vector: u8, build: Build) -> Option<Stage> {
        only(vector, build).map(|answer| answer.stage)
    }

    #[test]
    fn every_vector_has_an_answer() {
        for build in [NOTHING, EVERYTHING, THIS] {
            for vector in 0..=u8::MAX {
                assert!(first(vector, build).is_some());
                // Whatever is not settled by the source has an entry for the rest.
                let settled = answers(vector, build).any(|a| !a.optional(vector));
                assert!(settled);
            }
        }
    }

    #[test]
    fn rows_do_not_contradict_each_other() {
        for vector in 0..=u8::MAX {
            let settled = named(vector, EVERYTHING).filter(|a| !a.optional(vector));
            let optional = named(vector, EVERYTHING).filter(|a| a.optional(vector));
            let (settled, optional) = (settled.count(), optional.count());
            assert!(settled <= 1);
            assert!(settled == 0 || optional == 0);
        }
    }

    #[test]
    fn each_handler_is_named_once() {
        let all = || STAGES.iter().flat_map(|(_, rows)| rows.iter());
        for row in all() {
            assert_eq!(all().filter(|r| r.symbol == row.symbol).count(), 1);
            assert!(row.symbol.starts_with("asm_"));
        }
    }

    #[test]
    fn stages_suit_the_vectors() {
        for build in [NOTHING, EVERYTHING, THIS] {
            for vector in 0..=u8::MAX {
                for answer in answers(vector, build) {
                    let suits = match answer.stage {
                        Stage::EarlyHandler | Stage::Early => vector < 32,
                        Stage::EarlyPf => vector == 14,
                        Stage::Default => vector < 32 || vector == 0x80,
                        Stage::Irq => (32..0xeb).contains(&vector),
                        Stage::Apic | Stage::Spurious | Stage::SystemVector => vector >= 0xeb,
                    };
                    assert!(suits);
                }
            }
        }
    }

    #[test]
    fn exceptions_with_stacks_and_privilege() {
        let with = |vector| first(vector, EVERYTHING).map(|a| (a.dpl, a.ist));
        for vector in 0..32 {
            let expected = match vector {
                // Debug, NMI, double fault, machine check, VMM communication.
                1 => (0, 3),
                2 => (0, 2),
                8 => (0, 1),
                18 => (0, 4),
                29 => (0, 5),
                // int3 and into are instructions of user mode.
                3 | 4 => (3, 0),
                _ => (0, 0),
            };
            assert_eq!(with(vector), Some(expected));
        }
        for vector in 32..=u8::MAX {
            let expected = if vector == 0x80 { (3, 0) } else { (0, 0) };
            assert_eq!(with(vector), Some(expected));
        }
    }

    #[test]
    fn options_decide_on_exceptions() {
        let cases = [
            (18, Config::X86Mce, Stage::Default),
            (20, Config::IntelTdxGuest, Stage::Early),
            (21, Config::X86Cet, Stage::Default),
            (29, Config::AmdMemEncrypt, Stage::Default),
        ];
        for (vector, config, with) in cases {
            assert_eq!(stage(vector, NOTHING), Some(Stage::EarlyHandler));
            assert_eq!(stage(vector, NOTHING.with(config)), Some(with));
        }
        for vector in (0..20).filter(|&vector| vector != 18) {
            assert!(stage(vector, NOTHING).is_some_and(|s| s != Stage::EarlyHandler));
            assert_eq!(only(vector, NOTHING), only(vector, EVERYTHING));
        }
        for vector in (22..32).filter(|&vector| vector != 29) {
            assert_eq!(stage(vector, EVERYTHING), Some(Stage::EarlyHandler));
        }
    }

    #[test]
    fn options_decide_on_system_vectors() {
        let cases = [
            (0xeb, Config::X86PostedMsi),
            (0xf0, Config::Kvm),
            (0xf1, Config::Kvm),
            (0xf2, Config::Kvm),
            (0xf4, Config::X86MceAmd),
            (0xf5, Config::GuestPerfEvents),
            (0xf6, Config::IrqWork),
            (0xf8, Config::Smp),
            (0xf9, Config::X86MceThreshold),
            (0xfa, Config::X86ThermalVector),
            (0xfb, Config::Smp),
            (0xfc, Config::Smp),
            (0xfd, Config::Smp),
        ];
        for (vector, config) in cases {
            assert_eq!(stage(vector, NOTHING), Some(Stage::Spurious));
            assert_eq!(stage(vector, NOTHING.with(config)), Some(Stage::Apic));
        }
        for vector in [0xec, 0xf7, 0xfe, 0xff] {
            assert_eq!(stage(vector, NOTHING), Some(Stage::Apic));
        }
        assert_eq!(stage(0xef, EVERYTHING), Some(Stage::Spurious));
    }

    #[test]
    fn hypervisors_may_or_may_not_be_there() {
        let cases = [
            (0xed, Config::HyperV),
            (0xee, Config::HyperV),
            (0xf3, Config::HyperV),
            (0xf3, Config::KvmGuest),
            (0xf3, Config::AcrnGuest),
            (0xf3, Config::Xen),
        ];
        for (vector, config) in cases {
            assert_eq!(stage(vector, NOTHING), Some(Stage::Spurious));
            let stages = || answers(vector, NOTHING.with(config)).map(|a| a.stage);
            assert!(stages().eq([Stage::SystemVector, Stage::Spurious]));
        }
        assert_eq!(answers(0xf3, EVERYTHING).count(), 5);
    }

    #[test]
    fn int80_may_be_switched_off() {
        assert_eq!(stage(0x80, NOTHING), Some(Stage::Irq));
        let stages = answers(0x80, NOTHING.with(Config::Ia32Emulation)).map(|a| a.stage);
        assert!(stages.eq([Stage::Default, Stage::Irq]));
    }

    #[test]
    fn entries_have_the_size_of_the_build() {
        let ibt = NOTHING.with(Config::X86KernelIbt);
        let place = |vector, build| only(vector, build).map(|a| (a.symbol, a.offset));
        let early = "early_idt_handler_array";
        assert_eq!(place(31, NOTHING), Some((early, 31 * 9)));
        assert_eq!(place(31, ibt), Some((early, 31 * 13)));
        let irq = "irq_entries_start";
        assert_eq!(place(0x20, NOTHING), Some((irq, 0)));
        assert_eq!(place(0x21, NOTHING), Some((irq, 8)));
        assert_eq!(place(0xea, NOTHING), Some((irq, 202 * 8)));
        assert_eq!(place(0xea, ibt), Some((irq, 202 * 16)));
        let spurious = "spurious_entries_start";
        assert_eq!(place(0xeb, NOTHING), Some((spurious, 0)));
        assert_eq!(place(0xef, NOTHING), Some((spurious, 4 * 8)));
        assert_eq!(place(0xef, ibt), Some((spurious, 4 * 16)));
    }

    #[test]
    fn every_answer_agrees_with_itself_alone() {
        for vector in 0..=u8::MAX {
            for answer in answers(vector, THIS) {
                let symbol = Symbol {
                    name: answer.symbol.as_bytes(),
                    offset: answer.offset,
                    module: None,
                };
                let gate = Gate::interrupt(ADDRESS, KERNEL_CS, answer.dpl, answer.ist);
                assert!(agrees(vector, &gate, Some(&symbol)));
                assert_eq!(stage_of(vector, &gate, Some(&symbol)), Some(answer.stage));

                let others = [
                    Gate::interrupt(ADDRESS, KERNEL_CS, answer.dpl ^ 3, answer.ist),
                    Gate::interrupt(ADDRESS, KERNEL_CS, answer.dpl, answer.ist ^ 1),
                    Gate::interrupt(ADDRESS, KERNEL_CS + 8, answer.dpl, answer.ist),
                ];
                for other in others {
                    assert!(!agrees(vector, &other, Some(&symbol)));
                }
                // Any bit but those of the offset: type, S, present, zeros, reserved.
                for bit in (16..128).filter(|bit| !(48..96).contains(bit)) {
                    let raw = u128::from_le_bytes(gate.encode()) ^ 1 << bit;
                    let other = Gate::decode(raw.to_le_bytes());
                    assert!(!agrees(vector, &other, Some(&symbol)));
                }

                let symbols = [
                    Symbol {
                        name: b"do_something_else",
                        ..symbol
                    },
                    Symbol {
                        offset: symbol.offset + 1,
                        ..symbol
                    },
                    Symbol {
                        module: Some(b"altered"),
                        ..symbol
                    },
                ];
                for other in symbols {
                    assert!(!agrees(vector, &gate, Some(&other)));
                }
                assert!(!agrees(vector, &gate, None));
                assert_eq!(stage_of(vector, &gate, None), None);
            }
        }
    }

    #[test]
    fn this_kernel_has_its_options() {
        assert_eq!(THIS.has(Config::Smp), cfg!(CONFIG_SMP));
        assert_eq!(THIS.has(Config::Xen), cfg!(CONFIG_XEN));
        assert_eq!(THIS.has(Config::X86KernelIbt), cfg!(CONFIG_X86_KERNEL_IBT));
        // What Linux needs itself is there on each 64-bit kernel.
        assert_eq!(stage(0xec, THIS), Some(Stage::Apic));
    }

    #[test]
    fn stage_names_are_unique_words() {
        let names = [
            Stage::EarlyHandler,
            Stage::Early,
            Stage::EarlyPf,
            Stage::Default,
            Stage::Apic,
            Stage::Irq,
            Stage::Spurious,
            Stage::SystemVector,
        ]
        .map(Stage::name);
        for (position, name) in names.iter().enumerate() {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert!(names.iter().skip(position + 1).all(|other| other != name));
        }
    }
}
