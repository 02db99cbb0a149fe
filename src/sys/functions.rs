// SPDX-License-Identifier: GPL-2.0

//! The kernel functions that are probed, with what they are called with.

use crate::{
    bindings,
    decode::flags,
    sys::{
        kretprobe::Registers,
        vma::{
            Vma,
            VmaId, //
        }, //
    },
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A function of the kernel.
///
/// # Safety
///
/// [`Function::entry`] reads the registers as the function named by `SYMBOL`
/// is called in Linux 7.3.
pub(crate) unsafe trait Function {
    /// The function's name.
    const SYMBOL: &'static CStr;

    /// What it is called with.
    type Entry<'a>;

    /// # Safety
    ///
    /// The registers are those at the function's entry.
    #[doc(hidden)]
    unsafe fn entry<'a>(registers: &'a Registers) -> Self::Entry<'a>;
}

/// A function of the kernel whose return matters too.
///
/// # Safety
///
/// [`Returns::kept`] and [`Returns::exit`] read the registers as the function
/// is called, and returns, in Linux 7.3.
pub(crate) unsafe trait Returns: Function {
    /// The arguments that the return needs.
    type Kept: Copy;

    /// What it returns with.
    type Exit<'a>;

    /// # Safety
    ///
    /// The registers are those at the function's entry.
    #[doc(hidden)]
    unsafe fn kept(registers: &Registers) -> Self::Kept;

    /// # Safety
    ///
    /// The registers are those at the return of the call that `kept` is of.
    #[doc(hidden)]
    unsafe fn exit<'a>(registers: &'a Registers, kept: Self::Kept) -> Self::Exit<'a>;
}

/// `handle_mm_fault()`: one attempt to serve a fault.
///
/// Source: mm/memory.c.
pub(crate) struct HandleMmFault;

/// Decoding has numbers of its own: they have to be the kernel's.
macro_rules! same_values {
    ($($ours:ident = $theirs:ident,)*) => {
        $(const _: () = assert!(flags::$ours == bindings::$theirs);)*
    };
}

same_values! {
    FAULT_FLAG_WRITE = fault_flag_FAULT_FLAG_WRITE,
    FAULT_FLAG_TRIED = fault_flag_FAULT_FLAG_TRIED,
    FAULT_FLAG_USER = fault_flag_FAULT_FLAG_USER,
    FAULT_FLAG_INSTRUCTION = fault_flag_FAULT_FLAG_INSTRUCTION,
    FAULT_FLAG_UNSHARE = fault_flag_FAULT_FLAG_UNSHARE,
    FAULT_FLAG_VMA_LOCK = fault_flag_FAULT_FLAG_VMA_LOCK,
    VM_FAULT_OOM = vm_fault_reason_VM_FAULT_OOM,
    VM_FAULT_SIGBUS = vm_fault_reason_VM_FAULT_SIGBUS,
    VM_FAULT_MAJOR = vm_fault_reason_VM_FAULT_MAJOR,
    VM_FAULT_HWPOISON = vm_fault_reason_VM_FAULT_HWPOISON,
    VM_FAULT_HWPOISON_LARGE = vm_fault_reason_VM_FAULT_HWPOISON_LARGE,
    VM_FAULT_SIGSEGV = vm_fault_reason_VM_FAULT_SIGSEGV,
    VM_FAULT_RETRY = vm_fault_reason_VM_FAULT_RETRY,
    VM_FAULT_FALLBACK = vm_fault_reason_VM_FAULT_FALLBACK,
}

/// The arguments of `handle_mm_fault()`.
///
/// # Invariants
///
/// The registers are those at its entry.
#[derive(Clone, Copy)]
pub(crate) struct FaultEntry<'a>(&'a Registers);

