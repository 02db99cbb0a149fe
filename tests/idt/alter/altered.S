/* SPDX-License-Identifier: GPL-2.0 */
/* A handler that goes on to the one whose place it took, and touches nothing. */

#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/ibt.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

.section .noinstr.text, "ax"

SYM_CODE_START(altered)
	UNWIND_HINT_IRET_REGS
	ENDBR
	ANNOTATE_RETPOLINE_SAFE
	jmp	*altered_next(%rip)
SYM_CODE_END(altered)
