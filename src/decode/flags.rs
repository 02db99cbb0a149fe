// SPDX-License-Identifier: GPL-2.0

//! What handle_mm_fault() is told about a fault, and what it returns.
//!
//! Both are bit sets of include/linux/mm_types.h: `enum fault_flag` and `enum vm_fault_reason`.

use kernel::prelude::*;

/// The access was a write.
pub(crate) const FAULT_FLAG_WRITE: u32 = 1 << 0;
/// The call is not the first attempt at this fault.
pub(crate) const FAULT_FLAG_TRIED: u32 = 1 << 5;
/// The access came from user mode.
pub(crate) const FAULT_FLAG_USER: u32 = 1 << 6;
/// The access was an instruction fetch.
pub(crate) const FAULT_FLAG_INSTRUCTION: u32 = 1 << 8;
/// A page that is shared copy-on-write has to become private, without being written to.
pub(crate) const FAULT_FLAG_UNSHARE: u32 = 1 << 10;
/// The call runs under the lock of the VMA instead of the mmap_lock.
pub(crate) const FAULT_FLAG_VMA_LOCK: u32 = 1 << 12;

/// No memory.
pub(crate) const VM_FAULT_OOM: u32 = 0x00_0001;
/// Access to something that is not there.
pub(crate) const VM_FAULT_SIGBUS: u32 = 0x00_0002;
/// The page had to be read from storage.
pub(crate) const VM_FAULT_MAJOR: u32 = 0x00_0004;
/// A small page was poisoned.
pub(crate) const VM_FAULT_HWPOISON: u32 = 0x00_0010;
/// A large page was poisoned.
pub(crate) const VM_FAULT_HWPOISON_LARGE: u32 = 0x00_0020;
/// Access that is not allowed.
pub(crate) const VM_FAULT_SIGSEGV: u32 = 0x00_0040;
/// The fault is not done: it has to be tried again. The lock was dropped.
pub(crate) const VM_FAULT_RETRY: u32 = 0x00_0400;
/// A huge page could not be used; never leaves handle_mm_fault(), but counts as an error there.
pub(crate) const VM_FAULT_FALLBACK: u32 = 0x00_0800;
/// All bits that mean failure.
pub(crate) const VM_FAULT_ERROR: u32 = VM_FAULT_OOM
    | VM_FAULT_SIGBUS
    | VM_FAULT_SIGSEGV
    | VM_FAULT_HWPOISON
    | VM_FAULT_HWPOISON_LARGE
    | VM_FAULT_FALLBACK;

/// The kind of access that faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Data was read.
    Read,
    /// Data was written.
    Write,
    /// An instruction was fetched.
    Exec,
}

/// Where the access came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// An exception in user mode.
    User,
    /// An exception in kernel mode, as in copy_from_user().
    Kernel,
    /// No exception: the kernel asked for the page, as get_user_pages() does.
    Remote,
}

/// The flags that handle_mm_fault() was called with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FaultFlags(u32);

impl FaultFlags {
    /// Wraps the raw flags.
    #[inline]
    pub(crate) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    #[inline]
    const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Returns whether the access was a write.
    #[inline]
    pub(crate) const fn write(self) -> bool {
        self.has(FAULT_FLAG_WRITE)
    }

    /// Returns whether a private copy was asked for; means nothing outside of mappings that are
    /// copied on write.
    #[inline]
    pub(crate) const fn unshare(self) -> bool {
        self.has(FAULT_FLAG_UNSHARE)
    }

    /// Returns whether this is not the first attempt.
    #[inline]
    pub(crate) const fn tried(self) -> bool {
        self.has(FAULT_FLAG_TRIED)
    }

    /// Returns whether the call runs under the lock of the VMA.
    #[inline]
    pub(crate) const fn vma_lock(self) -> bool {
        self.has(FAULT_FLAG_VMA_LOCK)
    }

    /// Returns whether this is the first attempt, under the lock of the VMA.
    #[inline(always)]
    pub(crate) const fn first_under_vma_lock(self) -> bool {
        self.0 & (FAULT_FLAG_VMA_LOCK | FAULT_FLAG_TRIED) == FAULT_FLAG_VMA_LOCK
    }

    /// Returns the kind of access; asking for a private copy counts as a read, since
    /// get_user_pages() does it in order to read.
    #[inline]
    pub(crate) const fn access(self) -> Access {
        if self.has(FAULT_FLAG_INSTRUCTION) {
            Access::Exec
        } else if self.write() {
            Access::Write
        } else {
            Access::Read
        }
    }

