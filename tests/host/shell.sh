#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# scripts/vm shell: a prompt on a terminal, with the module loaded.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

command -v script >/dev/null || ktap_skip_all "no script, which plays the terminal: install bsdutils"

ktap_work shell-test
unset SMP MEM CPU APPEND

# Types once the prompt is there. The answer differs from what was typed, since a
# terminal shows that as well. A minute is beyond any boot.
type_commands() {
	local tries=600
	while ! grep -q '/ #' "$work/out" && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
	printf 'head -n 1 /sys/kernel/debug/trapscope/status\n'
	# shellcheck disable=SC2016 # for the guest's shell
	printf 'echo "answer=$((6 * 7))"; poweroff -f\n'
}

: >"$work/out"
type_commands | SHELL=/bin/bash TERM=vt100 timeout 150 \
	script -qec 'scripts/vm shell' /dev/null >"$work/out" 2>&1
status=$?
tr -d '\r' <"$work/out" >"$work/text"

ended_well() {
	[ "$status" -eq 0 ] || { diag "status $status"; sed 's/^/# /' "$work/text"; false; }
}
said() {
	grep -q -- "$1" "$work/text" || { sed 's/^/# /' "$work/text"; false; }
}

ktap_plan 3
check "a prompt that runs a command, and the module's files" said '^# item value detail'
check "the shell works out what was typed" said '^answer=42'
check "poweroff ends it, with status 0" ended_well
ktap_end
