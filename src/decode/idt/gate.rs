// SPDX-License-Identifier: GPL-2.0

//! Gates of the interrupt descriptor table in 64-bit mode.
//!
//! The layout is that of the SDM, Vol. 3A, "64-Bit Mode IDT", and of struct gate_struct.
//!
//! C header: [`arch/x86/include/asm/desc_defs.h`](srctree/arch/x86/include/asm/desc_defs.h)

use super::GATE_BYTES;
use core::fmt;
use kernel::{
    bitfield,
    num::Bounded,
    prelude::*, //
};

bitfield! {
    /// The eight bytes that the gate begins with, which are all of it in 32-bit mode.
    pub(super) struct Head(u64) {
        63:48 offset_middle;
        47:47 present;
        46:45 dpl;
        /// With the bit above the type (S), which is 0 for every gate.
        44:40 gate_type => GateType;
        39:35 zero;
        /// Reserved in 32-bit mode.
        34:32 ist;
        31:16 selector;
        15:0 offset_low;
    }
}

impl Head {
    /// Returns the lower half of the handler's address.
    pub(super) fn offset(self) -> u32 {
        u32::from(self.offset_middle()) << 16 | u32::from(self.offset_low())
    }

    /// Sets the lower half of the handler's address.
    pub(super) fn with_offset(self, offset: u32) -> Self {
        self.with_offset_low(offset as u16)
            .with_offset_middle((offset >> 16) as u16)
    }

    /// Returns how Linux classes the gate.
    pub(super) fn class(self) -> Option<Class> {
        match (self.gate_type(), u8::from(self.dpl())) {
            (GateType::Interrupt, 0) => Some(Class::Interrupt),
            (GateType::Interrupt, 3) => Some(Class::SystemInterrupt),
            (GateType::Trap, 0) => Some(Class::Trap),
            (GateType::Trap, 3) => Some(Class::System),
            (GateType::Task, _) => Some(Class::Task),
            _ => None,
        }
    }
}

bitfield! {
    /// The eight bytes that 64-bit mode added.
    struct Tail(u64) {
        63:32 reserved;
        31:0 offset_high;
    }
}

/// The type of a gate, as Intel names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GateType {
    /// Interrupts are off in the handler.
    Interrupt,
    /// Interrupts stay as they were.
    Trap,
    /// Switches to another task; 32-bit mode only.
    Task,
    /// No gate that the IDT of a 32-bit or 64-bit kernel has.
    Other(u8),
}

impl From<Bounded<u64, 5>> for GateType {
    fn from(code: Bounded<u64, 5>) -> Self {
        match u8::from(code) {
            0xe => GateType::Interrupt,
            0xf => GateType::Trap,
            0x5 => GateType::Task,
            other => GateType::Other(other),
        }
    }
}

impl From<GateType> for Bounded<u64, 5> {
    fn from(gate_type: GateType) -> Self {
        let code: u8 = match gate_type {
            GateType::Interrupt => 0xe,
            GateType::Trap => 0xf,
            GateType::Task => 0x5,
            GateType::Other(other) => other,
        };

        Bounded::from_expr(u64::from(code) & 0x1f)
    }
}

impl fmt::Display for GateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateType::Interrupt => f.write_str("interrupt"),
            GateType::Trap => f.write_str("trap"),
            GateType::Task => f.write_str("task"),
            GateType::Other(other) => write!(f, "{other:#x}"),
        }
    }
}

/// What Linux calls a gate, by type and privilege (arch/x86/kernel/idt.c, and the functions
/// set_intr_gate() and so on of the kernels before 4.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// An interrupt gate that user mode can't call.
    Interrupt,
    /// An interrupt gate that user mode may call.
    SystemInterrupt,
    /// A trap gate that user mode can't call.
    Trap,
    /// A trap gate that user mode may call.
    System,
    /// A task gate.
    Task,
}

