// SPDX-License-Identifier: GPL-2.0

//! Sorts a fault into a class, from the page table before and after and from the outcome.
//!
//! That takes two steps. [`at_entry`] takes the same decisions as handle_mm_fault() is about to
//! take (handle_pte_fault() and __handle_mm_fault() of mm/memory.c, hugetlb_fault() of
//! mm/hugetlb.c), as far as the entry of the page table tells; the rest is left as a question in
//! the [`Hint`]. [`at_exit`] or [`on_retry`] answers it from the outcome. The page table is read
//! without a lock, so that another CPU may change it in between: then the class is that of what
//! was seen first, unless the outcome says otherwise.

use super::{
    class::Class,
    flags::{
        FaultFlags,
        VmFault, //
    },
    pte::{
        Leaf,
        Level,
        State, //
    },
};
use kernel::prelude::*;

/// What matters of a VMA, as a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VmaTraits(u16);

impl VmaTraits {
    /// vma_is_anonymous(): no operations.
    pub(crate) const ANONYMOUS: Self = Self(1 << 0);
    /// VM_SHARED or VM_MAYSHARE; the latter alone is a shared mapping of a read-only file.
    pub(crate) const SHARED: Self = Self(1 << 1);
    /// VM_SHARED.
    pub(crate) const WRITE_SHARED: Self = Self(1 << 2);
    /// vma_is_cow_mapping(): VM_MAYWRITE and not VM_SHARED.
    pub(crate) const COW: Self = Self(1 << 3);
    /// is_vm_hugetlb_page().
    pub(crate) const HUGETLB: Self = Self(1 << 4);
    /// VM_PFNMAP, VM_MIXEDMAP or VM_IO, or no file though not anonymous, or a character device.
    pub(crate) const SPECIAL: Self = Self(1 << 5);
    /// vma_is_shmem(): tmpfs, shared anonymous memory, memfd.
    pub(crate) const SHMEM: Self = Self(1 << 6);
    /// vma_is_accessible(): any of VM_READ, VM_WRITE and VM_EXEC.
    pub(crate) const ACCESSIBLE: Self = Self(1 << 7);
    /// VM_UFFD_MISSING.
    pub(crate) const UFFD_MISSING: Self = Self(1 << 8);
    /// VM_UFFD_WP.
    pub(crate) const UFFD_WP: Self = Self(1 << 9);
    /// VM_UFFD_MINOR.
    pub(crate) const UFFD_MINOR: Self = Self(1 << 10);
    /// VM_UFFD_RWP.
    pub(crate) const UFFD_RWP: Self = Self(1 << 11);

    /// Wraps the bits.
    #[inline]
    pub(crate) const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// Returns the bits.
    #[inline]
    pub(crate) const fn raw(self) -> u16 {
        self.0
    }

    /// Returns whether the set has any of the traits of `other`.
    #[inline(always)]
    pub(crate) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The traits with which a fault takes more than a look: the table may be
    /// shared, or the page cache has to be asked.
    pub(crate) const INTRICATE: Self =
        Self(Self::HUGETLB.0 | Self::UFFD_MISSING.0 | Self::UFFD_MINOR.0);

