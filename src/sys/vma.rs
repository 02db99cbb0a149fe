// SPDX-License-Identifier: GPL-2.0

//! Virtual memory areas and what stands behind them.
//!
//! C header: [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h)

use crate::{
    bindings,
    decode::{
        classify::VmaTraits,
        pte::Level, //
    },
    sys::{
        page_table::PageTables,
        task::Owner, //
    },
};
use kernel::types::Opaque;

/// Tells VMA objects apart, as long as they live. Zero is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct VmaId(usize);

impl VmaId {
    /// Returns the one whose number was kept.
    pub(crate) fn from_word(number: u64) -> Self {
        Self(number as usize)
    }

    /// Returns the number, a multiple of eight.
    #[inline]
    pub(crate) fn raw(self) -> usize {
        self.0
    }
}

macro_rules! same_bits {
    ($($trait:ident = $bit:ident,)*) => {
        $(const _: () = assert!(
            VmaTraits::from_raw(bindings::$bit as u16).is(VmaTraits::$trait)
        );)*
    };
}

same_bits! {
    ANONYMOUS = trapscope_vma_trait_TRAPSCOPE_VMA_ANONYMOUS,
    SHARED = trapscope_vma_trait_TRAPSCOPE_VMA_SHARED,
    WRITE_SHARED = trapscope_vma_trait_TRAPSCOPE_VMA_WRITE_SHARED,
    COW = trapscope_vma_trait_TRAPSCOPE_VMA_COW,
    HUGETLB = trapscope_vma_trait_TRAPSCOPE_VMA_HUGETLB,
    SPECIAL = trapscope_vma_trait_TRAPSCOPE_VMA_SPECIAL,
    SHMEM = trapscope_vma_trait_TRAPSCOPE_VMA_SHMEM,
    ACCESSIBLE = trapscope_vma_trait_TRAPSCOPE_VMA_ACCESSIBLE,
    UFFD_MISSING = trapscope_vma_trait_TRAPSCOPE_VMA_UFFD_MISSING,
    UFFD_WP = trapscope_vma_trait_TRAPSCOPE_VMA_UFFD_WP,
    UFFD_MINOR = trapscope_vma_trait_TRAPSCOPE_VMA_UFFD_MINOR,
    UFFD_RWP = trapscope_vma_trait_TRAPSCOPE_VMA_UFFD_RWP,
}

/// What kind of name a mapping has.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// None.
    #[default]
    Anonymous,
    /// `[heap]`
    Heap,
    /// `[stack]`
    Stack,
    /// A path, or a name in brackets.
    Named,
}

/// What stands behind a mapping, as in /proc/PID/maps.
pub(crate) struct Backing {
    /// Offset in the file, in pages.
    pub(crate) offset_pages: u64,
    /// Inode number; 0 without a file.
    pub(crate) inode: u64,
    /// Device in the encoding of `new_encode_dev()`; 0 without a file.
    pub(crate) device: u32,
    /// What kind of name it has.
    pub(crate) kind: Kind,
    /// The same for two mappings that have the same name.
    pub(crate) name_key: [u64; 3],
}

/// What a VMA says of itself at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Looks {
    /// [`Vma::id`]
    pub(crate) id: VmaId,
    /// [`Vma::range`]
    pub(crate) range: (u64, u64),
    /// [`Vma::flags`]
    pub(crate) flags: u64,
    /// [`Vma::identity`]
    pub(crate) identity: u64,
    /// The address at which the file would begin; parts of a mapping have it in common.
    pub(crate) file_start: u64,
    /// It has, or had, pages that are no file's.
    pub(crate) anonymous_pages: bool,
}

/// A VMA whose lock, or whose mm's lock, is held. It is only met in the handlers
/// of probes.
///
/// # Invariants
///
/// The lock is held for as long as there is a reference, and preemption is off.
#[repr(transparent)]
pub(crate) struct Vma(Opaque<bindings::vm_area_struct>);

impl Vma {
    /// # Safety
    ///
    /// `vma` is a live VMA, and the lock is held for `'a`.
    pub(super) unsafe fn from_raw<'a>(vma: *mut bindings::vm_area_struct) -> &'a Self {
        // SAFETY: By the caller; the type is transparent.
        unsafe { &*vma.cast() }
    }

    /// Returns what tells this VMA from others.
    #[inline]
    pub(crate) fn id(&self) -> VmaId {
        VmaId(self.0.get() as usize)
    }

    /// Returns the first address and the one behind the last.
    #[inline]
    pub(crate) fn range(&self) -> (u64, u64) {
        // SAFETY: Locked (type invariant).
        let range = unsafe { &(*self.0.get()).__bindgen_anon_1.__bindgen_anon_1 };
        (range.vm_start as u64, range.vm_end as u64)
    }

    /// Returns the `VM_*` bits; permissions are the low ones.
    #[inline]
    pub(crate) fn flags(&self) -> u64 {
        // SAFETY: Locked (type invariant).
        unsafe { (*self.0.get()).__bindgen_anon_2.vm_flags as u64 }
    }

    #[inline]
    fn mm(&self) -> *mut bindings::mm_struct {
        // SAFETY: Locked (type invariant).
        unsafe { (*self.0.get()).vm_mm }
    }

    /// Returns the mm's address, for telling two apart.
    #[inline]
    pub(crate) fn mm_id(&self) -> usize {
        self.mm() as usize
    }