impl Class {
    /// Returns the name under which the class is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Class::Interrupt => "interrupt-gate",
            Class::SystemInterrupt => "system-interrupt-gate",
            Class::Trap => "trap-gate",
            Class::System => "system-gate",
            Class::Task => "task-gate",
        }
    }
}

/// A gate of 64-bit mode; keeps every bit, the reserved ones too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gate {
    head: Head,
    tail: Tail,
}

impl Gate {
    /// Returns the gate that 16 bytes of memory hold.
    pub(crate) const fn decode(raw: [u8; GATE_BYTES]) -> Self {
        let value = u128::from_le_bytes(raw);

        Self {
            head: Head::from_raw(value as u64),
            tail: Tail::from_raw((value >> 64) as u64),
        }
    }

    /// Returns the 16 bytes of memory that hold the gate, as pack_gate() made them.
    pub(crate) const fn encode(self) -> [u8; GATE_BYTES] {
        let head = self.head.into_raw() as u128;
        let tail = self.tail.into_raw() as u128;

        (tail << 64 | head).to_le_bytes()
    }

    /// Returns a present interrupt gate.
    ///
    /// Only the bits of `dpl` (two) and `ist` (three) that the gate has room for count.
    pub(crate) fn interrupt(offset: u64, selector: u16, dpl: u8, ist: u8) -> Self {
        let gate = Self {
            head: Head::zeroed()
                .with_selector(selector)
                .with_ist(Bounded::<u64, 3>::from_expr(u64::from(ist) & 7))
                .with_gate_type(GateType::Interrupt)
                .with_dpl(Bounded::<u64, 2>::from_expr(u64::from(dpl) & 3))
                .with_present(true),
            tail: Tail::zeroed(),
        };

        gate.with_offset(offset)
    }

    /// Returns the address of the handler.
    pub(crate) fn offset(self) -> u64 {
        u64::from(self.tail.offset_high()) << 32 | u64::from(self.head.offset())
    }

    /// Returns the same gate with another handler.
    pub(crate) fn with_offset(self, offset: u64) -> Self {
        Self {
            head: self.head.with_offset(offset as u32),
            tail: self.tail.with_offset_high((offset >> 32) as u32),
        }
    }

    /// Returns the selector of the handler's code segment.
    pub(crate) fn selector(self) -> u16 {
        self.head.selector().into()
    }

    /// Returns the index of the stack that the CPU switches to; 0: none.
    pub(crate) fn ist(self) -> u8 {
        self.head.ist().into()
    }

    /// Returns the name of the stack that the CPU switches to (IST_INDEX_DF and so on of
    /// asm/page_64_types.h), `-` if it does not, `?` if Linux has none of that index.
    pub(crate) fn stack(self) -> &'static str {
        match self.ist() {
            0 => "-",
            1 => "DF",
            2 => "NMI",
            3 => "DB",
            4 => "MCE",
            5 => "VC",
            _ => "?",
        }
    }

    /// Returns the type.
    pub(crate) fn gate_type(self) -> GateType {
        self.head.gate_type()
    }

    /// Returns the least privileged level that may call the gate by an instruction.
    pub(crate) fn dpl(self) -> u8 {
        self.head.dpl().into()
    }

    /// Returns whether the gate can be used.
    pub(crate) fn present(self) -> bool {
        self.head.present().into_bool()
    }

    /// Returns how Linux classes the gate; `None` if it has no name for it.
    pub(crate) fn class(self) -> Option<Class> {
        self.head.class()
    }
}

#[kunit_tests(trapscope_idt_gate)]
mod tests {
    use super::*;
    use crate::decode::printed::prints;

    /// Gate 14 of a kernel that has its handler at 0xffffffff81801240.
    const PAGE_FAULT: [u8; 16] = [
        // Offset 15..0, low byte first.
        0x40, 0x12, //
        // Selector 0x10: the third descriptor of the GDT (index 2, TI 0, RPL 0).
        0x10, 0x00, //
        // IST 0 in the low three bits, zeros in the others.
        0x00, //
        // P 1, DPL 00, 0, type 1110: 1000_1110.
        0x8e, //
        // Offset 31..16.
        0x80, 0x81, //
        // Offset 63..32.
        0xff, 0xff, 0xff, 0xff, //
        // Reserved.
        0x00, 0x00, 0x00, 0x00,
    ];

