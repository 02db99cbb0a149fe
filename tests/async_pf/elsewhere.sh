#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# async_pf where there is nothing to see. What it shows in a guest of KVM is the
# business of tests/host/nested.sh.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
cd "$trapscope" || exit 1
# The kernel has asked CPUID, too.
! dmesg | grep "Hypervisor detected: KVM" >/dev/null || ktap_skip_all "a guest of KVM"

enabled=$(cat enable)
trap 'echo "$enabled" >"$trapscope/enable"' EXIT

ktap_plan 6

line="not a guest of KVM: no async page faults come here"
says_so() {
	text=$(cat async_pf; echo .)
	[ "$text" = "$line
." ] || { diag "$text"; false; }
}

# Both functions are in every kernel with CONFIG_KVM_GUEST, and are never called here.
hooks_are() {
	[ "$(grep -cE "^hook:(kvm_async_pf_task_wait_schedule|__sysvec_kvm_asyncpf_interrupt) $1" status)" = 2 ] ||
		{ grep async status | sed 's/^/# /'; false; }
}
# What ftrace calls the functions for; kprobes are on ftrace.
traced() {
	[ "$(grep -cE '^(kvm_async_pf_task_wait_schedule|__sysvec_kvm_asyncpf_interrupt) ' \
		/sys/kernel/tracing/enabled_functions)" = "$1" ]
}

echo 1 >enable
check "one line says that this is no guest of KVM" says_so
check "both hooks are attached" hooks_are attached
check "and ftrace has both functions" traced 2
echo 0 >enable
check "with the hooks off they are detached" hooks_are detached
check "and ftrace has neither" traced 0
check "the line is the same" says_so
ktap_end
