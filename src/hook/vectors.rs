// SPDX-License-Identifier: GPL-2.0

//! Every vector that arrives, by a second interrupt descriptor table.

use crate::{
    account::vectors::VectorCounts,
    decode::{
        idt::{
            gate::Gate,
            LIMIT, //
        },
        refusal::{
            OffBy,
            Refusal, //
        },
    },
    inspect::{
        check::page_fits,
        idt::Cpu, //
    },
    sys::{
        clock,
        cpus::CpusHeld,
        descriptor_table,
        kernel_info,
        kernel_page,
        notifier::Listener,
        second_idt::{
            self,
            SecondIdt, //
        },
        vector_stubs, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The second table while it is in use.
pub(crate) struct On {
    pub(crate) idt: SecondIdt,
    /// When it was switched on, by the scheduler's clock, as in dmesg.
    pub(crate) since_ns: u64,
}

impl On {
    /// Tells whether a CPU uses the second table.
    pub(crate) fn uses(&self, cpu: &Cpu) -> bool {
        cpu.seen
            .is_some_and(|seen| seen.place.idtr.base == self.idt.base(cpu.number))
    }

    /// Returns the gate that a gate of the second table stands for: in place of the
    /// stub where that goes on to, if it leads to its stub.
    pub(crate) fn behind(&self, cpu: u32, vector: u8, gate: Gate) -> Gate {
        if gate.offset() == self.idt.stub(cpu, vector) {
            gate.with_offset(vector_stubs::target(vector))
        } else {
            gate
        }
    }
}

/// Whether the second table is in use, and what was said about it.
pub(crate) struct State {
    pub(crate) on: Option<On>,
    /// Why the last attempt to switch it on failed.
    pub(crate) refused: Option<Refusal>,
    /// What switched it off last.
    pub(crate) off_by: Option<OffBy>,
    pub(crate) counts: VectorCounts,
    /// kvm_intel is about to read IDTR, and must not find ours.
    kvm_intel_comes: bool,
    /// The machine is on its way to sleep, or back.
    sleeping: bool,
}

impl State {
    fn switch_off(&mut self, by: OffBy) {
        if self.on.take().is_some() {
            self.off_by = Some(by);
        }
    }
}

/// The switch.
#[pin_data]
pub(crate) struct VectorTrace {
    #[pin]
    state: Mutex<State>,
}

impl VectorTrace {
    /// Begins switched off.
    ///
    /// Fails with `ENOMEM`. Sleeps.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let state = State {
            on: None,
            refused: None,
            off_by: None,
            counts: VectorCounts::new()?,
            kvm_intel_comes: false,
            sleeping: false,
        };
        Arc::pin_init(
            pin_init!(Self {
                state <- new_mutex!(state),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `f` with the state, which stays as it is meanwhile. Sleeps.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&State) -> R) -> R {
        f(&self.state.lock())
    }

    /// Builds the second table and switches every CPU to it. Sleeps.
    ///
    /// Fails with the errno of the reason, which `status` keeps.
    pub(crate) fn switch_on(&self) -> Result {
        let mut state = self.state.lock();
        if state.on.is_some() {
            return Ok(());
        }
        let result = if state.kvm_intel_comes {
            Err(Refusal::KvmIntel)
        } else if state.sleeping {
            Err(Refusal::Sleep)
        } else {
            switch_on(&mut state.counts)
        };
        match result {
            Ok(on) => {
                state.on = Some(on);
                state.refused = None;
                Ok(())
            }
            Err(refusal) => {
                state.refused = Some(refusal);
                Err(refusal.errno())
            }
        }
    }

    /// Puts the kernel's table back on every CPU. Sleeps.
    pub(crate) fn switch_off(&self, by: OffBy) {
        self.state.lock().switch_off(by);
    }

    /// Switches off, and keeps it so until `kvm_intel_settled()`. Sleeps.
    fn kvm_intel_comes(&self) {
        let mut state = self.state.lock();
        state.switch_off(OffBy::KvmIntel);
        state.kvm_intel_comes = true;
    }

    /// From here on, CR4 tells whether VMX is in use.
    fn kvm_intel_settled(&self) {
        self.state.lock().kvm_intel_comes = false;
    }

    /// Switches off, and keeps it so until `machine_is_awake()`. Sleeps.
    fn machine_sleeps(&self) {
        let mut state = self.state.lock();
        state.switch_off(OffBy::Suspend);
        state.sleeping = true;
    }

    fn machine_is_awake(&self) {
        self.state.lock().sleeping = false;
    }

    /// Sets all counts to zero. Sleeps.
    pub(crate) fn reset(&self) {
        self.state.lock().counts.restart();
    }
}

fn switch_on(counts: &mut VectorCounts) -> Result<On, Refusal> {
    if descriptor_table::fred() {
        return Err(Refusal::Fred);
    }
    if descriptor_table::xen_pv() {
        return Err(Refusal::XenPv);
    }
    if descriptor_table::page_table_isolation() {
        return Err(Refusal::PageTableIsolation);
    }
    // A CPU on its way to or from a table would look like one that has another.
    let cpus = CpusHeld::new();
    let kernels = second_idt::kernels_base();
    let (layout, _) = kernel_info::layout();
    let own_page = page_fits(kernel_page::behind(kernels), &layout);
    each_cpu(|cpu, idtr| {
        if idtr.vmx_on {
            Err(Refusal::Vmx { cpu })
        } else if idtr.idtr.base != kernels || !own_page {
            Err(Refusal::ForeignTable { cpu })
        } else if idtr.idtr.limit != LIMIT {
            Err(Refusal::Limit { cpu })
        } else {
            Ok(())
        }
    })?;
    // The counts of last time can be read until there are new ones.
    let anew = VectorCounts::new()?;
    let result = load(cpus);
    match result {
        Ok(_) => *counts = anew,
        Err(_) => counts.leave_out(&anew),
    }
    result
}

/// Switches every CPU, and looks whether it took the table.
fn load(cpus: CpusHeld) -> Result<On, Refusal> {
    let on = On {
        idt: SecondIdt::load(&cpus)?,
        since_ns: clock::now_ns(),
    };
    let verdict = each_cpu(|cpu, idtr| {
        if idtr.idtr.base == on.idt.base(cpu) && idtr.idtr.limit == LIMIT {
            Ok(())
        } else {
            Err(Refusal::NotSwitched { cpu })
        }
    });
    // Taking the second table away again waits for the CPUs.
    drop(cpus);
    verdict.map(|()| on)
}

/// Asks every CPU that is online for its IDTR.
fn each_cpu(
    mut judge: impl FnMut(u32, descriptor_table::CpuIdtr) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for cpu in kernel_info::cpus() {
        if let Ok(idtr) = descriptor_table::read_idtr(cpu) {
            judge(cpu, idtr)?;
        }
    }
    Ok(())
}

/// The module that keeps the base it finds, for VM exits.
const KVM_INTEL: &CStr = c"kvm_intel";

/// Switches off before what the second table would not survive.
pub(crate) struct Caution(pub(crate) Arc<VectorTrace>);

impl Listener for Caution {
    fn module_comes(&self, name: &CStr) {
        if name == KVM_INTEL {
            self.0.kvm_intel_comes();
        }
    }

    fn module_is_settled(&self, name: &CStr) {
        if name == KVM_INTEL {
            self.0.kvm_intel_settled();
        }
    }

    fn machine_sleeps(&self) {
        self.0.machine_sleeps();
    }

    fn machine_is_awake(&self) {
        self.0.machine_is_awake();
    }
}