    /// Returns where the access came from; `has_regs` says whether the call had registers, which
    /// only exceptions have.
    #[inline]
    pub(crate) const fn origin(self, has_regs: bool) -> Origin {
        if !has_regs {
            Origin::Remote
        } else if self.has(FAULT_FLAG_USER) {
            Origin::User
        } else {
            Origin::Kernel
        }
    }
}

/// What is counted of the flags of a fault, and whether its call had registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Manner(u32);

impl Manner {
    /// A bit that none of the flags below has: there were registers.
    const REGISTERS: u32 = 1 << 1;
    const BITS: u32 = FAULT_FLAG_WRITE
        | FAULT_FLAG_TRIED
        | FAULT_FLAG_USER
        | FAULT_FLAG_INSTRUCTION
        | FAULT_FLAG_VMA_LOCK
        | Self::REGISTERS;

    /// Number of manners.
    pub(crate) const COUNT: usize = 1 << Self::BITS.count_ones();

    /// Takes from the flags what is counted.
    #[inline(always)]
    pub(crate) const fn new(flags: FaultFlags, has_registers: bool) -> Self {
        let registers = if has_registers { Self::REGISTERS } else { 0 };
        Self(flags.0 & (Self::BITS & !Self::REGISTERS) | registers)
    }

    /// Returns all of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        // All subsets of the bits: adding one to the bits between them carries over.
        let mut next = 0;
        (0..Self::COUNT).map(move |_| {
            let this = Self(next);
            next = (next | !Self::BITS).wrapping_add(1) & Self::BITS;
            this
        })
    }

    /// Returns a number below [`Self::COUNT`] that no other one has.
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        // A factor that moves the six bits to the top so that no two sums are the same.
        (self.0.wrapping_mul(0x4061_0e7a) >> 26) as usize
    }

    /// Returns the flags, as far as they are counted.
    #[inline(always)]
    pub(crate) const fn flags(self) -> FaultFlags {
        FaultFlags(self.0)
    }

    /// Returns whether there were registers.
    #[inline(always)]
    pub(crate) const fn has_registers(self) -> bool {
        self.0 & Self::REGISTERS != 0
    }

    /// Returns the manner of a fault that is over: [`Self::major`] is as said.
    #[inline(always)]
    pub(crate) const fn over(self, major: bool) -> Self {
        // Who was tried again is major, unless it failed.
        Self(self.0 & !FAULT_FLAG_TRIED | if major { FAULT_FLAG_TRIED } else { 0 })
    }

    /// Returns whether a fault that is over was major, as mm_account_fault() counts it.
    pub(crate) const fn major(self) -> bool {
        self.0 & FAULT_FLAG_TRIED != 0
    }
}

/// The value that handle_mm_fault() returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VmFault(u32);

impl VmFault {
    /// Wraps the raw value.
    #[inline]
    pub(crate) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    #[inline]
    const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Returns whether the call failed; mm_account_fault() counts no minor or major fault then.
    #[inline]
    pub(crate) const fn error(self) -> bool {
        self.has(VM_FAULT_ERROR)
    }

    /// Returns whether the call did all that was asked for, at once.
    #[inline(always)]
    pub(crate) const fn plain(self) -> bool {
        !self.has(VM_FAULT_ERROR | VM_FAULT_RETRY | VM_FAULT_MAJOR)
    }

    /// Returns whether the fault has to be tried again; the VMA may be gone.
    #[inline]
    pub(crate) const fn retry(self) -> bool {
        self.has(VM_FAULT_RETRY)
    }

    /// Returns whether the page had to be read from storage.
    #[inline]
    pub(crate) const fn major(self) -> bool {
        self.has(VM_FAULT_MAJOR)
    }

    /// Returns whether poisoned memory was met, in a small or a large page.
    #[inline]
    pub(crate) const fn hwpoison(self) -> bool {
        self.has(VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)
    }

    /// Returns whether the access was not allowed.
    #[inline]
    pub(crate) const fn sigsegv(self) -> bool {
        self.has(VM_FAULT_SIGSEGV)
    }

    /// Returns whether there was nothing to access.
    #[inline]
    pub(crate) const fn sigbus(self) -> bool {
        self.has(VM_FAULT_SIGBUS)
    }

    /// Returns whether memory ran out.
    #[inline]
    pub(crate) const fn oom(self) -> bool {
        self.has(VM_FAULT_OOM)
    }
}

#[kunit_tests(trapscope_flags)]
mod tests {
    use super::*;

