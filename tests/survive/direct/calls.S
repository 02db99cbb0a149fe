/* SPDX-License-Identifier: GPL-2.0 */
/* What the calls at the head of handle_mm_fault() are made to. */

#include <linux/linkage.h>
#include <asm/ftrace.h>
#include <asm/ibt.h>

/*
 * Called between the function's first instruction and its second: nothing may be lost
 * of what its caller gave it.
 */
SYM_FUNC_START(direct_entry)
	ENDBR
	push	%rbp
	mov	%rsp, %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	call	direct_seen
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rbp
	RET
SYM_FUNC_END(direct_entry)

/* The function without its head, so that nobody sees the call a second time. */
SYM_FUNC_START(direct_original)
	jmp	handle_mm_fault + ENDBR_INSN_SIZE + MCOUNT_INSN_SIZE
SYM_FUNC_END(direct_original)