    /// A gate with something else in each part.
    const ODD: [u8; 16] = [
        // Offset 15..0 = 0x2211.
        0x11, 0x22, //
        // Selector 0xb3a2.
        0xa2, 0xb3, //
        // Zeros 10101, IST 011: 1010_1011.
        0xab, //
        // P 0, DPL 10, 0, type 1100: 0100_1100.
        0x4c, //
        // Offset 31..16 = 0x4433.
        0x33, 0x44, //
        // Offset 63..32 = 0x88776655.
        0x55, 0x66, 0x77, 0x88, //
        // Reserved = 0xfcedbe0f.
        0x0f, 0xbe, 0xed, 0xfc,
    ];

    /// Returns [`ODD`] with other bytes at 4 (IST) and 5 (attributes).
    fn with_bytes(ist: u8, attributes: u8) -> [u8; 16] {
        let mut raw = ODD;
        raw[4] = ist;
        raw[5] = attributes;
        raw
    }

    /// Fails to format as soon as the text is not the expected one.
    #[test]
    fn page_fault_gate() {
        let gate = Gate::decode(PAGE_FAULT);
        assert_eq!(gate.offset(), 0xffff_ffff_8180_1240);
        assert_eq!(gate.selector(), 0x10);
        assert_eq!(gate.ist(), 0);
        assert_eq!(gate.stack(), "-");
        assert_eq!(gate.gate_type(), GateType::Interrupt);
        assert_eq!(gate.dpl(), 0);
        assert!(gate.present());
        assert_eq!(gate.class(), Some(Class::Interrupt));
        assert_eq!(gate.encode(), PAGE_FAULT);
        assert_eq!(Gate::interrupt(0xffff_ffff_8180_1240, 0x10, 0, 0), gate);
    }

    #[test]
    fn each_part_has_its_place() {
        let gate = Gate::decode(ODD);
        assert_eq!(gate.offset(), 0x8877_6655_4433_2211);
        assert_eq!(gate.selector(), 0xb3a2);
        assert_eq!(gate.ist(), 3);
        assert_eq!(gate.stack(), "DB");
        assert_eq!(gate.gate_type(), GateType::Other(0xc));
        assert_eq!(gate.dpl(), 2);
        assert!(!gate.present());
        assert_eq!(gate.class(), None);
        assert_eq!(gate.encode(), ODD);
    }

    #[test]
    fn double_fault_and_breakpoint_gates() {
        // Offset 0xffffffff82345678, selector 0x10, IST 1; P 1, DPL 00, type 1110: 0x8e.
        let double_fault = [
            0x78, 0x56, 0x10, 0x00, 0x01, 0x8e, 0x34, 0x82, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ];
        let gate = Gate::interrupt(0xffff_ffff_8234_5678, 0x10, 0, 1);
        assert_eq!(gate.encode(), double_fault);
        assert_eq!(gate.stack(), "DF");
        // The same address, IST 0; P 1, DPL 11, type 1110: 1110_1110 = 0xee.
        let breakpoint = [
            0x78, 0x56, 0x10, 0x00, 0x00, 0xee, 0x34, 0x82, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ];
        let gate = Gate::interrupt(0xffff_ffff_8234_5678, 0x10, 3, 0);
        assert_eq!(gate.encode(), breakpoint);
        assert_eq!(gate.class(), Some(Class::SystemInterrupt));
    }

