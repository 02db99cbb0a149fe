// SPDX-License-Identifier: GPL-2.0

//! A second interrupt descriptor table, in use on every CPU.
//!
//! It is a copy of the kernel's, but for the addresses of the handlers: each gate
//! leads to a stub that counts and goes on to the kernel's handler.
//!
//! C header: [`include/linux/cpuhotplug.h`](srctree/include/linux/cpuhotplug.h)

use crate::{
    bindings,
    decode::{
        idt::{
            gate::GateType,
            GATES,
            GATE_BYTES,
            LIMIT, //
        },
        refusal::Refusal, //
    },
    sys::{
        atomic::{
            AtomicU64,
            Ordering, //
        },
        cpus::CpusHeld,
        descriptor_table,
        kernel_info,
        read_only::{
            ReadOnlyPages,
            PAGE, //
        },
        vector_stubs, //
    },
};
use core::arch::asm;
use kernel::{
    ffi::{
        c_int,
        c_uint, //
    },
    interrupt::local_interrupt_disable,
    prelude::*, //
};

/// Where the kernel's table is, for the callbacks; 0 while none of ours is in use.
static KERNELS: AtomicU64 = AtomicU64::new(0);

/// Where the first of ours is.
static OURS: AtomicU64 = AtomicU64::new(0);

/// How many there are.
static TABLES: AtomicU64 = AtomicU64::new(0);

const _: () = assert!(GATES * GATE_BYTES == PAGE);

/// Our tables, one for each set of stubs.
///
/// # Invariants
///
/// While `state` is some, `tables` and the stubs are in use: the state is a
/// registered one of [`online`] and [`offline`].
pub(crate) struct SecondIdt {
    tables: ReadOnlyPages,
    state: Option<c_int>,
}

/// Returns where the kernel's table is: CPU_ENTRY_AREA_RO_IDT, the first page of
/// that area.
pub(crate) fn kernels_base() -> u64 {
    kernel_info::layout().0.cpu_entry_start
}

/// Tells whether a second table can be right on this machine at all.
///
/// With page-table isolation user mode's page tables map neither table nor stubs;
/// with FRED or under Xen PV the CPU does not use what IDTR names.
pub(crate) fn possible() -> bool {
    !descriptor_table::page_table_isolation()
        && !descriptor_table::fred()
        && !descriptor_table::xen_pv()
}

impl SecondIdt {
    /// Makes the tables from the kernel's, and switches every CPU to them; those
    /// that come online later too. No value of this type may go while the CPUs are
    /// held.
    ///
    /// A CPU whose IDTR is not the kernel's, or on which VMX is in use, is left
    /// alone: look at each. Refuses a gate behind which a stub would run with
    /// interrupts on. Fails with `EBUSY` if there is a second table already,
    /// `EOPNOTSUPP` where it can't be right ([`possible`]), `EFAULT` if the kernel's
    /// table can't be read, with `ENOMEM`, or with the errno of
    /// `cpuhp_setup_state_cpuslocked()`. Sleeps.
    pub(crate) fn load(_cpus: &CpusHeld) -> Result<Self, Refusal> {
        if !possible() {
            return Err(EOPNOTSUPP.into());
        }
        let kernels = kernels_base();
        let sets = vector_stubs::sets() as u32;
        let mut this = Self {
            tables: ReadOnlyPages::new(sets)?,
            state: None,
        };
        let mut originals = KVec::with_capacity(GATES, GFP_KERNEL).map_err(Error::from)?;
        for vector in 0..=u8::MAX {
            let gate = descriptor_table::read_gate(kernels, vector.into()).ok_or(EFAULT)?;
            if gate.present() && gate.gate_type() != GateType::Interrupt {
                return Err(Refusal::Gate { vector });
            }
            originals.push(gate, GFP_KERNEL).map_err(Error::from)?;
        }
        KERNELS
            .compare_exchange(0, kernels, Ordering::AcqRel, Ordering::Relaxed)
            .map_err(|_| EBUSY)?;
        for (vector, gate) in (0..=u8::MAX).zip(&originals) {
            // SAFETY: From the kernel's table; none of ours leads to the stubs,
            // since `KERNELS` was 0.
            unsafe { vector_stubs::set_target(vector, gate.offset()) };
            for set in 0..sets {
                let stub = gate.with_offset(vector_stubs::address(set as usize, vector));
                let offset = usize::from(vector) * GATE_BYTES;
                this.tables.write(set, offset, &stub.encode());
            }
        }
        OURS.store(this.tables.address(), Ordering::Release);
        TABLES.store(sets.into(), Ordering::Release);
        // SAFETY: The callbacks and what they read live until the state is
        // removed, in `drop()`.
        let state = unsafe { bindings::trapscope_setup_cpus(Some(online), Some(offline)) };
        if state < 0 {
            KERNELS.store(0, Ordering::Release);
            return Err(Error::from_errno(state).into());
        }
        // INVARIANT: Registered.
        this.state = Some(state);
        Ok(this)
    }

