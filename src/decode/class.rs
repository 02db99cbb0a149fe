// SPDX-License-Identifier: GPL-2.0

//! The classes that page faults are sorted into, and the families that classes belong to.

use kernel::prelude::*;

/// Declares [`Family`] from one row a family.
macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A group of classes that are reported together.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum Family {
            $($(#[$doc])* $variant,)*
        }

        impl Family {
            /// All families, in the order in which they are shown.
            pub(crate) const ALL: [Family; Family::COUNT] = [$(Family::$variant,)*];

            /// Number of families.
            pub(crate) const COUNT: usize = [$($name,)*].len();

            /// Returns the name under which the family is shown.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Family::$variant => $name,)*
                }
            }
        }
    };
}

/// Declares [`Class`] from one row a class: the family, the variant and its name.
macro_rules! classes {
    ($($(#[$doc:meta])* $family:ident $variant:ident = $name:literal,)*) => {
        /// What a page fault turned out to be.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum Class {
            $($(#[$doc])* $variant,)*
        }

        impl Class {
            /// All classes; those of one family are next to each other.
            pub(crate) const ALL: [Class; Class::COUNT] = [$(Class::$variant,)*];

            /// Number of classes.
            pub(crate) const COUNT: usize = [$($name,)*].len();

            /// Returns the name under which the class is shown.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Class::$variant => $name,)*
                }
            }

            /// Returns the family that the class belongs to.
            pub(crate) const fn family(self) -> Family {
                match self {
                    $(Class::$variant => Family::$family,)*
                }
            }
        }
    };
}

families! {
    /// First touch: nothing was mapped at the address.
    Demand = "demand",
    /// A mapped page was protected against the write, or a page came up as a private copy.
    Cow = "cow",
    /// The page was on a swap device or in the swap cache.
    Swap = "swap",
    /// The access was below a stack, which grew.
    Stack = "stack",
    /// Traps that another facility had set, and faults without cause.
    Other = "other",
    /// The call returned an error.
    Failed = "failed",
}

classes! {
    /// A read of untouched anonymous memory mapped the (small or huge) zero page.
    Demand AnonZero = "anon-zero",
    /// Anonymous memory was allocated in base pages or a folio smaller than a PMD.
    Demand AnonAlloc = "anon-alloc",
    /// Anonymous memory was allocated and mapped by a PMD.
    Demand AnonHuge = "anon-huge",
    /// A page of a file was mapped for a read.
    Demand FileRead = "file-read",
    /// A page of a shared file mapping was mapped for a write.
    Demand FileWrite = "file-write",
    /// A hugetlb page was mapped.
    Demand Hugetlb = "hugetlb",
    /// A driver or the kernel itself filled in the page, with no page cache behind it.
    Demand Special = "special",
    /// The first access to a page of a private file mapping was a write: mapped as a copy.
    Cow CowFile = "cow-file",
    /// A write-protected page was copied.
    Cow CowCopy = "cow-copy",
    /// A write-protected page had no other user and was made writable.
    Cow CowReuse = "cow-reuse",
    /// The zero page was replaced by memory of its own.
    Cow CowZero = "cow-zero",
    /// A write hit a write-protected page that a PMD maps.
    Cow CowHuge = "cow-huge",
    /// A write hit a write-protected page of a private hugetlb mapping.
    Cow CowHugetlb = "cow-hugetlb",
    /// get_user_pages() asked for a private copy before it reads.
    Cow CowUnshare = "cow-unshare",
    /// A write to a shared mapping was let through after its owner had been told.
    Cow WriteNotify = "write-notify",
    /// The page had to be read from a swap device.
    Swap SwapIn = "swap-in",
    /// The page that the swap entry stands for was still in memory.
    Swap SwapCache = "swap-cache",
    /// A stack grew down to the address.
    Stack StackGrowth = "stack-growth",
    /// Automatic NUMA balancing had made the page inaccessible to see who uses it.
    Other NumaHint = "numa-hint",
    /// A userfaultfd handler was asked for a missing page.
    Other UffdMissing = "uffd-missing",
    /// A userfaultfd write protection trapped.
    Other UffdWp = "uffd-wp",
    /// A userfaultfd handler was asked whether a page in the page cache may be mapped.
    Other UffdMinor = "uffd-minor",
    /// A userfaultfd read and write protection trapped.
    Other UffdRwp = "uffd-rwp",
    /// The page was on its way to another place in memory.
    Other MigrationWait = "migration-wait",
    /// The page was in the memory of a device or held by one.
    Other DevicePrivate = "device-private",
    /// The page table already permitted the access, or changed under the fault.
    Other Spurious = "spurious",
    /// The call failed with VM_FAULT_SIGSEGV.
    Failed Sigsegv = "sigsegv",
    /// The call failed with VM_FAULT_SIGBUS.
    Failed Sigbus = "sigbus",
    /// The call failed with VM_FAULT_OOM.
    Failed Oom = "oom",
    /// The call met poisoned memory (VM_FAULT_HWPOISON or VM_FAULT_HWPOISON_LARGE).
    Failed Hwpoison = "hwpoison",
}

/// A name with room behind it: bytes of a number known beforehand are copied at once.
#[derive(Clone, Copy)]
pub(crate) struct Padded {
    /// The name, then NULs.
    pub(crate) bytes: [u8; 16],
    /// Bytes of the name.
    pub(crate) length: usize,
}

impl Padded {
    const fn new(name: &str) -> Self {
        let mut bytes = [0; 16];
        let mut length = 0;
        // At compile time: a name that is too long does not compile.
        while length < name.len() {
            bytes[length] = name.as_bytes()[length];
            length += 1;
        }
        Self { bytes, length }
    }
}

impl Class {
    /// Returns the name with room behind it.
    #[inline]
    pub(crate) fn padded_name(self) -> &'static Padded {
        static NAMES: [Padded; Class::COUNT] = {
            let mut names = [Padded::new(""); Class::COUNT];
            let mut index = 0;
            while index < Class::COUNT {
                names[index] = Padded::new(Class::ALL[index].name());
                index += 1;
            }
            names
        };

        &NAMES[self.index()]
    }

    /// Returns the class with this index, counted as in [`Class::ALL`].
    #[inline]
    pub(crate) fn from_index(index: usize) -> Option<Class> {
        Class::ALL.get(index).copied()
    }

    /// Returns the index of the class in [`Class::ALL`], below [`Class::COUNT`].
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Returns whether an attempt of this class that ended in VM_FAULT_RETRY names the whole fault.
    ///
    /// These attempts change what the next one finds (a handler filled the page in, a page came
    /// from swap, a stack grew), so that the last attempt alone would hide the cause. After an
    /// attempt of any other class the next one knows at least as much, and its class counts.
    #[inline]
    pub(crate) const fn survives_retry(self) -> bool {
        matches!(
            self,
            Class::SwapIn
                | Class::StackGrowth
                | Class::UffdMissing
                | Class::UffdWp
                | Class::UffdMinor
                | Class::UffdRwp
        )
    }
}

