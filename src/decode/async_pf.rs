// SPDX-License-Identifier: GPL-2.0

//! What KVM's CPUID leaf and MSRs say of asynchronous page faults.
//!
//! Source: arch/x86/include/uapi/asm/kvm_para.h, Documentation/virt/kvm/x86/msr.rst.

use kernel::prelude::*;

/// What KVM offers: the bit of the features, and its name.
pub(crate) const FEATURES: [(u32, &str); 3] = [
    (4, "async-pf"),
    (14, "async-pf-int"),
    (10, "async-pf-vmexit"),
];

/// How a CPU has it, by its MSRs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mode {
    /// It is switched on.
    pub(crate) on: bool,
    /// The vector of "page ready", if that comes as an interrupt.
    pub(crate) vector: Option<u8>,
    /// A hypervisor in this guest has it as an exit of its own guest.
    pub(crate) as_exit: bool,
    /// Also while the guest is in kernel mode.
    pub(crate) always: bool,
}

impl Mode {
    /// Decodes `MSR_KVM_ASYNC_PF_EN` and `MSR_KVM_ASYNC_PF_INT`.
    pub(crate) const fn decode(enabled: u64, interrupt: u64) -> Self {
        Self {
            on: enabled & 1 != 0,
            always: enabled & 1 << 1 != 0,
            as_exit: enabled & 1 << 2 != 0,
            vector: if enabled & 1 << 3 != 0 {
                Some(interrupt as u8)
            } else {
                None
            },
        }
    }
}

#[kunit_tests(trapscope_decode_async_pf)]
mod tests {
    use super::*;

    #[test]
    fn off_is_all_zero() {
        let off = Mode {
            on: false,
            vector: None,
            as_exit: false,
            always: false,
        };
        assert!(Mode::decode(0, 0xf3) == off);
    }

    #[test]
    fn each_bit_is_told_apart() {
        let on = Mode {
            on: true,
            vector: Some(0xf3),
            as_exit: true,
            always: false,
        };
        assert!(Mode::decode(0x0ff_ffc0 | 0b1101, 0xf3) == on);
        assert!(
            Mode::decode(0b1001, 0x1f3)
                == Mode {
                    as_exit: false,
                    ..on
                }
        );
        assert!(
            Mode::decode(0b0111, 0xf3)
                == Mode {
                    vector: None,
                    always: true,
                    ..on
                }
        );
        assert!(Mode::decode(0b1100, 0xf3) == Mode { on: false, ..on });
    }
}
