#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# What a trace event costs that is off, in the module that was built: a static branch,
# which is a NOP, before each call of what tells of the event.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work event-test

scripts/setup/module.sh || exit
module=$(scripts/setup/paths module)
"$(scripts/setup/paths readelf)" -rW "$module" | tr -d "'" >"$work/relocations"
"$(scripts/setup/paths objcopy)" -O binary --only-section=.text "$module" "$work/text"

# branches EVENT: where in .text those are that the event's key switches. An entry of the
# table is code, target and key, 4, 4 and 8 bytes.
branches() {
	awk -v key="__tracepoint_$1" '
		/^Relocation section/ { ours = $3 == ".rela__jump_table"; next }
		!ours || $1 !~ /^[0-9a-f]+$/ { next }
		$1 ~ /0$/ { code = $5 == ".text" ? $NF : "elsewhere" }
		$5 == key { print code }' "$work/relocations"
}

# calls EVENT: of the function that tells of it
calls() {
	awk -v name="rust_do_trace_$1" '$5 == name && $3 ~ /PLT32|PC32/' "$work/relocations" | wc -l
}

guarded() {
	local branches calls
	branches=$(branches "$1" | wc -l)
	calls=$(calls "$1")
	# The compiler may let two branches lead to one call.
	[ "$calls" -gt 0 ] && [ "$branches" -ge "$calls" ] && return
	diag "$calls calls and $branches static branches"
	return 1
}

# A NOP of two bytes or of five, until the event is switched on
nops() {
	local place bytes
	for place in $(branches "$1"); do
		bytes=$(od -An -tx1 -j $((0x$place)) -N 5 "$work/text" | tr -d ' ')
		case $bytes in
		6690* | 0f1f440000) ;;
		*) diag "at .text+0x$place: $bytes"; return 1 ;;
		esac
	done
	[ -n "${place:-}" ]
}

ktap_plan 4
for event in fault kernel_fault; do
	check "$event: each call is behind a static branch" guarded "$event"
	check "$event: which is a NOP while it is off" nops "$event"
done
ktap_end