#[kunit_tests(trapscope_class)]
mod tests {
    use super::*;

    #[test]
    fn index_is_the_position() {
        for (position, class) in Class::ALL.iter().enumerate() {
            assert_eq!(class.index(), position);
            assert_eq!(Class::from_index(position), Some(*class));
        }
        assert_eq!(Class::from_index(Class::COUNT), None);
    }

    #[test]
    fn names_are_unique_words() {
        for (position, class) in Class::ALL.iter().enumerate() {
            let name = class.name();
            assert!(!name.is_empty());
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert!(Class::ALL
                .iter()
                .skip(position + 1)
                .all(|c| c.name() != name));
            assert!(Family::ALL.iter().all(|f| f.name() != name));
            let padded = class.padded_name();
            assert_eq!(&padded.bytes[..padded.length], name.as_bytes());
        }
    }

    #[test]
    fn families_are_contiguous_and_in_order() {
        let mut last = 0;
        for class in Class::ALL {
            let family = class.family() as usize;
            assert!(family == last || family == last + 1);
            last = family;
        }
        assert_eq!(last + 1, Family::COUNT);
    }

    #[test]
    fn family_sizes() {
        let sizes = Family::ALL.map(|f| Class::ALL.iter().filter(|c| c.family() == f).count());
        assert_eq!(sizes, [7, 8, 2, 1, 8, 4]);
        assert_eq!(Family::ALL.map(Family::name).len(), Family::COUNT);
    }

    #[test]
    fn an_error_never_survives_a_retry() {
        let sticky = |c: &&Class| c.survives_retry();
        assert_eq!(Class::ALL.iter().filter(sticky).count(), 6);
        assert!(Class::ALL
            .iter()
            .filter(sticky)
            .all(|c| c.family() != Family::Failed));
    }
}
