// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a gate or with an IDTR.

use super::{
    expected::agrees,
    gate::Gate,
    Place,
    LIMIT, //
};
use crate::decode::symbol::Symbol;
use core::fmt;
use kernel::prelude::*;

/// X86_TRAP_PF.
const PAGE_FAULT: u8 = 14;

/// HYPERVISOR_CALLBACK_VECTOR.
const HYPERVISOR_CALLBACK: u8 = 0xf3;

/// The limit that a VM exit sets (SDM Vol. 3C, "Loading Host Segment and Descriptor-Table
/// Registers").
///
/// Linux leaves it so, even when it is done with VMX: there are no vectors behind [`LIMIT`].
const VM_EXIT_LIMIT: u16 = 0xffff;

/// Declares a set of reasons from one row a reason.
macro_rules! reasons {
    (
        $(#[$doc:meta])*
        $set:ident {
            $($(#[$reason_doc:meta])* $reason:ident = $bit:literal $word:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) struct $set(u8);

        impl $set {
            $($(#[$reason_doc])* pub(crate) const $reason: Self = Self(1 << $bit);)*

            /// Returns the reasons for which the condition holds.
            fn of<const N: usize>(reasons: [(bool, Self); N]) -> Self {
                Self(
                    reasons
                        .iter()
                        .filter(|(holds, _)| *holds)
                        .fold(0, |bits, (_, reason)| bits | reason.0),
                )
            }

            /// Returns whether there is no reason.
            pub(crate) const fn is_empty(self) -> bool {
                self.0 == 0
            }
        }

        /// Writes the words of the reasons with commas between them.
        impl fmt::Display for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let words = [$(($set::$reason, $word),)*];
                let mut comma = "";
                for (_, word) in words.iter().filter(|(reason, _)| self.0 & reason.0 != 0) {
                    write!(f, "{comma}{word}")?;
                    comma = ",";
                }
                Ok(())
            }
        }
    };
}

reasons! {
    /// What is wrong with a gate.
    GateReasons {
        /// It is not as it was.
        CHANGED = 0 "changed",
        /// It is none that Linux 7.3 has there.
        UNEXPECTED = 1 "unexpected",
        /// Its handler is not in the kernel image.
        OUTSIDE_IMAGE = 2 "outside-image",
        /// It is the one for page faults, and does not lead to their entry.
        PAGE_FAULT = 3 "page-fault",
        /// It is the one by which KVM says that a page is there, and does not lead to the entry.
        ASYNC_PF = 4 "async-pf",
        /// It can't be read.
        UNREADABLE = 5 "unreadable",
    }
}

reasons! {
    /// What is wrong with an IDTR.
    IdtrReasons {
        /// The base is not as it was, or not where Linux 7.3 has its table.
        BASE = 0 "base",
        /// The base maps another page than before, or none of the kernel's table.
        PAGE = 1 "page",
        /// The limit is none that Linux 7.3 or a VM exit sets.
        LIMIT = 2 "limit",
    }
}

/// What has to be known besides a gate to judge it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The handler is in the kernel image.
    pub(crate) in_image: bool,
    /// The CPU is a KVM guest's, and told KVM to send it asynchronous page faults.
    pub(crate) async_page_faults: bool,
}

/// Judges a gate, whose handler has this symbol.
///
/// Without a baseline it is not compared with one.
pub(crate) fn judge_gate(
    vector: u8,
    baseline: Option<&Gate>,
    live: &Gate,
    symbol: Option<&Symbol<'_>>,
    facts: &Facts,
) -> GateReasons {
    let misses = |name| !symbol.is_some_and(|symbol| symbol.is_kernels(name, 0));
    let awaited = vector == HYPERVISOR_CALLBACK && facts.async_page_faults;

    GateReasons::of([
        (
            baseline.is_some_and(|baseline| baseline != live),
            GateReasons::CHANGED,
        ),
        (!agrees(vector, live, symbol), GateReasons::UNEXPECTED),
        // The CPU does not go where a gate that is not present points.
        (
            live.present() && !facts.in_image,
            GateReasons::OUTSIDE_IMAGE,
        ),
        (
            vector == PAGE_FAULT && misses("asm_exc_page_fault"),
            GateReasons::PAGE_FAULT,
        ),
        (
            awaited && misses("asm_sysvec_kvm_asyncpf_interrupt"),
            GateReasons::ASYNC_PF,
        ),
    ])
}

/// Where the kernel's own table has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// CPU_ENTRY_AREA_RO_IDT, or the base of trapscope's own table.
    pub(crate) base: u64,
    /// The page that the base maps is the right one, as far as the image and kallsyms tell.
    pub(crate) page_fits: bool,
}

/// Judges the IDTR of a CPU, and the page that its base maps.
///
/// `vmx`: the CPU has VMX, so that it may have run virtual machines. Without a baseline nothing is
/// compared with one. A page is only wrong where the base is right: elsewhere it is another anyway.
pub(crate) fn judge_idtr(
    baseline: Option<Place>,
    live: Place,
    vmx: bool,
    home: Home,
) -> IdtrReasons {
    let moved = baseline.is_some_and(|baseline| baseline.idtr.base != live.idtr.base);
    let remapped = baseline.is_some_and(|baseline| baseline.page != live.page);
    let misplaced = moved || live.idtr.base != home.base;
    let limit = live.idtr.limit;
    let limit_fits = limit == LIMIT || vmx && limit == VM_EXIT_LIMIT;

    IdtrReasons::of([
        (misplaced, IdtrReasons::BASE),
        (
            !misplaced && (remapped || !home.page_fits),
            IdtrReasons::PAGE,
        ),
        (!limit_fits, IdtrReasons::LIMIT),
    ])
}

#[kunit_tests(trapscope_idt_check)]
mod tests {
    use super::*;
    use crate::decode::idt::Idtr;
    use crate::decode::printed::prints;

    const ADDRESS: u64 = 0xffff_ffff_8180_1240;
    const BASE: u64 = 0xffff_fe00_0000_0000;

    const SOUND: Facts = Facts {
        in_image: true,
        async_page_faults: false,
    };

    const NONE: GateReasons = GateReasons(0);

    fn kernels(name: &'static [u8]) -> Symbol<'static> {
        Symbol {
            name,
            offset: 0,
            module: None,
        }
    }

    fn gate() -> Gate {
        Gate::interrupt(ADDRESS, 0x10, 0, 0)
    }

    fn with(reasons: &[GateReasons]) -> GateReasons {
        GateReasons(reasons.iter().fold(0, |bits, reason| bits | reason.0))
    }

    /// Fails to format as soon as the text is not the expected one.
    #[test]
    fn a_sound_gate() {
        let handler = kernels(b"asm_exc_page_fault");
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&handler), &SOUND);
        assert_eq!(judged, NONE);
        assert!(judged.is_empty());
        let judged = judge_gate(14, None, &gate(), Some(&handler), &SOUND);
        assert_eq!(judged, NONE);
        // Async page faults matter to one vector only.
        let facts = Facts {
            async_page_faults: true,
            ..SOUND
        };
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&handler), &facts);
        assert_eq!(judged, NONE);
    }

    #[test]
    fn changed() {
        let handler = kernels(b"asm_exc_page_fault");
        let before = gate().with_offset(ADDRESS + 0x20);
        let judged = judge_gate(14, Some(&before), &gate(), Some(&handler), &SOUND);
        assert_eq!(judged, GateReasons::CHANGED);
        assert!(!judged.is_empty());
    }

    #[test]
    fn unexpected() {
        let handler = kernels(b"asm_exc_general_protection");
        let judged = judge_gate(0, Some(&gate()), &gate(), Some(&handler), &SOUND);
        assert_eq!(judged, GateReasons::UNEXPECTED);
        // The right handler, but user mode may call it.
        let open = Gate::interrupt(ADDRESS, 0x10, 3, 0);
        let handler = kernels(b"asm_exc_page_fault");
        let judged = judge_gate(14, Some(&open), &open, Some(&handler), &SOUND);
        assert_eq!(judged, GateReasons::UNEXPECTED);
    }

    #[test]
    fn outside_image() {
        let facts = Facts {
            in_image: false,
            ..SOUND
        };
        let handler = kernels(b"asm_exc_page_fault");
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&handler), &facts);
        assert_eq!(judged, GateReasons::OUTSIDE_IMAGE);
        // A gate that is not present leads nowhere.
        let absent = Gate::decode([0; 16]);
        let judged = judge_gate(0, Some(&absent), &absent, None, &facts);
        assert_eq!(judged, GateReasons::UNEXPECTED);
    }

    #[test]
    fn page_fault() {
        let both = with(&[GateReasons::UNEXPECTED, GateReasons::PAGE_FAULT]);
        let handler = kernels(b"asm_exc_general_protection");
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&handler), &SOUND);
        assert_eq!(judged, both);
        // Past the first instruction of the entry, and in a module that uses its name.
        let behind = Symbol {
            offset: 4,
            ..kernels(b"asm_exc_page_fault")
        };
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&behind), &SOUND);
        assert_eq!(judged, both);
        let foreign = Symbol {
            module: Some(b"evil"),
            ..kernels(b"asm_exc_page_fault")
        };
        let judged = judge_gate(14, Some(&gate()), &gate(), Some(&foreign), &SOUND);
        assert_eq!(judged, both);
        let judged = judge_gate(14, Some(&gate()), &gate(), None, &SOUND);
        assert_eq!(judged, both);
    }

    #[test]
    fn async_page_fault() {
        let facts = Facts {
            async_page_faults: true,
            ..SOUND
        };
        // Where nothing is installed, which is right as long as the guest awaits nothing.
        let entry_size = if cfg!(CONFIG_X86_KERNEL_IBT) { 16 } else { 8 };
        let spurious = Symbol {
            offset: entry_size * (0xf3 - 0xeb),
            ..kernels(b"spurious_entries_start")
        };
        let judge = |facts| judge_gate(0xf3, Some(&gate()), &gate(), Some(&spurious), facts);
        assert_eq!(judge(&SOUND), NONE);
        assert_eq!(judge(&facts), GateReasons::ASYNC_PF);

        let handler = kernels(b"asm_sysvec_kvm_asyncpf_interrupt");
        let judged = judge_gate(0xf3, Some(&gate()), &gate(), Some(&handler), &facts);
        let expected = if cfg!(CONFIG_KVM_GUEST) {
            NONE
        } else {
            GateReasons::UNEXPECTED
        };
        assert_eq!(judged, expected);
    }

    #[test]
    fn everything_at_once() {
        let facts = Facts {
            in_image: false,
            async_page_faults: true,
        };
        let handler = Symbol {
            module: Some(b"altered"),
            ..kernels(b"altered")
        };
        let live = gate().with_offset(0xffff_ffff_c000_0000);
        let judged = judge_gate(14, Some(&gate()), &live, Some(&handler), &facts);
        assert!(prints(
            judged,
            "changed,unexpected,outside-image,page-fault"
        ));
        let judged = judge_gate(0xf3, Some(&gate()), &live, Some(&handler), &facts);
        assert!(prints(judged, "changed,unexpected,outside-image,async-pf"));
    }

    #[test]
    fn words() {
        assert!(prints(NONE, ""));
        assert!(prints(GateReasons::CHANGED, "changed"));
        assert!(prints(GateReasons::UNEXPECTED, "unexpected"));
        assert!(prints(GateReasons::OUTSIDE_IMAGE, "outside-image"));
        assert!(prints(GateReasons::PAGE_FAULT, "page-fault"));
        assert!(prints(GateReasons::ASYNC_PF, "async-pf"));
        assert!(prints(GateReasons::UNREADABLE, "unreadable"));
        assert!(prints(IdtrReasons::BASE, "base"));
        assert!(prints(IdtrReasons::PAGE, "page"));
        assert!(prints(IdtrReasons::LIMIT, "limit"));
    }

    const PAGE: Option<u64> = Some(0xffff_ffff_82c5_e000);

    const HOME: Home = Home {
        base: BASE,
        page_fits: true,
    };

    fn place(base: u64, limit: u16, page: Option<u64>) -> Place {
        Place {
            idtr: Idtr { base, limit },
            page,
        }
    }

    #[test]
    fn registers() {
        let judge = |before: (u64, u16), after: (u64, u16), vmx| {
            let place = |(base, limit)| place(base, limit, PAGE);
            judge_idtr(Some(place(before)), place(after), vmx, HOME)
        };
        let sound = (BASE, 0xfff);
        assert!(judge(sound, sound, false).is_empty());
        assert!(judge(sound, sound, true).is_empty());

        // Moved, moved back, and wrong from the start.
        let moved = (0xffff_8880_03e1_a000, 0xfff);
        assert_eq!(judge(sound, moved, false), IdtrReasons::BASE);
        assert_eq!(judge(moved, sound, false), IdtrReasons::BASE);
        assert_eq!(judge(moved, moved, false), IdtrReasons::BASE);

        for limit in [0, 0x7ff, 0xffe, 0x1000, 0xfffe] {
            assert_eq!(judge(sound, (BASE, limit), false), IdtrReasons::LIMIT);
            assert_eq!(judge(sound, (BASE, limit), true), IdtrReasons::LIMIT);
        }
        let exited = (BASE, 0xffff);
        assert_eq!(judge(sound, exited, false), IdtrReasons::LIMIT);
        assert!(judge(sound, exited, true).is_empty());
        assert!(judge(exited, exited, true).is_empty());
        assert!(judge(exited, sound, true).is_empty());

        assert!(prints(judge(sound, (0, 0), false), "base,limit"));
    }

    #[test]
    fn registers_without_a_baseline() {
        let live = |base| place(base, 0xfff, PAGE);
        assert!(judge_idtr(None, live(BASE), false, HOME).is_empty());
        assert_eq!(
            judge_idtr(None, live(BASE + 0x1000), false, HOME),
            IdtrReasons::BASE
        );
    }

    #[test]
    fn pages() {
        let sound = place(BASE, 0xfff, PAGE);
        let judge = |before, after, page_fits| {
            judge_idtr(Some(before), after, false, Home { page_fits, ..HOME })
        };
        // Mapped elsewhere, to nothing, or wrong from the start.
        for page in [Some(0xffff_8880_0123_4000), None] {
            let remapped = place(BASE, 0xfff, page);
            assert_eq!(judge(sound, remapped, true), IdtrReasons::PAGE);
            assert_eq!(judge(remapped, remapped, false), IdtrReasons::PAGE);
        }
        assert_eq!(judge(sound, sound, false), IdtrReasons::PAGE);
        // With another base it is another page anyway.
        let moved = place(0xffff_8880_03e1_a000, 0xfff, Some(0xffff_8880_03e1_a000));
        assert_eq!(judge(sound, moved, false), IdtrReasons::BASE);
        assert!(prints(
            judge(sound, place(BASE, 0, None), true),
            "page,limit"
        ));
    }
}
