#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# scripts/guest/complaints.awk: what in a console log is a complaint.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

# judge LINES: complaint or fine
judge() {
	if printf '[    1.234567] %b\n' "$1" | awk -f scripts/guest/complaints.awk >/dev/null; then
		echo fine
	else
		echo complaint
	fi
}

# all WANTED < LINES: a case each
all() {
	local line
	while IFS= read -r line; do
		if [ "$(judge "$line")" = "$1" ]; then
			ok "$1: $line"
		else
			not_ok "$1: $line"
		fi
	done
}

ktap_plan 40
all complaint <<'END'
WARNING: mm/memory.c:123 at handle_mm_fault+0x10/0x20, CPU#1: tour/67
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffffffc0000000
BUG: scheduling while atomic: tour/67/0x00000002
BUG: sleeping function called from invalid context at mm/memory.c:12
BUG: soft lockup - CPU#0 stuck for 26s! [insmod:67]
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [insmod:67]
BUG: KASAN: slab-use-after-free in f+0x1/0x2
BUG: Bad page state in process tour  pfn:12345
BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:1
BUG kmalloc-64 (Not tainted): Poison overwritten
kernel BUG at mm/memory.c:123!
Oops: int3: 0000 [#1] SMP PTI
Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP
Kernel panic - not syncing: Attempted to kill init!
rcu: INFO: rcu_sched self-detected stall on CPU
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
INFO: rcu_tasks detected stalls on tasks:
INFO: task provoked:68 blocked for more than 60 seconds.
INFO: task provoked:68 blocked in I/O wait for more than 60 seconds.
INFO: trying to register non-static key.
UBSAN: array-index-out-of-bounds in mm/memory.c:1:2
refcount_t: underflow; use-after-free.
list_add corruption. prev->next should be next
rust_kernel: panicked at src/lib.rs:1:1:
unchecked MSR access error: RDMSR from 0x10
Call Trace:
END
all fine <<'END'
PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug
RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!
AMD Zen1 DIV0 bug detected. Disable SMT for full protection.
tour[132]: segfault at 7f86c091a000 ip 0000000000402484 sp 00007fffa9de2780 error 6 in tour[2484,401000+a2000]
traps: tour[132] general protection fault ip:402484 sp:7fffa9de2780 error:0 in tour[2484,401000+a2000]
tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0\n[ 1.2] CPU: 1 UID: 0\n[ 1.2] Call Trace:\n[ 1.2]  <TASK>
insmod: vmalloc error: size 8192, failed to allocate pages, mode:0xcc0(GFP_KERNEL)\n[ 1.2] CPU: 1 UID: 0\n[ 1.2] Call Trace:\n[ 1.2]  <TASK>
Memory failure: 0x1234: recovery action for dirty page: Recovered
    # Subtest: oops_and_warning
END
ktap_end