    /// Returns a number that two mappings share only if both are anonymous, or
    /// both of one opened file, in the same address space.
    #[inline]
    pub(crate) fn identity(&self) -> u64 {
        // SAFETY: Locked (type invariant).
        let file = unsafe { (*self.0.get()).vm_file };
        self.mm() as u64 ^ (file as u64).rotate_left(32)
    }

    /// Tells whether it is a stack that grows down.
    pub(crate) fn grows_down(&self) -> bool {
        self.flags() & u64::from(bindings::TRAPSCOPE_VM_GROWSDOWN) != 0
    }

    /// Tells whether it has, or had, pages that are no file's.
    fn has_anonymous_pages(&self) -> bool {
        // SAFETY: Locked (type invariant).
        unsafe { !(*self.0.get()).anon_vma.is_null() }
    }

    /// Returns what it says of itself.
    pub(crate) fn looks(&self) -> Looks {
        let range = self.range();
        // SAFETY: Locked (type invariant).
        let pages = unsafe { (*self.0.get()).vm_pgoff } as u64;
        Looks {
            id: self.id(),
            range,
            file_start: range.0.wrapping_sub(pages << 12),
            flags: self.flags(),
            identity: self.identity(),
            anonymous_pages: self.has_anonymous_pages(),
        }
    }

    /// Returns the looks of the first other VMA of the address space that maps a part of
    /// a range. They are out of date if the mm's lock is not held.
    ///
    /// `None` if the address space is being torn down.
    pub(crate) fn other_in(&self, range: (u64, u64)) -> Option<Looks> {
        // SAFETY: The mm is live; its tree is read under RCU.
        let other = unsafe {
            bindings::trapscope_other_in(self.0.get(), range.0 as usize, range.1 as usize)
        };
        // SAFETY: Preemption is off (type invariant), and for so long it is a VMA, this one
        // or another: SLAB_TYPESAFE_BY_RCU. It is only looked at.
        (!other.is_null()).then(|| unsafe { Self::from_raw(other) }.looks())
    }

    /// Returns what matters for a fault.
    ///
    /// It stays the same as long as [`Self::flags`] and [`Self::identity`] do: the operations and
    /// the kind of the file are settled before a mapping has its first fault.
    pub(crate) fn traits(&self) -> VmaTraits {
        // SAFETY: Locked (type invariant).
        VmaTraits::from_raw(unsafe { bindings::trapscope_vma_traits(self.0.get()) })
    }

    /// Returns the page table's entry for an address in the mapping, without a
    /// lock: a hint.
    ///
    /// `traits` are those of this VMA, as [`Self::traits`] tells them or its row,
    /// which is compared with it: to read its flags again would take 21
    /// instructions a fault.
    #[inline(always)]
    pub(crate) fn entry(
        &self,
        address: u64,
        traits: VmaTraits,
        tables: &PageTables,
    ) -> (u64, Level) {
        let hugetlb = traits.is(VmaTraits::HUGETLB);
        // SAFETY: The mm is live while its VMA is locked, and preemption is off
        // (type invariants); whether it is hugetlb's is known, by the caller.
        unsafe { tables.entry(self.mm(), address, hugetlb) }
    }

    /// Tells whether the file's page for an address is in the page cache.
    pub(crate) fn in_page_cache(&self, address: u64) -> bool {
        // SAFETY: Locked (type invariant).
        unsafe { bindings::trapscope_in_page_cache(self.0.get(), address as usize) }
    }

    /// Returns what stands behind the mapping.
    pub(crate) fn backing(&self) -> Backing {
        let mut raw = bindings::trapscope_backing::default();
        // SAFETY: Locked (type invariant); `raw` is valid for writes.
        unsafe { bindings::trapscope_vma_backing(self.0.get(), &mut raw) };
        Backing {
            offset_pages: raw.pgoff,
            inode: raw.inode,
            device: raw.dev,
            kind: match u32::from(raw.kind) {
                bindings::trapscope_backing_kind_TRAPSCOPE_HEAP => Kind::Heap,
                bindings::trapscope_backing_kind_TRAPSCOPE_STACK => Kind::Stack,
                bindings::trapscope_backing_kind_TRAPSCOPE_NAMED => Kind::Named,
                _ => Kind::Anonymous,
            },
            name_key: raw.name,
        }
    }

    /// Writes the mapping's name, as in /proc/PID/maps, and returns its length.
    ///
    /// A path that does not fit is shortened to its last part, after `.../`.
    /// No lock is taken, unless a rename or a mount is under way: `d_path()`.
    pub(crate) fn name(&self, buffer: &mut [u8]) -> usize {
        let size = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
        // SAFETY: Locked (type invariant); the buffer has `size` bytes.
        let length =
            unsafe { bindings::trapscope_vma_name(self.0.get(), buffer.as_mut_ptr().cast(), size) };
        usize::try_from(length).unwrap_or(0).min(buffer.len())
    }

    /// Fills in what the event of a fault says of the mapping.
    pub(super) fn tell(&self, begin: &mut bindings::trapscope_fault_begin) {
        // SAFETY: Locked (type invariant); `begin` is valid for writes.
        unsafe { bindings::trapscope_vma_tell(self.0.get(), begin) };
    }

    /// Returns the process that the address space belongs to.
    #[inline]
    pub(crate) fn owner(&self) -> Option<Owner> {
        // SAFETY: The mm is live while its VMA is locked.
        unsafe { Owner::of_mm(self.mm()) }
    }
}