    /// Returns whether the set has all traits of `other`.
    #[inline]
    pub(crate) const fn is(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What the class of a fault will be, as far as that is known when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hint {
    /// This class, unless the call fails.
    Is(Class),
    /// Missing anonymous memory is read, and no page table is there yet: is a huge page mapped?
    AnonRead,
    /// Missing anonymous memory is written to, and no page table is there yet: is a huge page
    /// mapped?
    AnonWrite,
    /// Missing shmem memory: this class, unless it has to come from a swap device.
    ShmemRead,
    /// As [`Hint::ShmemRead`], for a write to a shared mapping.
    ShmemWrite,
    /// As [`Hint::ShmemRead`], for a write to a private mapping.
    ShmemCow,
    /// A swap entry: does it have to be read from its device?
    Swap,
    /// As [`Hint::Swap`], for a write to a page that userfaultfd protects: it is asked afterwards.
    SwapUffdWp,
    /// A small page of a private mapping is written to and protected: is it copied?
    Protected,
}

impl Hint {
    /// Returns the class of a call that returned no VM_FAULT_ERROR, VM_FAULT_RETRY or
    /// VM_FAULT_MAJOR, as [`at_exit`] would; `None` if that has to look at the page table again.
    #[inline(always)]
    pub(crate) const fn at_once(self) -> Option<Class> {
        match self {
            Hint::AnonRead | Hint::AnonWrite | Hint::Protected => None,
            Hint::Is(class) => Some(class),
            Hint::ShmemRead => Some(Class::FileRead),
            Hint::ShmemWrite => Some(Class::FileWrite),
            Hint::ShmemCow => Some(Class::CowFile),
            Hint::Swap | Hint::SwapUffdWp => Some(Class::SwapCache),
        }
    }

    /// Returns whether [`at_exit`] has to know the page table after a call with this result.
    #[inline]
    pub(crate) const fn needs_after(self, result: VmFault) -> bool {
        matches!(self, Hint::AnonRead | Hint::AnonWrite | Hint::Protected)
            && !result.error()
            && !result.retry()
    }

    /// Returns whether [`on_retry`] has to know if the page was in the page cache before the call.
    ///
    /// It has to be looked up before the call, since a userfaultfd handler may fill the page in
    /// while the call waits.
    #[inline]
    pub(crate) fn needs_page_cache(self, vma: VmaTraits) -> bool {
        (vma.is(VmaTraits::UFFD_MISSING) || vma.is(VmaTraits::UFFD_MINOR))
            && !vma.is(VmaTraits::ANONYMOUS)
            && self.missing()
    }

    /// Returns whether the hint is that of a missing entry.
    #[inline]
    const fn missing(self) -> bool {
        match self {
            Hint::AnonRead | Hint::AnonWrite => true,
            Hint::ShmemRead | Hint::ShmemWrite | Hint::ShmemCow => true,
            Hint::Is(class) => matches!(
                class,
                Class::AnonZero
                    | Class::AnonAlloc
                    | Class::FileRead
                    | Class::FileWrite
                    | Class::CowFile
                    | Class::Hugetlb
                    | Class::Special
            ),
            Hint::Swap | Hint::SwapUffdWp | Hint::Protected => false,
        }
    }

    /// Returns the class as the hint and the result tell it, with questions about the page table
    /// answered by what is most common.
    #[inline]
    const fn likely(self, result: VmFault) -> Class {
        match self {
            Hint::Is(class) => class,
            Hint::AnonRead => Class::AnonZero,
            Hint::AnonWrite => Class::AnonAlloc,
            Hint::ShmemRead | Hint::ShmemWrite | Hint::ShmemCow | Hint::Swap | Hint::SwapUffdWp
                if result.major() =>
            {
                Class::SwapIn
            }
            Hint::ShmemRead => Class::FileRead,
            Hint::ShmemWrite => Class::FileWrite,
            Hint::ShmemCow => Class::CowFile,
            Hint::Swap | Hint::SwapUffdWp => Class::SwapCache,
            Hint::Protected => Class::CowCopy,
        }
    }
}

/// Returns what is known about a fault before handle_mm_fault() runs.
///
/// `state` is what the page table says, and `grew` tells that the fault was below a stack, which
/// was expanded for it.
#[inline(always)]
pub(crate) fn at_entry(state: State, vma: VmaTraits, flags: FaultFlags, grew: bool) -> Hint {
    if grew {
        return Hint::Is(Class::StackGrowth);
    }

    match state {
        State::Missing(level) => missing(level, vma, flags),
        // A userfaultfd marker that outlived its registration is cleared and nothing is mapped.
        State::Marker if !vma.is(VmaTraits::UFFD_WP) && !vma.is(VmaTraits::HUGETLB) => {
            Hint::Is(Class::Spurious)
        }
        State::Marker => missing(Level::Pte, vma, flags),
        State::Swap { uffd } if uffd && flags.write() && vma.is(VmaTraits::UFFD_WP) => {
            Hint::SwapUffdWp
        }
        State::Swap { .. } => Hint::Swap,
        State::Migration => Hint::Is(Class::MigrationWait),
        State::DevicePrivate => Hint::Is(Class::DevicePrivate),
        // Fails, or else was replaced before the call looked at it.
        State::Unusable => Hint::Is(Class::Spurious),
        State::Present(leaf) => Hint::present(leaf, vma, flags),
    }
}

/// Returns what is known about a fault on an entry that is none, at this level: do_pte_missing(),
/// create_huge_pmd() and hugetlb_no_page().
#[inline(always)]
pub(crate) fn missing(level: Level, vma: VmaTraits, flags: FaultFlags) -> Hint {
    let shmem = vma.is(VmaTraits::SHMEM);

    if vma.is(VmaTraits::ANONYMOUS) {
        match (level, flags.write()) {
            // A huge page is only tried while there is no page table.
            (Level::Pte, false) => Hint::Is(Class::AnonZero),
            (Level::Pte, true) => Hint::Is(Class::AnonAlloc),
            (_, false) => Hint::AnonRead,
            (_, true) => Hint::AnonWrite,
        }
    } else if vma.is(VmaTraits::HUGETLB) {
        Hint::Is(Class::Hugetlb)
    } else if vma.is(VmaTraits::SPECIAL) {
        Hint::Is(Class::Special)
    } else if !flags.write() {
        if shmem {
            Hint::ShmemRead
        } else {
            Hint::Is(Class::FileRead)
        }
    } else if vma.is(VmaTraits::WRITE_SHARED) {
        if shmem {
            Hint::ShmemWrite
        } else {
            Hint::Is(Class::FileWrite)
        }
    } else if shmem {
        Hint::ShmemCow
    } else {
        Hint::Is(Class::CowFile)
    }
}

impl Hint {
    /// The part of handle_pte_fault(), __handle_mm_fault() and hugetlb_fault() for a mapped page.
    #[inline]
    fn present(leaf: Leaf, vma: VmaTraits, flags: FaultFlags) -> Hint {
        let hugetlb = vma.is(VmaTraits::HUGETLB);

        if leaf.protnone && vma.is(VmaTraits::ACCESSIBLE) {
            if leaf.uffd && (hugetlb || vma.is(VmaTraits::UFFD_RWP)) {
                return Hint::Is(Class::UffdRwp);
            }
            // Automatic NUMA balancing leaves hugetlb alone.
            if !hugetlb {
                return Hint::Is(Class::NumaHint);
            }
        }

        // sanitize_fault_flags() drops the request where nothing is copied on write.
        let unshare = flags.unshare() && vma.is(VmaTraits::COW);

        if leaf.write || !(flags.write() || unshare) {
            Hint::Is(Class::Spurious)
        } else if unshare {
            Hint::Is(Class::CowUnshare)
        } else if leaf.uffd && vma.is(VmaTraits::UFFD_WP) {
            Hint::Is(Class::UffdWp)
        } else if vma.is(VmaTraits::SHARED) {
            Hint::Is(Class::WriteNotify)
        } else if hugetlb {
            Hint::Is(Class::CowHugetlb)
        } else if leaf.zero {
            Hint::Is(Class::CowZero)
        } else if leaf.level != Level::Pte {
            Hint::Is(Class::CowHuge)
        } else {
            Hint::Protected
        }
    }
}

/// Returns the class of a call that did not end in VM_FAULT_RETRY.
///
/// `before` is the frame number that was mapped before the call, if there was one; `after` is what
/// the page table says after it, needed if [`Hint::needs_after`] says so.
#[inline(always)]
pub(crate) fn at_exit(
    hint: Hint,
    result: VmFault,
    before: Option<u64>,
    after: Option<State>,
) -> Class {
    if result.error() {
        if let Some(class) = failure(result) {
            return class;
        }
    }

    match (hint, after) {
        // The huge zero page is as good as the small one.
        (Hint::AnonRead | Hint::AnonWrite, Some(State::Present(leaf)))
            if leaf.level != Level::Pte && !leaf.zero =>
        {
            Class::AnonHuge
        }
        (Hint::Protected, Some(State::Present(leaf))) if before == Some(leaf.pfn) => {
            if leaf.write {
                Class::CowReuse
            } else {
                Class::Spurious
            }
        }
        _ => hint.likely(result),
    }
}

/// Returns the class of a call that ended in VM_FAULT_RETRY.
///
/// `page_cache` tells whether the page was in the page cache before the call, needed if
/// [`Hint::needs_page_cache`] says so. The rules are those of shmem_get_folio_gfp() and
/// hugetlb_no_page(): a page in the cache is a minor fault for userfaultfd, another one is missing.
/// Whether the class outlives the retry is for [`Class::survives_retry`] to say.
#[inline]
pub(crate) fn on_retry(
    hint: Hint,
    result: VmFault,
    vma: VmaTraits,
    page_cache: Option<bool>,
) -> Class {
    if hint == Hint::SwapUffdWp {
        // It may have been the page's lock that was waited for: then the next attempt will ask.
        return Class::UffdWp;
    }
    let asks = if page_cache.unwrap_or(false) {
        (VmaTraits::UFFD_MINOR, Class::UffdMinor)
    } else {
        (VmaTraits::UFFD_MISSING, Class::UffdMissing)
    };
    if hint.missing() && vma.is(asks.0) {
        asks.1
    } else {
        hint.likely(result)
    }
}

/// Returns the class of a failed call; if it failed for several reasons, the most specific one.
#[inline]
fn failure(result: VmFault) -> Option<Class> {
    if result.hwpoison() {
        Some(Class::Hwpoison)
    } else if result.sigsegv() {
        Some(Class::Sigsegv)
    } else if result.sigbus() {
        Some(Class::Sigbus)
    } else if result.oom() {
        Some(Class::Oom)
    } else {
        None
    }
}

#[kunit_tests(trapscope_classify)]
mod tests {
    use super::super::flags::{
        FAULT_FLAG_INSTRUCTION,
        FAULT_FLAG_UNSHARE,
        FAULT_FLAG_WRITE,
        VM_FAULT_FALLBACK,
        VM_FAULT_HWPOISON,
        VM_FAULT_HWPOISON_LARGE,
        VM_FAULT_MAJOR,
        VM_FAULT_OOM,
        VM_FAULT_RETRY,
        VM_FAULT_SIGBUS,
        VM_FAULT_SIGSEGV, //
    };
    use super::*;

    const SWAP: State = State::Swap { uffd: false };

    const READ: u32 = 0;
    const WRITE: u32 = FAULT_FLAG_WRITE;
    const EXEC: u32 = FAULT_FLAG_INSTRUCTION;
    const UNSHARE: u32 = FAULT_FLAG_UNSHARE;

    const DONE: u32 = 0;
    const MAJOR: u32 = VM_FAULT_MAJOR;
    const RETRY: u32 = VM_FAULT_RETRY;
    /// VM_FAULT_COMPLETED.
    const UNLOCKED: u32 = 0x4000;

    impl VmaTraits {
        const NONE: Self = Self(0);

        fn with(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }
    }

    fn traits(list: &[VmaTraits]) -> VmaTraits {
        list.iter().fold(VmaTraits::NONE, |all, &one| all.with(one))
    }

    fn anon() -> VmaTraits {
        traits(&[VmaTraits::ANONYMOUS, VmaTraits::COW, VmaTraits::ACCESSIBLE])
    }

    fn private() -> VmaTraits {
        traits(&[VmaTraits::COW, VmaTraits::ACCESSIBLE])
    }

    fn shared() -> VmaTraits {
        traits(&[
            VmaTraits::SHARED,
            VmaTraits::WRITE_SHARED,
            VmaTraits::ACCESSIBLE,
        ])
    }

    const READ_ONLY: Leaf = Leaf {
        pfn: 7,
        level: Level::Pte,
        write: false,
        protnone: false,
        uffd: false,
        zero: false,
    };

    const WRITABLE: Leaf = Leaf {
        write: true,
        ..READ_ONLY
    };

    const ZERO: Leaf = Leaf {
        zero: true,
        ..READ_ONLY
    };

    const HUGE: Leaf = Leaf {
        pfn: 512,
        level: Level::Pmd,
        ..READ_ONLY
    };

    const PROTNONE: Leaf = Leaf {
        protnone: true,
        ..READ_ONLY
    };

    const PTE_NONE: State = State::Missing(Level::Pte);
    const PMD_NONE: State = State::Missing(Level::Pmd);

    fn hint(state: State, vma: VmaTraits, flags: u32) -> Hint {
        at_entry(state, vma, FaultFlags::from_raw(flags), false)
    }

    /// The class of a fault after which nothing has to be read.
    fn class(state: State, vma: VmaTraits, flags: u32, result: u32) -> Option<Class> {
        let hint = hint(state, vma, flags);
        let result = VmFault::from_raw(result);
        (!hint.needs_after(result)).then(|| at_exit(hint, result, state.pfn(), None))
    }

    /// The class of a fault that had to read the page table again.
    fn class_after(state: State, vma: VmaTraits, flags: u32, after: State) -> Option<Class> {
        let hint = hint(state, vma, flags);
        let result = VmFault::from_raw(DONE);
        hint.needs_after(result)
            .then(|| at_exit(hint, result, state.pfn(), Some(after)))
    }

    fn retried(
        state: State,
        vma: VmaTraits,
        flags: u32,
        result: u32,
        cached: Option<bool>,
    ) -> Class {
        on_retry(
            hint(state, vma, flags),
            VmFault::from_raw(result | RETRY),
            vma,
            cached,
        )
    }

    #[test]
    fn a_hint_is_small() {
        assert_eq!(core::mem::size_of::<Hint>(), 1);
    }

    #[test]
    fn traits_are_independent() {
        let all = [
            VmaTraits::ANONYMOUS,
            VmaTraits::SHARED,
            VmaTraits::WRITE_SHARED,
            VmaTraits::COW,
            VmaTraits::HUGETLB,
            VmaTraits::SPECIAL,
            VmaTraits::SHMEM,
            VmaTraits::ACCESSIBLE,
            VmaTraits::UFFD_MISSING,
            VmaTraits::UFFD_WP,
            VmaTraits::UFFD_MINOR,
            VmaTraits::UFFD_RWP,
        ];
        for one in all {
            let set = VmaTraits::NONE.with(one);
            assert_eq!(all.iter().filter(|&&t| set.is(t)).count(), 1);
            assert!(!VmaTraits::NONE.is(one));
        }
    }

    #[test]
    fn errors_come_first() {
        let failed = |result| class(SWAP, anon(), WRITE, result);
        assert_eq!(failed(VM_FAULT_HWPOISON), Some(Class::Hwpoison));
        assert_eq!(
            failed(VM_FAULT_HWPOISON_LARGE | 0x1_0000),
            Some(Class::Hwpoison)
        );
        assert_eq!(failed(VM_FAULT_SIGSEGV), Some(Class::Sigsegv));
        assert_eq!(failed(VM_FAULT_SIGBUS), Some(Class::Sigbus));
        assert_eq!(failed(VM_FAULT_OOM | MAJOR), Some(Class::Oom));
        assert_eq!(
            failed(VM_FAULT_SIGBUS | VM_FAULT_HWPOISON),
            Some(Class::Hwpoison)
        );
        // An error that no class stands for does not hide what happened.
        assert_eq!(failed(VM_FAULT_FALLBACK), Some(Class::SwapCache));

        let grew = at_entry(PTE_NONE, anon(), FaultFlags::from_raw(WRITE), true);
        let oom = VmFault::from_raw(VM_FAULT_OOM);
        assert_eq!(at_exit(grew, oom, None, None), Class::Oom);
        // Nothing is read after a failure.
        assert_eq!(
            class(PMD_NONE, anon(), WRITE, VM_FAULT_OOM),
            Some(Class::Oom)
        );
    }

    #[test]
    fn stack_growth_comes_before_all_states() {
        for state in [PTE_NONE, PMD_NONE, SWAP, State::Present(READ_ONLY)] {
            let hint = at_entry(state, anon(), FaultFlags::from_raw(WRITE), true);
            assert_eq!(hint, Hint::Is(Class::StackGrowth));
        }
        assert!(Class::StackGrowth.survives_retry());
    }

    #[test]
    fn hugetlb() {
        let private = private().with(VmaTraits::HUGETLB);
        let shared = shared().with(VmaTraits::HUGETLB);
        let uffd_wp = shared.with(VmaTraits::UFFD_WP);
        let page = State::Present(HUGE);

        assert_eq!(class(PMD_NONE, private, READ, DONE), Some(Class::Hugetlb));
        assert_eq!(class(PMD_NONE, shared, WRITE, DONE), Some(Class::Hugetlb));
        assert_eq!(
            class(State::Marker, uffd_wp, WRITE, DONE),
            Some(Class::Hugetlb)
        );
        assert_eq!(
            class(State::Marker, private, WRITE, DONE),
            Some(Class::Hugetlb)
        );
        assert_eq!(class(page, private, WRITE, DONE), Some(Class::CowHugetlb));
        assert_eq!(class(page, shared, WRITE, DONE), Some(Class::WriteNotify));
        assert_eq!(class(page, private, UNSHARE, DONE), Some(Class::CowUnshare));
        assert_eq!(class(page, private, READ, DONE), Some(Class::Spurious));
        assert_eq!(
            class(State::Migration, private, READ, DONE),
            Some(Class::MigrationWait)
        );
        assert_eq!(
            class(State::Unusable, private, READ, VM_FAULT_HWPOISON_LARGE),
            Some(Class::Hwpoison)
        );
        let protected = State::Present(Leaf { uffd: true, ..HUGE });
        assert_eq!(
            retried(protected, uffd_wp, WRITE, DONE, None),
            Class::UffdWp
        );
    }

    #[test]
    fn hugetlb_has_no_numa_hints() {
        let vma = private().with(VmaTraits::HUGETLB);
        let hidden = Leaf {
            protnone: true,
            ..HUGE
        };
        assert_eq!(
            class(State::Present(hidden), vma, WRITE, DONE),
            Some(Class::CowHugetlb)
        );
        let marked = Leaf {
            uffd: true,
            ..hidden
        };
        assert_eq!(
            class(State::Present(marked), vma, WRITE, DONE),
            Some(Class::UffdRwp)
        );
    }

    #[test]
    fn anonymous_below_a_page_table() {
        assert_eq!(class(PTE_NONE, anon(), READ, DONE), Some(Class::AnonZero));
        assert_eq!(class(PTE_NONE, anon(), EXEC, DONE), Some(Class::AnonZero));
        assert_eq!(
            class(PTE_NONE, anon(), UNSHARE, DONE),
            Some(Class::AnonZero)
        );
        assert_eq!(class(PTE_NONE, anon(), WRITE, DONE), Some(Class::AnonAlloc));
    }

    #[test]
    fn anonymous_without_a_page_table() {
        let small = State::Present(WRITABLE);
        let huge = State::Present(Leaf {
            write: true,
            ..HUGE
        });
        let huge_zero = State::Present(Leaf { zero: true, ..HUGE });
        let after = |flags, after| class_after(PMD_NONE, anon(), flags, after);

        assert_eq!(after(WRITE, small), Some(Class::AnonAlloc));
        assert_eq!(after(WRITE, huge), Some(Class::AnonHuge));
        assert_eq!(after(READ, State::Present(ZERO)), Some(Class::AnonZero));
        assert_eq!(after(READ, huge_zero), Some(Class::AnonZero));
        // The huge zero page is switched off: a read allocates.
        assert_eq!(after(READ, huge), Some(Class::AnonHuge));
        // Gone again before it could be read.
        assert_eq!(after(READ, PMD_NONE), Some(Class::AnonZero));
        assert_eq!(after(WRITE, PTE_NONE), Some(Class::AnonAlloc));
        // The walk may as well have stopped further up.
        let top = State::Missing(Level::Pud);
        assert_eq!(class_after(top, anon(), WRITE, huge), Some(Class::AnonHuge));
    }

    #[test]
    fn files() {
        assert_eq!(
            class(PTE_NONE, private(), READ, DONE),
            Some(Class::FileRead)
        );
        assert_eq!(
            class(PMD_NONE, private(), EXEC, MAJOR),
            Some(Class::FileRead)
        );
        assert_eq!(
            class(PTE_NONE, private(), WRITE, DONE),
            Some(Class::CowFile)
        );
        assert_eq!(class(PTE_NONE, shared(), READ, DONE), Some(Class::FileRead));
        assert_eq!(
            class(PTE_NONE, shared(), WRITE, UNLOCKED),
            Some(Class::FileWrite)
        );
    }

    #[test]
    fn shmem() {
        let private = private().with(VmaTraits::SHMEM);
        let shared = shared().with(VmaTraits::SHMEM);

        assert_eq!(class(PTE_NONE, shared, READ, DONE), Some(Class::FileRead));
        assert_eq!(class(PTE_NONE, shared, WRITE, DONE), Some(Class::FileWrite));
        assert_eq!(class(PTE_NONE, private, WRITE, DONE), Some(Class::CowFile));
        assert_eq!(class(PTE_NONE, shared, READ, MAJOR), Some(Class::SwapIn));
        assert_eq!(class(PTE_NONE, shared, WRITE, MAJOR), Some(Class::SwapIn));
        assert_eq!(class(PTE_NONE, private, WRITE, MAJOR), Some(Class::SwapIn));
    }

    #[test]
    fn special() {
        let vma = shared().with(VmaTraits::SPECIAL);
        assert_eq!(class(PTE_NONE, vma, READ, DONE), Some(Class::Special));
        assert_eq!(class(PTE_NONE, vma, WRITE, DONE), Some(Class::Special));
        let private = private().with(VmaTraits::SPECIAL);
        assert_eq!(class(PMD_NONE, private, WRITE, DONE), Some(Class::Special));
    }

    #[test]
    fn swap() {
        assert_eq!(class(SWAP, anon(), WRITE, MAJOR), Some(Class::SwapIn));
        assert_eq!(class(SWAP, anon(), READ, DONE), Some(Class::SwapCache));
        // The read starts in one attempt and is found finished by the next.
        let first = retried(SWAP, anon(), READ, MAJOR, None);
        assert_eq!(first, Class::SwapIn);
        assert!(first.survives_retry());
        let second = retried(SWAP, anon(), READ, DONE, None);
        assert_eq!(second, Class::SwapCache);
        assert!(!second.survives_retry());
    }

    #[test]
    fn migration_and_device_memory() {
        assert_eq!(
            class(State::Migration, anon(), WRITE, DONE),
            Some(Class::MigrationWait)
        );
        assert_eq!(
            class(State::DevicePrivate, anon(), READ, MAJOR),
            Some(Class::DevicePrivate)
        );
        assert_eq!(
            retried(State::DevicePrivate, anon(), READ, DONE, None),
            Class::DevicePrivate
        );
    }

    #[test]
    fn markers() {
        let wp = shared().with(VmaTraits::UFFD_WP);
        assert_eq!(class(State::Marker, wp, READ, DONE), Some(Class::FileRead));
        let anon_wp = anon().with(VmaTraits::UFFD_WP);
        assert_eq!(
            class(State::Marker, anon_wp, WRITE, DONE),
            Some(Class::AnonAlloc)
        );
        // Guard page, poison.
        assert_eq!(
            class(State::Marker, anon(), READ, VM_FAULT_SIGSEGV),
            Some(Class::Sigsegv)
        );
        assert_eq!(
            class(State::Marker, anon(), READ, VM_FAULT_HWPOISON),
            Some(Class::Hwpoison)
        );
        // Left over after userfaultfd was unregistered.
        assert_eq!(
            class(State::Marker, shared(), READ, DONE),
            Some(Class::Spurious)
        );
    }

    #[test]
    fn numa_hints_and_uffd_rwp() {
        let rwp = anon().with(VmaTraits::UFFD_RWP);
        let hidden = State::Present(PROTNONE);
        let marked = State::Present(Leaf {
            uffd: true,
            ..PROTNONE
        });
        let huge = State::Present(Leaf {
            protnone: true,
            ..HUGE
        });

        assert_eq!(class(hidden, anon(), READ, DONE), Some(Class::NumaHint));
        assert_eq!(class(hidden, anon(), WRITE, DONE), Some(Class::NumaHint));
        assert_eq!(class(huge, anon(), READ, DONE), Some(Class::NumaHint));
        assert_eq!(class(hidden, rwp, READ, DONE), Some(Class::NumaHint));
        assert_eq!(class(marked, anon(), READ, DONE), Some(Class::NumaHint));
        assert_eq!(class(marked, rwp, WRITE, DONE), Some(Class::UffdRwp));
        assert_eq!(retried(marked, rwp, READ, DONE, None), Class::UffdRwp);
        assert!(Class::UffdRwp.survives_retry());
    }

    #[test]
    fn inaccessible_mappings_have_no_hints() {
        // PROT_NONE: only the kernel gets here, to read or write by force.
        let none = traits(&[VmaTraits::ANONYMOUS, VmaTraits::COW]);
        let hidden = State::Present(PROTNONE);
        assert_eq!(class(hidden, none, READ, DONE), Some(Class::Spurious));
        assert_eq!(hint(hidden, none, WRITE), Hint::Protected);
    }

    #[test]
    fn uffd_write_protection() {
        let wp = anon().with(VmaTraits::UFFD_WP);
        let marked = State::Present(Leaf {
            uffd: true,
            ..READ_ONLY
        });
        assert_eq!(class(marked, wp, WRITE, DONE), Some(Class::UffdWp));
        assert_eq!(retried(marked, wp, WRITE, DONE, None), Class::UffdWp);
        assert!(Class::UffdWp.survives_retry());
        // Swapped out: brought back first, then asked for.
        let swapped = State::Swap { uffd: true };
        assert_eq!(retried(swapped, wp, WRITE, MAJOR, None), Class::UffdWp);
        assert_eq!(class(swapped, wp, WRITE, MAJOR), Some(Class::SwapIn));
        assert_eq!(retried(swapped, wp, READ, MAJOR, None), Class::SwapIn);
        assert_eq!(retried(swapped, anon(), WRITE, MAJOR, None), Class::SwapIn);
        // Left over, or only read, or only unshared.
        assert_eq!(hint(marked, anon(), WRITE), Hint::Protected);
        assert_eq!(class(marked, wp, READ, DONE), Some(Class::Spurious));
        assert_eq!(class(marked, wp, UNSHARE, DONE), Some(Class::CowUnshare));
    }

    #[test]
    fn unshare() {
        let page = State::Present(READ_ONLY);
        assert_eq!(class(page, anon(), UNSHARE, DONE), Some(Class::CowUnshare));
        assert_eq!(
            class(State::Present(ZERO), private(), UNSHARE, DONE),
            Some(Class::CowUnshare)
        );
        // Where nothing is copied on write it is a plain read.
        assert_eq!(class(page, shared(), UNSHARE, DONE), Some(Class::Spurious));
    }

    #[test]
    fn write_notify() {
        let page = State::Present(READ_ONLY);
        assert_eq!(class(page, shared(), WRITE, DONE), Some(Class::WriteNotify));
        // Also for the zero page of a hole and for huge pages.
        for leaf in [ZERO, HUGE] {
            assert_eq!(
                class(State::Present(leaf), shared(), WRITE, DONE),
                Some(Class::WriteNotify)
            );
        }
        assert_eq!(
            retried(page, shared(), WRITE, DONE, None),
            Class::WriteNotify
        );
    }

    #[test]
    fn cow_of_the_zero_page() {
        assert_eq!(
            class(State::Present(ZERO), anon(), WRITE, DONE),
            Some(Class::CowZero)
        );
        let huge_zero = Leaf { zero: true, ..HUGE };
        assert_eq!(
            class(State::Present(huge_zero), anon(), WRITE, DONE),
            Some(Class::CowZero)
        );
    }

    #[test]
    fn cow_of_a_huge_page() {
        for vma in [anon(), private()] {
            assert_eq!(
                class(State::Present(HUGE), vma, WRITE, DONE),
                Some(Class::CowHuge)
            );
        }
    }

    #[test]
    fn copy_or_reuse() {
        let before = State::Present(READ_ONLY);
        let after = |leaf| class_after(before, anon(), WRITE, State::Present(leaf));

        assert_eq!(after(Leaf { pfn: 8, ..WRITABLE }), Some(Class::CowCopy));
        // Written to by force where writing is not allowed.
        assert_eq!(
            after(Leaf {
                pfn: 8,
                ..READ_ONLY
            }),
            Some(Class::CowCopy)
        );
        assert_eq!(after(WRITABLE), Some(Class::CowReuse));
        assert_eq!(after(READ_ONLY), Some(Class::Spurious));
        assert_eq!(
            class_after(before, private(), WRITE, SWAP),
            Some(Class::CowCopy)
        );
        // Unknown, since the lock was dropped.
        let vanished = at_exit(Hint::Protected, VmFault::from_raw(DONE), Some(7), None);
        assert_eq!(vanished, Class::CowCopy);
    }

    #[test]
    fn permitted_is_spurious() {
        let read_only = State::Present(READ_ONLY);
        let writable = State::Present(WRITABLE);
        assert_eq!(class(read_only, anon(), READ, DONE), Some(Class::Spurious));
        assert_eq!(class(read_only, anon(), EXEC, DONE), Some(Class::Spurious));
        assert_eq!(class(writable, anon(), WRITE, DONE), Some(Class::Spurious));
        assert_eq!(
            class(writable, anon(), UNSHARE, DONE),
            Some(Class::Spurious)
        );
    }

    #[test]
    fn unusable_entries() {
        assert_eq!(
            class(State::Unusable, anon(), READ, VM_FAULT_HWPOISON),
            Some(Class::Hwpoison)
        );
        assert_eq!(
            class(State::Unusable, anon(), READ, DONE),
            Some(Class::Spurious)
        );
    }

    #[test]
    fn uffd_missing() {
        let anon_vma = anon().with(VmaTraits::UFFD_MISSING);
        let file = shared()
            .with(VmaTraits::SHMEM)
            .with(VmaTraits::UFFD_MISSING);

        assert_eq!(
            retried(PTE_NONE, anon_vma, READ, DONE, None),
            Class::UffdMissing
        );
        assert_eq!(
            retried(PMD_NONE, anon_vma, WRITE, DONE, None),
            Class::UffdMissing
        );
        assert_eq!(
            retried(PTE_NONE, file, WRITE, DONE, None),
            Class::UffdMissing
        );
        assert_eq!(
            retried(PMD_NONE, file.with(VmaTraits::HUGETLB), READ, DONE, None),
            Class::UffdMissing
        );
        assert!(Class::UffdMissing.survives_retry());
        // The attempt that finds the page filled in is an ordinary one.
        assert_eq!(class(PTE_NONE, anon_vma, READ, DONE), Some(Class::AnonZero));
        // Something else was waited for.
        assert_eq!(retried(SWAP, anon_vma, READ, MAJOR, None), Class::SwapIn);
    }

    #[test]
    fn uffd_minor() {
        let minor = shared().with(VmaTraits::SHMEM).with(VmaTraits::UFFD_MINOR);
        let both = minor.with(VmaTraits::UFFD_MISSING);
        let shared = |cached| retried(PTE_NONE, minor, READ, DONE, cached);
        let either = |cached| retried(PTE_NONE, both, WRITE, DONE, cached);

        assert_eq!(shared(Some(true)), Class::UffdMinor);
        assert_eq!(shared(Some(false)), Class::FileRead);
        assert_eq!(either(Some(true)), Class::UffdMinor);
        assert_eq!(either(Some(false)), Class::UffdMissing);
        assert!(Class::UffdMinor.survives_retry());

        assert!(hint(PTE_NONE, both, WRITE).needs_page_cache(both));
        assert!(hint(PTE_NONE, minor, WRITE).needs_page_cache(minor));
        assert!(!hint(PTE_NONE, anon(), WRITE).needs_page_cache(anon()));
        assert!(!hint(State::Present(READ_ONLY), both, WRITE).needs_page_cache(both));
    }

    #[test]
    fn retries_without_userfaultfd() {
        // No anon_vma yet, or the page is being read.
        assert_eq!(
            retried(PMD_NONE, anon(), WRITE, DONE, None),
            Class::AnonAlloc
        );
        assert_eq!(
            retried(PTE_NONE, private(), READ, MAJOR, None),
            Class::FileRead
        );
        assert_eq!(
            retried(State::Present(READ_ONLY), anon(), WRITE, DONE, None),
            Class::CowCopy
        );
        // What these attempts could not know yet is left to the next one.
        for class in [Class::AnonAlloc, Class::FileRead, Class::CowCopy] {
            assert!(!class.survives_retry());
        }
        // Nothing is read after an attempt that dropped the lock.
        let retry = VmFault::from_raw(RETRY);
        assert!(!hint(PMD_NONE, anon(), WRITE).needs_after(retry));
    }
}
