#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# Kbuild: a kernel without an option that trapscope needs is refused by its name.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

options=(X86_64 CC_IS_CLANG RUST KPROBES KRETPROBES FUNCTION_TRACER KPROBES_ON_FTRACE
	TRACEPOINTS DEBUG_FS MEMCG)

# read_kbuild NAME=VALUE...: reads Kbuild as a build out of the tree does, and
# builds nothing
read_kbuild() {
	make -n -f Kbuild src=. obj=. KBUILD_EXTMOD=. "$@" FORCE 2>&1
}

# without OPTION: reads it for a kernel that has all the others
without() {
	local option settings=(CONFIG_MODULES=y)
	for option in "${options[@]}"; do
		[ "$option" = "$1" ] || settings+=("CONFIG_$option=y")
	done
	read_kbuild "${settings[@]}" "${@:2}"
}

# says TEXT COMMAND...: whether the command prints that
says() {
	case $("${@:2}") in
	*"$1"*) return 0 ;;
	*) return 1 ;;
	esac
}

refused() {
	says "needs a kernel with CONFIG_$1=y" without "$1"
}

accepted() {
	! says "needs a kernel" "$@"
}

ktap_plan $((${#options[@]} + 3))
for option in "${options[@]}"; do
	check "a kernel without CONFIG_$option" refused "$option"
done
check "a kernel with CONFIG_PREEMPT_RT" \
	says "without CONFIG_PREEMPT_RT" without none CONFIG_PREEMPT_RT=y
check "a kernel that has all" accepted without none
check "make clean, without a configuration" accepted read_kbuild
ktap_end
