/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names that the trace events print, as lists for __print_symbolic() and
 * __print_flags(). They are those of decode/ and account/: sys/trace_event.rs does
 * not compile otherwise. Plain numbers, which every tool can read.
 */
#ifndef TRAPSCOPE_EVENT_NAMES_H
#define TRAPSCOPE_EVENT_NAMES_H

#define TRAPSCOPE_CLASSES \
	{ 0, "anon-zero" }, \
	{ 1, "anon-alloc" }, \
	{ 2, "anon-huge" }, \
	{ 3, "file-read" }, \
	{ 4, "file-write" }, \
	{ 5, "hugetlb" }, \
	{ 6, "special" }, \
	{ 7, "cow-file" }, \
	{ 8, "cow-copy" }, \
	{ 9, "cow-reuse" }, \
	{ 10, "cow-zero" }, \
	{ 11, "cow-huge" }, \
	{ 12, "cow-hugetlb" }, \
	{ 13, "cow-unshare" }, \
	{ 14, "write-notify" }, \
	{ 15, "swap-in" }, \
	{ 16, "swap-cache" }, \
	{ 17, "stack-growth" }, \
	{ 18, "numa-hint" }, \
	{ 19, "uffd-missing" }, \
	{ 20, "uffd-wp" }, \
	{ 21, "uffd-minor" }, \
	{ 22, "uffd-rwp" }, \
	{ 23, "migration-wait" }, \
	{ 24, "device-private" }, \
	{ 25, "spurious" }, \
	{ 26, "sigsegv" }, \
	{ 27, "sigbus" }, \
	{ 28, "oom" }, \
	{ 29, "hwpoison" }

/* Regions of kernel addresses, then why a fault on a user address was refused. */
#define TRAPSCOPE_PLACES \
	{ 0, "vmalloc" }, \
	{ 1, "modules" }, \
	{ 2, "direct-map" }, \
	{ 3, "vmemmap" }, \
	{ 4, "kernel-image" }, \
	{ 5, "cpu-entry-area" }, \
	{ 6, "vsyscall" }, \
	{ 7, "other" }, \
	{ 8, "no-vma" }, \
	{ 9, "access" }, \
	{ 10, "atomic" }

#define TRAPSCOPE_ERROR_CODE_BITS \
	{ 0x1, "protection" }, \
	{ 0x2, "write" }, \
	{ 0x4, "user" }, \
	{ 0x8, "reserved" }, \
	{ 0x10, "instr" }, \
	{ 0x20, "pkey" }, \
	{ 0x40, "shstk" }, \
	{ 0x8000, "sgx" }, \
	{ 0x80000000, "rmp" }

#endif
