/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the gates of trace_idt lead to: count the vector, go on to the handler
 * that the kernel's own gate leads to.
 *
 * The CPU has just pushed its frame, and GS may still be the user's: a stub
 * touches no register, no stack and no per-CPU data. So each CPU has stubs of its
 * own, with counters that no other CPU writes to; where there are more CPUs than
 * sets of stubs, CPUs share a set, and the count is a locked one.
 */
#include <linux/linkage.h>
#include <asm/irq_vectors.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include <asm/trapnr.h>
#include <asm/unwind_hints.h>

#include "vector_stubs.h"

/* The vectors for which the CPU pushes an error code: SDM Vol. 3A, 6.15. */
#define ERROR_CODES (1 << X86_TRAP_DF | 1 << X86_TRAP_TS | 1 << X86_TRAP_NP | \
	1 << X86_TRAP_SS | 1 << X86_TRAP_GP | 1 << X86_TRAP_PF | \
	1 << X86_TRAP_AC | 1 << X86_TRAP_CP | 1 << X86_TRAP_VC)

	.section .noinstr.text, "ax"
	.balign 16
/* No function symbol: objtool takes the ENDBR from functions that nobody calls. */
SYM_CODE_START(trapscope_stubs)
	index = 0
	.rept TRAPSCOPE_STUB_SETS * NR_VECTORS
	vector = index % NR_VECTORS
0:
	.if vector < NUM_EXCEPTION_VECTORS && (ERROR_CODES >> vector) & 1
	UNWIND_HINT_IRET_REGS offset=8
	.else
	UNWIND_HINT_IRET_REGS
	.endif
	ENDBR
#if CONFIG_NR_CPUS > TRAPSCOPE_STUB_SETS
	lock
#endif
	incq	trapscope_stub_counts + index * 8(%rip)
	ANNOTATE_RETPOLINE_SAFE
	jmp	*trapscope_stub_targets + vector * 8(%rip)
	.fill	0b + TRAPSCOPE_STUB_SIZE - ., 1, 0xcc
	index = index + 1
	.endr
SYM_CODE_END(trapscope_stubs)

	.bss
	.balign 64
SYM_DATA_START(trapscope_stub_counts)
	.skip	TRAPSCOPE_STUB_SETS * NR_VECTORS * 8
SYM_DATA_END(trapscope_stub_counts)

/* Written before any gate leads here, and then only read. */
	.balign 64
SYM_DATA_START(trapscope_stub_targets)
	.skip	NR_VECTORS * 8
SYM_DATA_END(trapscope_stub_targets)