impl<'a> FaultEntry<'a> {
    /// The mapping, whose lock or whose mm's lock is held.
    #[inline(always)]
    pub(crate) fn vma(self) -> &'a Vma {
        // SAFETY: The caller of the function holds a lock that keeps it.
        unsafe { Vma::from_raw(self.0.argument(0) as *mut _) }
    }

    /// The address, not rounded.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.argument(1) as u64
    }

    /// `FAULT_FLAG_*`.
    #[inline(always)]
    pub(crate) fn flags(self) -> u32 {
        self.0.argument(2) as u32
    }

    /// Whether there are registers: not for GUP, KSM, HMM and the like.
    #[inline(always)]
    pub(crate) fn has_registers(self) -> bool {
        self.0.argument(3) != 0
    }

    /// The address of the instruction that faulted; 0 without registers.
    pub(crate) fn instruction(self) -> u64 {
        if !self.has_registers() {
            return 0;
        }
        // SAFETY: Those of the exception, which is still being served.
        unsafe { Registers::from_raw(self.0.argument(3) as *mut _) }.instruction()
    }
}

/// The outcome of `handle_mm_fault()`.
///
/// # Invariants
///
/// The registers are those at its return, from a call for `vma`.
#[derive(Clone, Copy)]
pub(crate) struct FaultExit<'a> {
    registers: &'a Registers,
    vma: *mut bindings::vm_area_struct,
}

impl<'a> FaultExit<'a> {
    /// `VM_FAULT_*`.
    #[inline(always)]
    pub(crate) fn result(self) -> u32 {
        self.registers.return_value() as u32
    }

    /// The mapping, if its lock is still held.
    pub(crate) fn vma(self) -> Option<&'a Vma> {
        const UNLOCKED: u32 =
            bindings::vm_fault_reason_VM_FAULT_RETRY | bindings::vm_fault_reason_VM_FAULT_COMPLETED;
        // SAFETY: Unless one of these says otherwise, the lock is still held.
        (self.result() & UNLOCKED == 0).then(|| unsafe { Vma::from_raw(self.vma) })
    }
}

// SAFETY: vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long
// address, unsigned int flags, struct pt_regs *regs), with `vma` locked.
unsafe impl Function for HandleMmFault {
    const SYMBOL: &'static CStr = c"handle_mm_fault";
    type Entry<'a> = FaultEntry<'a>;

    #[inline(always)]
    unsafe fn entry<'a>(registers: &'a Registers) -> FaultEntry<'a> {
        // INVARIANT: By the caller.
        FaultEntry(registers)
    }
}

// SAFETY: As above; VM_FAULT_RETRY and VM_FAULT_COMPLETED say that the lock
// was dropped.
unsafe impl Returns for HandleMmFault {
    type Kept = *mut bindings::vm_area_struct;
    type Exit<'a> = FaultExit<'a>;

    #[inline(always)]
    unsafe fn kept(registers: &Registers) -> Self::Kept {
        registers.argument(0) as *mut _
    }

    #[inline(always)]
    unsafe fn exit<'a>(registers: &'a Registers, kept: Self::Kept) -> FaultExit<'a> {
        // INVARIANT: By the caller.
        FaultExit {
            registers,
            vma: kept,
        }
    }
}

/// `vm_area_free()`: the end of a VMA object.
///
/// Source: mm/vma_init.c.
pub(crate) struct VmAreaFree;

// SAFETY: void vm_area_free(struct vm_area_struct *vma), with nobody else
// having a reference to it.
unsafe impl Function for VmAreaFree {
    const SYMBOL: &'static CStr = c"vm_area_free";
    type Entry<'a> = &'a Vma;

    unsafe fn entry<'a>(registers: &'a Registers) -> &'a Vma {
        // SAFETY: Whole until the function frees it, and the caller's alone.
        unsafe { Vma::from_raw(registers.argument(0) as *mut _) }
    }
}

/// `copy_vma()`: mremap() moves a mapping to another VMA object.
///
/// Source: mm/vma.c.
pub(crate) struct CopyVma;

/// A mapping of which a copy was made for another place.
pub(crate) struct Copied<'a> {
    /// The VMA that is copied, as it was at the entry.
    pub(crate) from: VmaId,
    /// Its range then.
    pub(crate) from_range: (u64, u64),
    /// It stays a mapping: MREMAP_DONTUNMAP.
    pub(crate) from_stays: bool,
    /// The copy, write-locked; it may be part of a larger mapping.
    pub(crate) to: Option<&'a Vma>,
}

