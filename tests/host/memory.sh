#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of expect
# Parameters that are in range, but take more memory than there is: the module is
# refused, says why, and the machine goes on. In a small guest of its own.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work memory-test
unset SMP MEM CPU APPEND

# shellcheck disable=SC2016 # for the guest's shell
scripts/vm exec --mem 256M -- '
	module=/lib/trapscope/trapscope.ko
	rmmod trapscope
	dmesg -c >/dev/null
	insmod $module rows=1048576 maxactive=65536 2>&1
	echo "status $?"
	dmesg
	grep "^trapscope " /proc/modules
	dmesg | grep -c "invoked oom-killer" | sed "s/^/killed /"
	insmod $module && head -n 1 /sys/kernel/debug/trapscope/status' >"$work/out" 2>&1
status=$?

# expect NAME CONDITION...: a case; shows what came out if it fails
expect() {
	local name=$1
	shift
	if "$@"; then
		ok "$name"
		return
	fi
	diag "condition: $*; status $status"
	sed 's/^/# /' "$work/out"
	not_ok "$name"
}

said() { grep -qE -- "$1" "$work/out"; }
refused() { said '^status [1-9]' && ! said '^trapscope '; }
again() { [ "$status" -eq 0 ] && said '^# item value detail'; }

ktap_plan 5
expect "rows=1048576 maxactive=65536 are refused in 256 MiB" refused
expect "for want of memory" said 'insmod: .*(ut of memory|annot allocate memory)'
expect "the log has the parameters, what they take and what to do" said \
	'trapscope: rows=1048576 maxactive=65536 take [0-9]+ MiB, [0-9]+ MiB can be spared: load it with fewer'
expect "no process has to die for it" said '^killed 0$'
expect "without parameters it loads after that, and the kernel has no complaint" again
ktap_end
