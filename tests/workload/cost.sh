#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What trace_idt adds to a page fault, in the guest, beside fault_cost (docs/design.md
# has the command): a line for each state of the fault hooks and of trace_idt.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd /sys/kernel/debug/trapscope
# A hint fault of NUMA balancing is another one.
echo 0 >/proc/sys/kernel/numa_balancing 2>/dev/null || true
echo "# hooks trace_idt per_fault"
for hooks in 1 0; do
	echo $hooks >enable
	for trace in 0 1 0; do
		echo $trace >trace_idt/enable
		echo "$hooks $trace $("$here/fault_cost")"
	done
done
