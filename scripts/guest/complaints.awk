#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# Reads a console log; prints each complaint of the kernel with what follows it
# and exits 1 if there was one. This is the one place that says what counts.

# Whether a line, without its time stamp, is the head of a complaint. Anchored
# where plain messages hold the same words ("... and report a bug", "RETBleed:
# WARNING: ...", names of tests).
function complaint(text) {
	return text ~ /^WARNING: / ||		# WARN(), lockdep, RCU usage
		text ~ /^(BUG: |BUG [a-zA-Z0-9_-]+ \()/ ||	# soft lockup, sleeping in atomic, KASAN, SLUB
		text ~ /^kernel BUG at / ||
		text ~ /^Oops: / || text ~ /^Oops\[/ ||
		text ~ /^(general protection fault|double fault|stack segment|int3|divide error|invalid opcode|trap)[,:].* \[#[0-9]+\]/ ||
		text ~ /^Kernel panic - not syncing/ ||
		text ~ /^Internal error: / ||
		text ~ /^rcu: INFO: / || text ~ /^INFO: (rcu|task .* blocked)/ ||
		text ~ /[Ww]atchdog: .*(BUG: |hard LOCKUP)/ || text ~ /^NMI watchdog: / ||
		text ~ /^(UBSAN|KFENCE|KCSAN|KMSAN|ODEBUG): / ||
		text ~ /^(refcount_t|list_add corruption|list_del corruption)[:.]/ ||
		text ~ /^unchecked MSR access error/ ||
		text ~ /^(bad: |Bad page state|get_swap_device: Bad)/ ||
		text ~ /^kmemleak: .* suspected memory leak/ ||
		text ~ /^rust_kernel: panicked at/ ||
		text ~ /^INFO: trying to register non-static key/ ||
		text ~ /^Modules linked in:/ ||
		text ~ /^INFO: lockdep is turned off/
}

{
	text = $0
	sub(/\r$/, "", text)
	# Level, time stamp, caller.
	sub(/^(<[0-9]+>)?\[ *[0-9]+\.[0-9]+\](\[[^]]*\])? ?/, "", text)
}

# A stack trace by itself is a complaint, but not below these, which are news of
# memory pressure and no fault of the kernel.
text ~ /invoked oom-killer|page allocation failure|vmalloc error: |sysrq: / { tolerated = NR + 12 }

complaint(text) || (text ~ /^Call Trace:/ && NR > tolerated && !(NR <= shown)) {
	found++
	shown = NR + 40
}

NR <= shown { print text }

END { exit found > 0 }