    /// Returns the stub that a vector of a CPU leads to.
    pub(crate) fn stub(&self, cpu: u32, vector: u8) -> u64 {
        vector_stubs::address(vector_stubs::set_of(cpu), vector)
    }

    /// Returns the base that a CPU's IDTR has while it uses our table.
    pub(crate) fn base(&self, cpu: u32) -> u64 {
        base(self.tables.address(), cpu)
    }
}

impl Drop for SecondIdt {
    fn drop(&mut self) {
        let Some(state) = self.state else { return };
        // SAFETY: Registered (type invariant). Every CPU that is online has put
        // the kernel's table back when this returns: it ran `offline`, so it is
        // in no stub, since interrupts are off in a stub.
        unsafe { bindings::__cpuhp_remove_state(state as bindings::cpuhp_state, true) };
        KERNELS.store(0, Ordering::Release);
    }
}

fn base(first: u64, cpu: u32) -> u64 {
    first + (vector_stubs::set_of(cpu) * PAGE) as u64
}

/// The operand of LIDT: SDM Vol. 2A, "LGDT/LIDT".
#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// # Safety
///
/// Interrupts are off, and `base` is that of the kernel's table or of ours.
unsafe fn load(base: u64) {
    let pointer = Pointer { limit: LIMIT, base };
    // SAFETY: By the caller: each gate of both tables leads to a handler.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack)) };
}

/// # Safety
///
/// Only as a CPU's hotplug callback: it runs on that CPU.
unsafe extern "C" fn online(cpu: c_uint) -> c_int {
    if vector_stubs::set_of(cpu) as u64 >= TABLES.load(Ordering::Acquire) {
        return 0;
    }
    let kernels = KERNELS.load(Ordering::Acquire);
    let ours = base(OURS.load(Ordering::Acquire), cpu);
    let _off = local_interrupt_disable();
    let now = descriptor_table::read_own_idtr();
    if now.idtr.base == kernels && now.idtr.limit == LIMIT && !now.vmx_on {
        // SAFETY: Interrupts are off; the tables stay until the state is removed.
        unsafe { load(ours) };
    }
    0
}

/// # Safety
///
/// As [`online`].
unsafe extern "C" fn offline(_cpu: c_uint) -> c_int {
    let kernels = KERNELS.load(Ordering::Acquire);
    let _off = local_interrupt_disable();
    let now = descriptor_table::read_own_idtr().idtr;
    // Somebody may have put a copy of our table in its place.
    let ours = (0..=u8::MAX)
        .filter_map(|vector| descriptor_table::read_gate(now.base, vector.into()))
        .any(|gate| vector_stubs::is_one(gate.offset()));
    if ours {
        // SAFETY: Interrupts are off; the kernel's table never goes.
        unsafe { load(kernels) };
    }
    0
}
