// SPDX-License-Identifier: GPL-2.0

//! Gates of the interrupt descriptor table in 32-bit mode, as 32-bit kernels have them.
//!
//! They are the first half of a gate of 64-bit mode. The layout is that of the SDM, Vol. 3A, "IDT
//! Descriptors".

use super::gate::{
    Class,
    GateType,
    Head, //
};
use kernel::prelude::*;

/// Size of a gate in 32-bit mode.
pub(crate) const GATE_BYTES: usize = 8;

/// A gate of 32-bit mode; keeps every bit, the reserved ones too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gate(Head);

impl Gate {
    /// Returns the gate that eight bytes of memory hold.
    pub(crate) const fn decode(raw: [u8; GATE_BYTES]) -> Self {
        Self(Head::from_raw(u64::from_le_bytes(raw)))
    }

    /// Returns the eight bytes of memory that hold the gate.
    pub(crate) const fn encode(self) -> [u8; GATE_BYTES] {
        self.0.into_raw().to_le_bytes()
    }

    /// Returns the address of the handler; a task gate has none.
    pub(crate) fn offset(self) -> u32 {
        self.0.offset()
    }

    /// Returns the same gate with another handler.
    pub(crate) fn with_offset(self, offset: u32) -> Self {
        Self(self.0.with_offset(offset))
    }

    /// Returns the selector of the handler's code segment, or of a task gate's TSS.
    pub(crate) fn selector(self) -> u16 {
        self.0.selector().into()
    }

    /// Returns the type.
    pub(crate) fn gate_type(self) -> GateType {
        self.0.gate_type()
    }

    /// Returns the least privileged level that may call the gate by an instruction.
    pub(crate) fn dpl(self) -> u8 {
        self.0.dpl().into()
    }

    /// Returns whether the gate can be used.
    pub(crate) fn present(self) -> bool {
        self.0.present().into_bool()
    }

    /// Returns how Linux classes the gate; `None` if it has no name for it.
    pub(crate) fn class(self) -> Option<Class> {
        self.0.class()
    }
}

#[kunit_tests(trapscope_idt_gate32)]
mod tests {
    use super::*;

    /// The system call gate of the 2.6 kernels, with its handler at 0xc0104000.
    const SYSCALL: [u8; 8] = [
        // Offset 15..0, low byte first.
        0x00, 0x40, //
        // Selector 0x60: __KERNEL_CS of 32-bit kernels.
        0x60, 0x00, //
        // Reserved and zeros.
        0x00, //
        // P 1, DPL 11, 0, type 1111: 1110_1111.
        0xef, //
        // Offset 31..16.
        0x10, 0xc0,
    ];

    /// The double fault's task gate: selector 0xf8, P 1, DPL 00, type 00101.
    const DOUBLE_FAULT: [u8; 8] = [0x00, 0x00, 0xf8, 0x00, 0x00, 0x85, 0x00, 0x00];

    #[test]
    fn syscall_gate() {
        let gate = Gate::decode(SYSCALL);
        assert_eq!(gate.offset(), 0xc010_4000);
        assert_eq!(gate.selector(), 0x60);
        assert_eq!(gate.gate_type(), GateType::Trap);
        assert_eq!(gate.dpl(), 3);
        assert!(gate.present());
        assert_eq!(gate.class(), Some(Class::System));
        assert_eq!(gate.encode(), SYSCALL);
    }

    #[test]
    fn task_gate() {
        let gate = Gate::decode(DOUBLE_FAULT);
        assert_eq!(gate.selector(), 0xf8);
        assert_eq!(gate.gate_type(), GateType::Task);
        assert_eq!(gate.class(), Some(Class::Task));
        assert_eq!(gate.encode(), DOUBLE_FAULT);
    }

    #[test]
    fn bytes_round_trip() {
        for byte in 0..=u8::MAX {
            // Each part of the offset and the selector differs from the others.
            let raw = [0x11, 0x22, 0x33, 0x44, !byte, byte, 0x55, 0x66];
            let gate = Gate::decode(raw);
            assert_eq!(gate.encode(), raw);
            assert_eq!(gate.offset(), 0x6655_2211);
            assert_eq!(gate.selector(), 0x4433);
            assert_eq!(gate.present(), byte & 0x80 != 0);
            assert_eq!(gate.dpl(), byte >> 5 & 3);
            let expected = match byte & 0x1f {
                0xe => GateType::Interrupt,
                0xf => GateType::Trap,
                0x5 => GateType::Task,
                other => GateType::Other(other),
            };
            assert_eq!(gate.gate_type(), expected);
        }
    }

    #[test]
    fn another_offset_leaves_the_rest() {
        let raw = [0x11, 0x22, 0x33, 0x44, 0xa5, 0xee, 0x55, 0x66];
        let moved = Gate::decode(raw).with_offset(0xfedc_ba98);
        assert_eq!(
            moved.encode(),
            [0x98, 0xba, 0x33, 0x44, 0xa5, 0xee, 0xdc, 0xfe]
        );
    }
}