// SAFETY: struct vm_area_struct *copy_vma(struct vm_area_struct **vmap, ...,
// bool keep_source), seven arguments in all, with the mm write-locked throughout.
unsafe impl Function for CopyVma {
    const SYMBOL: &'static CStr = c"copy_vma";
    type Entry<'a> = ();

    unsafe fn entry<'a>(_registers: &'a Registers) {}
}

// SAFETY: As above.
unsafe impl Returns for CopyVma {
    type Kept = (VmaId, (u64, u64), bool);
    type Exit<'a> = Copied<'a>;

    unsafe fn kept(registers: &Registers) -> Self::Kept {
        // SAFETY: `vmap` points at the caller's pointer to the VMA.
        let vma = unsafe { *(registers.argument(0) as *const *mut bindings::vm_area_struct) };
        // SAFETY: The caller of the function holds the mm's lock.
        let vma = unsafe { Vma::from_raw(vma) };
        (vma.id(), vma.range(), registers.copy_keeps_source())
    }

    unsafe fn exit<'a>(registers: &'a Registers, kept: Self::Kept) -> Copied<'a> {
        let to = registers.return_value() as *mut bindings::vm_area_struct;
        Copied {
            from: kept.0,
            from_range: kept.1,
            from_stays: kept.2,
            to: if to.is_null() {
                None
            } else {
                // SAFETY: The caller of the function still holds the mm's lock.
                Some(unsafe { Vma::from_raw(to) })
            },
        }
    }
}

/// `expand_downwards()`: a stack grows, or tries to.
///
/// Source: mm/vma.c.
pub(crate) struct ExpandDownwards;

/// The arguments of `expand_downwards()`.
pub(crate) struct GrowthEntry<'a> {
    /// The stack, write-locked.
    pub(crate) vma: &'a Vma,
    /// The address that it has to reach.
    pub(crate) address: u64,
}

/// The outcome of `expand_downwards()`.
pub(crate) struct GrowthExit<'a> {
    /// The stack, still write-locked.
    pub(crate) vma: &'a Vma,
}

// SAFETY: int expand_downwards(struct vm_area_struct *vma, unsigned long
// address), with the mm write-locked throughout.
unsafe impl Function for ExpandDownwards {
    const SYMBOL: &'static CStr = c"expand_downwards";
    type Entry<'a> = GrowthEntry<'a>;

    unsafe fn entry<'a>(registers: &'a Registers) -> GrowthEntry<'a> {
        GrowthEntry {
            // SAFETY: The caller of the function holds the mm's lock.
            vma: unsafe { Vma::from_raw(registers.argument(0) as *mut _) },
            address: registers.argument(1) as u64,
        }
    }
}

// SAFETY: As above.
unsafe impl Returns for ExpandDownwards {
    type Kept = NonNull<bindings::vm_area_struct>;
    type Exit<'a> = GrowthExit<'a>;

    unsafe fn kept(registers: &Registers) -> Self::Kept {
        NonNull::new(registers.argument(0) as *mut _).unwrap_or(NonNull::dangling())
    }

    unsafe fn exit<'a>(_registers: &'a Registers, kept: Self::Kept) -> GrowthExit<'a> {
        GrowthExit {
            // SAFETY: The caller of the function still holds the mm's lock.
            vma: unsafe { Vma::from_raw(kept.as_ptr()) },
        }
    }
}

/// A fault that handle_mm_fault() does not get, or not yet, or that it failed.
pub(crate) struct BadArea {
    /// Whether it was user mode that faulted.
    pub(crate) user_mode: bool,
    /// The address, not rounded.
    pub(crate) address: u64,
    /// The address of the instruction that faulted.
    pub(crate) instruction: u64,
    /// The #PF error code.
    pub(crate) error_code: u64,
}

