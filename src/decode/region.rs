// SPDX-License-Identifier: GPL-2.0

//! Regions of the kernel's address space on x86-64 (Documentation/arch/x86/x86_64/mm.rst).

use kernel::prelude::*;

/// The page of the legacy vsyscalls (asm/vsyscall.h). The fault handler emulates a call there, or
/// refuses it: like a kernel address it has no VMA.
const VSYSCALL_PAGE: u64 = 0xffff_ffff_ff60_0000;

/// Bits of an address that select the page.
const PAGE_MASK: u64 = !0xfff;

/// Where the regions are in the running kernel.
///
/// Each region reaches from its start up to, but not including, its end. Address randomisation and
/// 5-level page tables move them, so that they have to be read at run time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Start of the direct map of physical memory.
    pub(crate) page_offset: u64,
    /// End of the direct map.
    pub(crate) direct_map_end: u64,
    /// Start of vmalloc and ioremap space.
    pub(crate) vmalloc_start: u64,
    /// End of vmalloc and ioremap space (VMALLOC_END is its last byte).
    pub(crate) vmalloc_end: u64,
    /// Start of the array of struct page.
    pub(crate) vmemmap_start: u64,
    /// End of the array of struct page.
    pub(crate) vmemmap_end: u64,
    /// Start of the entry code's data of all CPUs.
    pub(crate) cpu_entry_start: u64,
    /// End of the entry code's data of all CPUs.
    pub(crate) cpu_entry_end: u64,
    /// Start of the kernel image.
    pub(crate) image_start: u64,
    /// End of the kernel image.
    pub(crate) image_end: u64,
    /// Start of module space.
    pub(crate) modules_start: u64,
    /// End of module space.
    pub(crate) modules_end: u64,
}

/// A region of the kernel's address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Region {
    /// vmalloc and ioremap space, where kernel stacks are too.
    Vmalloc,
    /// Code and data of modules.
    Modules,
    /// The direct map of physical memory.
    DirectMap,
    /// The array of struct page.
    Vmemmap,
    /// The kernel image.
    KernelImage,
    /// Entry stacks, IDT and GDT of the CPUs.
    CpuEntryArea,
    /// The page of the legacy vsyscalls.
    Vsyscall,
    /// Any other address of the upper half.
    Other,
}

impl Region {
    /// All regions, in the order in which they are shown.
    pub(crate) const ALL: [Region; Region::COUNT] = [
        Region::Vmalloc,
        Region::Modules,
        Region::DirectMap,
        Region::Vmemmap,
        Region::KernelImage,
        Region::CpuEntryArea,
        Region::Vsyscall,
        Region::Other,
    ];

    /// Number of regions.
    pub(crate) const COUNT: usize = Region::Other as usize + 1;

    /// Returns the index of the region in [`Region::ALL`], below [`Region::COUNT`].
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Returns the name under which the region is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Region::Vmalloc => "vmalloc",
            Region::Modules => "modules",
            Region::DirectMap => "direct-map",
            Region::Vmemmap => "vmemmap",
            Region::KernelImage => "kernel-image",
            Region::CpuEntryArea => "cpu-entry-area",
            Region::Vsyscall => "vsyscall",
            Region::Other => "other",
        }
    }
}

/// Returns the region that a kernel address lies in.
pub(crate) fn region_of(addr: u64, layout: &Layout) -> Region {
    let within = |start, end| (start..end).contains(&addr);

    if within(layout.vmalloc_start, layout.vmalloc_end) {
        Region::Vmalloc
    } else if within(layout.modules_start, layout.modules_end) {
        Region::Modules
    } else if within(layout.page_offset, layout.direct_map_end) {
        Region::DirectMap
    } else if within(layout.vmemmap_start, layout.vmemmap_end) {
        Region::Vmemmap
    } else if within(layout.image_start, layout.image_end) {
        Region::KernelImage
    } else if within(layout.cpu_entry_start, layout.cpu_entry_end) {
        Region::CpuEntryArea
    } else if is_vsyscall(addr) {
        Region::Vsyscall
    } else {
        Region::Other
    }
}

/// Returns whether an address lies in the page of the legacy vsyscalls.
pub(crate) const fn is_vsyscall(addr: u64) -> bool {
    addr & PAGE_MASK == VSYSCALL_PAGE
}

/// Returns whether an address lies above user space, where no VMA is.
///
/// `task_size_max` is the first address above user space.
#[inline]
pub(crate) const fn is_kernel_address(addr: u64, task_size_max: u64) -> bool {
    addr >= task_size_max
}

#[kunit_tests(trapscope_region)]
mod tests {
    use super::*;

    /// 4-level page tables without randomisation, 4 GiB of memory.
    const LAYOUT: Layout = Layout {
        page_offset: 0xffff_8880_0000_0000,
        direct_map_end: 0xffff_8881_0000_0000,
        vmalloc_start: 0xffff_c900_0000_0000,
        vmalloc_end: 0xffff_e900_0000_0000,
        vmemmap_start: 0xffff_ea00_0000_0000,
        vmemmap_end: 0xffff_eb00_0000_0000,
        cpu_entry_start: 0xffff_fe00_0000_0000,
        cpu_entry_end: 0xffff_fe80_0000_0000,
        image_start: 0xffff_ffff_8100_0000,
        image_end: 0xffff_ffff_8300_0000,
        modules_start: 0xffff_ffff_c000_0000,
        modules_end: 0xffff_ffff_ff00_0000,
    };

    const TASK_SIZE_MAX: u64 = (1 << 47) - 4096;

    #[test]
    fn each_region_at_its_edges() {
        let edges = [
            (LAYOUT.vmalloc_start, LAYOUT.vmalloc_end, Region::Vmalloc),
            (LAYOUT.modules_start, LAYOUT.modules_end, Region::Modules),
            (LAYOUT.page_offset, LAYOUT.direct_map_end, Region::DirectMap),
            (LAYOUT.vmemmap_start, LAYOUT.vmemmap_end, Region::Vmemmap),
            (LAYOUT.image_start, LAYOUT.image_end, Region::KernelImage),
            (
                LAYOUT.cpu_entry_start,
                LAYOUT.cpu_entry_end,
                Region::CpuEntryArea,
            ),
            (VSYSCALL_PAGE, VSYSCALL_PAGE + 0x1000, Region::Vsyscall),
        ];
        for (start, end, region) in edges {
            assert_eq!(region_of(start, &LAYOUT), region);
            assert_eq!(region_of(end - 1, &LAYOUT), region);
            assert_eq!(region_of(start - 1, &LAYOUT), Region::Other);
            assert_eq!(region_of(end, &LAYOUT), Region::Other);
        }
        assert_eq!(region_of(u64::MAX, &LAYOUT), Region::Other);
    }

    #[test]
    fn index_is_the_position() {
        for (position, region) in Region::ALL.iter().enumerate() {
            assert_eq!(region.index(), position);
            assert!(Region::ALL
                .iter()
                .skip(position + 1)
                .all(|r| r.name() != region.name()));
        }
    }

    #[test]
    fn addresses_above_user_space_are_the_kernels() {
        assert!(!is_kernel_address(0, TASK_SIZE_MAX));
        assert!(!is_kernel_address(TASK_SIZE_MAX - 1, TASK_SIZE_MAX));
        assert!(is_kernel_address(TASK_SIZE_MAX, TASK_SIZE_MAX));
        assert!(is_kernel_address(LAYOUT.vmalloc_start, TASK_SIZE_MAX));
        assert!(is_kernel_address(VSYSCALL_PAGE, TASK_SIZE_MAX));
    }
}