    #[test]
    fn attribute_byte_round_trips() {
        for byte in 0..=u8::MAX {
            let raw = with_bytes(0, byte);
            let gate = Gate::decode(raw);
            assert_eq!(gate.encode(), raw);
            assert_eq!(gate.present(), byte & 0x80 != 0);
            assert_eq!(gate.dpl(), byte >> 5 & 3);
            let expected = match byte & 0x1f {
                0xe => GateType::Interrupt,
                0xf => GateType::Trap,
                0x5 => GateType::Task,
                other => GateType::Other(other),
            };
            assert_eq!(gate.gate_type(), expected);
            // The type finds back to its bits.
            assert_eq!(gate.head.with_gate_type(expected), gate.head);
            assert_eq!(gate.ist(), 0);
            assert_eq!(gate.selector(), 0xb3a2);
            assert_eq!(gate.offset(), 0x8877_6655_4433_2211);
        }
    }

    #[test]
    fn ist_byte_round_trips() {
        let stacks = ["-", "DF", "NMI", "DB", "MCE", "VC", "?", "?"];
        for byte in 0..=u8::MAX {
            let raw = with_bytes(byte, 0x8e);
            let gate = Gate::decode(raw);
            assert_eq!(gate.encode(), raw);
            assert_eq!(gate.ist(), byte & 7);
            assert_eq!(Some(&gate.stack()), stacks.get(usize::from(byte & 7)));
            assert_eq!(gate.gate_type(), GateType::Interrupt);
            assert!(gate.present());
        }
    }

    #[test]
    fn each_bit_survives_and_tells() {
        for bit in 0..128 {
            let raw = (1_u128 << bit).to_le_bytes();
            let gate = Gate::decode(raw);
            assert_eq!(gate.encode(), raw);
            assert!(gate != Gate::decode([0; 16]));
            let inverted = (!(1_u128 << bit)).to_le_bytes();
            assert_eq!(Gate::decode(inverted).encode(), inverted);
        }
    }

    #[test]
    fn another_offset_leaves_the_rest() {
        for raw in [PAGE_FAULT, ODD] {
            let gate = Gate::decode(raw);
            let moved = gate.with_offset(0xfedc_ba98_7654_3210);
            assert_eq!(moved.offset(), 0xfedc_ba98_7654_3210);
            let mut expected = raw;
            // Offset 15..0, 31..16 and 63..32.
            expected[0..2].copy_from_slice(&[0x10, 0x32]);
            expected[6..8].copy_from_slice(&[0x54, 0x76]);
            expected[8..12].copy_from_slice(&[0x98, 0xba, 0xdc, 0xfe]);
            assert_eq!(moved.encode(), expected);
            assert_eq!(moved.with_offset(gate.offset()), gate);
        }
    }

    #[test]
    fn classes_follow_type_and_privilege() {
        let class = |attributes| Gate::decode(with_bytes(0, attributes)).class();
        assert_eq!(class(0x8e), Some(Class::Interrupt));
        assert_eq!(class(0xee), Some(Class::SystemInterrupt));
        assert_eq!(class(0x8f), Some(Class::Trap));
        assert_eq!(class(0xef), Some(Class::System));
        assert_eq!(class(0x85), Some(Class::Task));
        assert_eq!(class(0xe5), Some(Class::Task));
        // DPL 1 and 2.
        for attributes in [0xae, 0xce, 0xaf, 0xcf] {
            assert_eq!(class(attributes), None);
        }
        // A call gate, the 16-bit gates, a gate with S set.
        for attributes in [0x8c, 0x86, 0x87, 0x9e, 0x9f] {
            assert_eq!(class(attributes), None);
        }
    }

    #[test]
    fn names() {
        assert!(prints(GateType::Interrupt, "interrupt"));
        assert!(prints(GateType::Trap, "trap"));
        assert!(prints(GateType::Task, "task"));
        assert!(prints(GateType::Other(0), "0x0"));
        assert!(prints(GateType::Other(0x1e), "0x1e"));
        let names = [
            Class::Interrupt,
            Class::SystemInterrupt,
            Class::Trap,
            Class::System,
            Class::Task,
        ]
        .map(Class::name);
        for (position, name) in names.iter().enumerate() {
            assert!(names.iter().skip(position + 1).all(|other| other != name));
        }
    }
}