impl BadArea {
    /// Reads the arguments that both functions below begin with.
    ///
    /// # Safety
    ///
    /// The registers are those at the entry of one of them.
    unsafe fn of(registers: &Registers) -> Self {
        // SAFETY: By the caller, the first argument points at live registers.
        let faulted = unsafe { Registers::from_raw(registers.argument(0) as *mut _) };
        Self {
            user_mode: faulted.user_mode(),
            instruction: faulted.instruction(),
            error_code: registers.argument(1) as u64,
            address: registers.argument(2) as u64,
        }
    }
}

/// `bad_area_nosemaphore()`: a fault on no mapping, or where none is allowed.
///
/// Source: arch/x86/mm/fault.c.
pub(crate) struct BadAreaNosemaphore;

/// What it is called with, and how.
pub(crate) struct NosemaphoreEntry {
    /// The fault.
    pub(crate) fault: BadArea,
    /// Whether the kernel has switched interrupts on already to serve it.
    pub(crate) interrupts_on: bool,
}

// SAFETY: void bad_area_nosemaphore(struct pt_regs *regs, unsigned long
// error_code, unsigned long address)
unsafe impl Function for BadAreaNosemaphore {
    const SYMBOL: &'static CStr = c"bad_area_nosemaphore";
    type Entry<'a> = NosemaphoreEntry;

    unsafe fn entry<'a>(registers: &'a Registers) -> NosemaphoreEntry {
        NosemaphoreEntry {
            // SAFETY: By the caller.
            fault: unsafe { BadArea::of(registers) },
            interrupts_on: registers.interrupts_on(),
        }
    }
}

/// `emulate_vsyscall_pf()`: a fault on the page of the legacy vsyscalls.
///
/// Source: arch/x86/entry/vsyscall/vsyscall_64.c.
pub(crate) struct EmulateVsyscall;

// SAFETY: bool emulate_vsyscall_pf(unsigned long error_code, struct pt_regs
// *regs, unsigned long address)
unsafe impl Function for EmulateVsyscall {
    const SYMBOL: &'static CStr = c"emulate_vsyscall_pf";
    type Entry<'a> = BadArea;

    unsafe fn entry<'a>(registers: &'a Registers) -> BadArea {
        // SAFETY: By the caller, the second argument points at live registers.
        let faulted = unsafe { Registers::from_raw(registers.argument(1) as *mut _) };
        BadArea {
            user_mode: faulted.user_mode(),
            instruction: faulted.instruction(),
            error_code: registers.argument(0) as u64,
            address: registers.argument(2) as u64,
        }
    }
}

/// `bad_area_access_error()`: an access that the mapping does not allow.
///
/// Source: arch/x86/mm/fault.c.
pub(crate) struct BadAreaAccessError;

// SAFETY: void bad_area_access_error(struct pt_regs *regs, unsigned long
// error_code, unsigned long address, ...)
unsafe impl Function for BadAreaAccessError {
    const SYMBOL: &'static CStr = c"bad_area_access_error";
    type Entry<'a> = BadArea;

    unsafe fn entry<'a>(registers: &'a Registers) -> BadArea {
        // SAFETY: By the caller.
        unsafe { BadArea::of(registers) }
    }
}

/// `kvm_async_pf_task_wait_schedule()`: KVM has not got the page, so the task sleeps.
///
/// Source: arch/x86/kernel/kvm.c.
pub(crate) struct AsyncPfWait;

// SAFETY: void kvm_async_pf_task_wait_schedule(u32 token)
unsafe impl Function for AsyncPfWait {
    const SYMBOL: &'static CStr = c"kvm_async_pf_task_wait_schedule";
    type Entry<'a> = u32;

    unsafe fn entry<'a>(registers: &'a Registers) -> u32 {
        registers.argument(0) as u32
    }
}

// SAFETY: As above.
unsafe impl Returns for AsyncPfWait {
    type Kept = ();
    type Exit<'a> = ();

    unsafe fn kept(_registers: &Registers) {}

    unsafe fn exit<'a>(_registers: &'a Registers, (): ()) {}
}
