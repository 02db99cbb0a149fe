#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# Every stub of trace_idt, as it is in the module that was built: objtool follows
# relocations, and none leads to a stub but the first.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work stubs-test

scripts/setup/module.sh || exit
module=$(scripts/setup/paths module)
readelf=$(scripts/setup/paths readelf)
"$readelf" -sW "$module" >"$work/symbols"
"$readelf" -rW "$module" | awk '/^Relocation section/ { ours = $3 == "'\''.rela.noinstr.text'\''" } ours' >"$work/relocations"
"$(scripts/setup/paths objcopy)" -O binary --only-section=.noinstr.text "$module" "$work/code"

# Where more CPUs than sets are possible, some share one.
lock=$(awk -F= '$1 == "CONFIG_NR_CPUS" { print ($2 > 32) }' "$(scripts/setup/paths kernel)/.config")

# symbol COLUMN: of the stubs' symbol
symbol() {
	awk -v column="$1" '$8 == "trapscope_stubs" { print $column }' "$work/symbols"
}

stubs() {
	tests/host/trace_idt/stubs "$1" "$2" "$(symbol 2)" "${3:-$lock}" >"$work/differences" && return
	head -n 10 "$work/differences" | sed 's/^/# /'
	return 1
}

# A function would have its ENDBR taken away by objtool, since nobody calls it.
no_function() {
	[ "$(symbol 3) $(symbol 4)" = "$((32 * 256 * 24)) NOTYPE" ] && return
	diag "size and type: $(symbol 3) $(symbol 4)"
	return 1
}

# one NUMBER WHAT: exactly that stub is named, as it should be
one() {
	cut -d'(' -f1 "$work/differences" | sort -u >"$work/named"
	[ "$(cat "$work/named")" = "stub $1 " ] && return
	diag "$2: named $(head -n 3 "$work/named" | tr '\n' ' ')"
	return 1
}

# Each byte of the last stub.
bytes() {
	local byte
	for byte in $(seq 0 23); do
		perl -e 'local $/; $_ = <STDIN>; substr($_, hex("'"$(symbol 2)"'") + 8191 * 24 + '"$byte"', 1) ^= "\x01"; print' \
			<"$work/code" >"$work/altered"
		! stubs "$work/altered" "$work/relocations" >/dev/null && one 8191 "byte $byte" || return
	done
}

# relocation EXPRESSION NUMBER: what sed makes of a relocation is seen in that stub
relocation() {
	sed -E "$1" "$work/relocations" >"$work/altered"
	! cmp -s "$work/altered" "$work/relocations" || { diag "$1: no such relocation"; return 1; }
	! stubs "$work/code" "$work/altered" >/dev/null && one "$2" "$1"
}
# Addends: (300 * 8 - 4), (255 * 8 - 4).
relocations() {
	relocation 's/(trapscope_stub_counts \+) 95c$/\1 964/' 300 &&
		relocation '0,/(trapscope_stub_targets \+) 7f4$/s//\1 7fc/' 255 &&
		relocation '0,/R_X86_64_PC32( .* trapscope_stub_targets - 4)$/s//R_X86_64_32S \1/' 0 &&
		relocation '/trapscope_stub_counts \+ 95c$/d' 300
}

lock_missed() {
	! stubs "$work/code" "$work/relocations" $((1 - lock)) >/dev/null
}

ktap_plan 5
check "every stub: instructions, counter and target" stubs "$work/code" "$work/relocations"
check "they are no function, and as long as they should be" no_function
check "another byte in a stub would be seen" bytes
check "another relocation would be seen" relocations
check "the increment's lock would be missed" lock_missed
ktap_end