    fn access(raw: u32) -> Access {
        FaultFlags::from_raw(raw).access()
    }

    #[test]
    fn each_manner_has_a_number_of_its_own() {
        let mut seen = [false; Manner::COUNT];
        for manner in Manner::all() {
            assert!(!core::mem::replace(&mut seen[manner.index()], true));
        }
        assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn a_manner_keeps_what_is_counted() {
        for bits in 0..1 << 14 {
            let flags = FaultFlags::from_raw(bits);
            for regs in [false, true] {
                let manner = Manner::new(flags, regs);
                assert_eq!(manner.has_registers(), regs);
                assert_eq!(manner.flags().origin(regs), flags.origin(regs));
                assert_eq!(manner.flags().access(), flags.access());
                assert_eq!(manner.flags().vma_lock(), flags.vma_lock());
                assert_eq!(manner.flags().tried(), flags.tried());
                assert!(manner.over(true).major() && !manner.over(false).major());
            }
        }
    }

    #[test]
    fn access_of_flags() {
        assert_eq!(access(0), Access::Read);
        assert_eq!(access(FAULT_FLAG_WRITE | FAULT_FLAG_USER), Access::Write);
        assert_eq!(access(FAULT_FLAG_INSTRUCTION), Access::Exec);
        assert_eq!(
            access(FAULT_FLAG_INSTRUCTION | FAULT_FLAG_WRITE),
            Access::Exec
        );
        assert_eq!(access(FAULT_FLAG_UNSHARE), Access::Read);
    }

    #[test]
    fn origin_of_flags() {
        let user = FaultFlags::from_raw(FAULT_FLAG_USER);
        let kernel = FaultFlags::from_raw(FAULT_FLAG_WRITE);
        assert_eq!(user.origin(true), Origin::User);
        assert_eq!(kernel.origin(true), Origin::Kernel);
        assert_eq!(kernel.origin(false), Origin::Remote);
        assert_eq!(user.origin(false), Origin::Remote);
    }

    #[test]
    fn each_fault_flag_is_its_own() {
        let facts = |raw| {
            let f = FaultFlags::from_raw(raw);
            [f.write(), f.tried(), f.unshare(), f.vma_lock()]
        };
        assert_eq!(facts(FAULT_FLAG_WRITE), [true, false, false, false]);
        assert_eq!(facts(FAULT_FLAG_TRIED), [false, true, false, false]);
        assert_eq!(facts(FAULT_FLAG_UNSHARE), [false, false, true, false]);
        assert_eq!(facts(FAULT_FLAG_VMA_LOCK), [false, false, false, true]);
    }

    #[test]
    fn errors_of_results() {
        let failed = |raw| VmFault::from_raw(raw).error();
        assert!(failed(VM_FAULT_OOM));
        assert!(failed(VM_FAULT_SIGBUS));
        assert!(failed(VM_FAULT_SIGSEGV));
        assert!(failed(VM_FAULT_HWPOISON));
        assert!(failed(VM_FAULT_HWPOISON_LARGE | 0x3_0000));
        // Also set here: VM_FAULT_NOPAGE, VM_FAULT_LOCKED, VM_FAULT_COMPLETED.
        assert!(!failed(VM_FAULT_MAJOR | VM_FAULT_RETRY | 0x4300));
    }

    #[test]
    fn each_result_is_its_own() {
        let facts = |raw| {
            let r = VmFault::from_raw(raw);
            [
                r.major(),
                r.retry(),
                r.hwpoison(),
                r.sigsegv(),
                r.sigbus(),
                r.oom(),
            ]
            .map(u8::from)
        };
        assert_eq!(facts(VM_FAULT_MAJOR), [1, 0, 0, 0, 0, 0]);
        assert_eq!(facts(VM_FAULT_RETRY), [0, 1, 0, 0, 0, 0]);
        assert_eq!(facts(VM_FAULT_HWPOISON), [0, 0, 1, 0, 0, 0]);
        assert_eq!(facts(VM_FAULT_HWPOISON_LARGE), [0, 0, 1, 0, 0, 0]);
        assert_eq!(facts(VM_FAULT_SIGSEGV), [0, 0, 0, 1, 0, 0]);
        assert_eq!(facts(VM_FAULT_SIGBUS), [0, 0, 0, 0, 1, 0]);
        assert_eq!(facts(VM_FAULT_OOM), [0, 0, 0, 0, 0, 1]);
        assert_eq!(facts(0), [0; 6]);
    }
}
