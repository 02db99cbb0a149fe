#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# trace_idt, for what takes guests of its own: QEMU's monitor as the judge of which
# table each processor is on, one processor, more processors than sets of stubs, and
# page-table isolation. As many guests at once as there are processors.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh
# shellcheck source=tests/host/idt/held
. tests/host/idt/held

# Name, processor, how many, kernel parameters: the monitor is asked.
judged='
epyc-2 EPYC 2
skylake-4 Skylake-Client-v4 4 pti=off
max-2 max 2 pti=off nokaslr
'
judged=$(grep . <<<"$judged")

work=$(mktemp -d "${TMPDIR:-/tmp}/trapscope-trace-test.XXXXXX")
unset SMP MEM CPU APPEND
pids=()
end_all() {
	local pid
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null && wait "$pid"
	done
	rm -rf "$work"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

scripts/setup/tests.sh || exit
scripts/setup/tests-modules.sh || exit
exact=$(scripts/setup/paths tests)/trace_idt/exact
nmi_source=$(scripts/setup/paths tests-modules)/trace_idt/nmi/nmi_source.ko

# symbol FOLDER NAME: its address in that guest
symbol() {
	part symbols "$1/out" | awk -v name="$2" '$3 == name { print "0x" $1 }'
}

# look FOLDER NUMBER: asks the monitor, into FOLDER/NUMBER
look() {
	local cpu counters addresses=()
	mkdir "$1/$2"
	if [ "$2" = 2 ]; then
		# Of vectors 14 and 236, processor by processor.
		counters=$(symbol "$1" trapscope_stub_counts)
		for ((cpu = 0; cpu < $(grep -c '^cpu ' "$1/1/processors"); cpu++)); do
			addresses+=("$(printf '0x%x' $((counters + (256 * cpu + 14) * 8)))"
				"$(printf '0x%x' $((counters + (256 * cpu + 236) * 8)))")
		done
	fi
	tests/host/idt/read "$1/monitor" "$1/$2" ${addresses[@]+"${addresses[@]}"} >"$1/$2/processors"
}

# judge NAME CPU NUMBER [PARAMETER...]
judge() {
	held_guest "$work/$1" look --cpu "$2" --smp "$3" --append "${*:4}" \
		--add tests/host/trace_idt/show -- sh /show
}

# exactly NAME NUMBER: the exact counts on that many processors
exactly() {
	scripts/vm exec --cpu EPYC --smp "$2" --add "$exact" \
		--add "$nmi_source:/lib/trapscope/nmi_source.ko" -- /exact >"$work/$1.out" 2>"$work/$1.err"
	echo $? >"$work/$1.status"
}

isolated() {
	# shellcheck disable=SC2016 # for the guest's shell
	scripts/vm exec --cpu EPYC --append pti=on -- '
		# One stream: of two, either may come first.
		exec 2>&1
		grep -qw pti /proc/cpuinfo && echo "isolated"
		cd /sys/kernel/debug/trapscope/trace_idt
		echo 1 >enable
		cat enable
		grep -E "^(enabled|refused|cpu:)" status
		cat ../idt/check' >"$work/isolated" 2>&1
}

# beside COMMAND...: at the same time as others
beside() {
	"$@" &
	pids+=($!)
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do wait -n; done
}
beside exactly many 34
while read -r guest; do
	# shellcheck disable=SC2086 # words
	beside judge $guest
done <<<"$judged"
beside exactly one 1
beside isolated
wait

# processor FOLDER/NUMBER CPU: base, limit and page of its table
processor() {
	awk -v cpu="$2" '$1 == "cpu" && $2 == cpu { print $4, $6, $8 }' "$1/processors"
}

ended() {
	[ "$(cat "$1/status")" -eq 0 ] && [ -s "$1/3/processors" ] && return
	diag "scripts/vm ended with status $(cat "$1/status")"
	sed 's/^/# /' "$1/err"
	return 1
}

# second FOLDER NUMBER: every processor is on a table of its own, with the stubs of
# its own, and with all else that the kernel's has
second() {
	local cpu stubs base limit page
	stubs=$(symbol "$1" trapscope_stubs)
	[ "$(grep -c '^cpu ' "$1/2/processors")" -eq "$2" ] || return
	for ((cpu = 0; cpu < $2; cpu++)); do
		read -r base limit page < <(processor "$1/2" "$cpu")
		[ "$limit" = 0x0fff ] || { diag "CPU $cpu: limit $limit"; return 1; }
		# Nobody else has it, nor had it before.
		if [ "$page" = unmapped ] ||
			[ "$(awk '$1 == "cpu" { print $8 }' "$1"/[12]/processors | grep -cx "$page")" -ne 1 ]; then
			diag "CPU $cpu: page $page"
			return 1
		fi
		grep -qE "^$cpu online $base 0x0fff 0x[0-9a-f]{16} (yes|no) trace_idt\+0x0 \[trapscope\]$" <(part idtr "$1/out") ||
			{ diag "CPU $cpu: base $base, but:"; part idtr "$1/out" | sed 's/^/# /'; return 1; }
		tests/host/trace_idt/compare "$1/1/cpu$cpu" "$1/2/cpu$cpu" \
			"$(printf '0x%x' $((stubs + cpu * 256 * 24)))" >"$work/differences" ||
			{ sed "s/^/# CPU $cpu, /" "$work/differences"; return 1; }
	done
}

# What trace_idt/table says is what is in memory: the stub's address and the handler's.
table_is() {
	part table "$1/out" | sed 1d | cut -d' ' -f1,16,18 >"$1/table"
	[ "$(wc -l <"$1/table")" -eq 256 ] || return
	busybox hexdump -v -e '16/1 "%02x" "\n"' "$1/2/cpu0" >"$1/second"
	busybox hexdump -v -e '16/1 "%02x" "\n"' "$1/1/cpu0" >"$1/kernels"
	paste -d' ' "$1/table" "$1/second" "$1/kernels" |
		perl -lane 'sub offset { my $b = pack "H*", $_[0]; my @p = unpack "v x4 v V", $b;
				sprintf "0x%016x", $p[0] | $p[1] << 16 | $p[2] << 32 }
			print "# vector @F" if $F[1] ne offset($F[3]) || $F[2] ne offset($F[4])' >"$work/differences"
	cat "$work/differences"
	[ ! -s "$work/differences" ]
}

# known FILE VECTOR CPU: what the guest read
known() {
	awk -v vector="$2" -v at=$((6 + $3)) '$1 == vector { found = $at } END { print found + 0 }' "$1"
}

# The counters in memory, between what the guest read before and after.
counters() {
	local cpu vector value before after place=0
	part counts "$1/out" >"$1/counts"
	part later "$1/out" >"$1/later"
	awk '$1 == "at" { print $6 }' "$1/2/processors" >"$1/values"
	[ "$(wc -l <"$1/values")" -eq $((2 * $2)) ] || return
	for ((cpu = 0; cpu < $2; cpu++)); do
		for vector in 14 236; do
			place=$((place + 1))
			value=$(($(sed -n "${place}p" "$1/values")))
			before=$(known "$1/counts" "$vector" "$cpu")
			after=$(known "$1/later" "$vector" "$cpu")
			if [ "$value" -eq 0 ] || [ "$before" -gt "$value" ] || [ "$value" -gt "$after" ]; then
				diag "CPU $cpu, vector $vector: $before, in memory $value, $after"
				return 1
			fi
		done
	done
}

check_is() {
	{
		echo OK
		echo "# what cpu vector reasons before after"
		echo "# CPU 0-$(($2 - 1)): trapscope's own second table, see trace_idt"
	} | cmp - <(part check "$1/out") &&
		[ "$(part status "$1/out" | grep -cE '^cpu:[0-9]+ trace_idt$')" -eq "$2" ]
}

# As before: base, limit, page, and every byte.
back() {
	cmp "$1/1/processors" <(sed 's/ cr4.*//' "$1/3/processors" | paste -d' ' - <(sed 's/.* cr4/cr4/' "$1/1/processors")) || return
	local table
	for table in "$1"/1/cpu*; do
		cmp "$table" "$1/3/${table##*/}" || return
	done
	[ "$(part off "$1/out" | head -n 1)" = OK ]
}

# one_bit FOLDER: another bit anywhere in the table would be seen
one_bit() {
	local byte stubs
	stubs=$(symbol "$1" trapscope_stubs)
	for byte in 0 1 2 4 5 6 8 12 4095; do
		perl -e 'local $/; $_ = <STDIN>; substr($_, '"$byte"', 1) ^= "\x01"; print' <"$1/2/cpu0" >"$work/bytes"
		! tests/host/trace_idt/compare "$1/1/cpu0" "$work/bytes" "$stubs" >/dev/null ||
			{ diag "byte $byte"; return 1; }
	done
}

# passed NAME: the program's own cases are this one's
passed() {
	[ "$(cat "$work/$1.status")" -eq 0 ] && grep -q '^1\.\.' "$work/$1.out" && return
	sed 's/^/# /' "$work/$1.out" "$work/$1.err"
	return 1
}

refused() {
	cat >"$work/wanted" <<-END
	isolated
	sh: write error: Operation not supported
	0
	enabled 0
	refused page-table-isolation user mode's page tables lack the second table: boot with pti=off where that is safe
	cpu:0 kernel
	cpu:1 kernel
	OK
	# what cpu vector reasons before after
	END
	diff "$work/wanted" "$work/isolated" >"$work/diff" || { sed 's/^/# /' "$work/diff"; false; }
}

ktap_plan $((6 * $(wc -l <<<"$judged") + 4))
while read -r name cpu number parameters; do
	folder=$work/$name
	title="$cpu, CPUs: $number${parameters:+, $parameters}"
	check "$title: it ended well" ended "$folder"
	check "$title: on: every CPU's IDTR, and the gates in memory" second "$folder" "$number"
	check "$title: on: table" table_is "$folder"
	check "$title: on: counts" counters "$folder" "$number"
	check "$title: on: idt/check and status" check_is "$folder" "$number"
	check "$title: off: all as before" back "$folder"
done <<<"$judged"
check "another bit in the second table would be seen" one_bit "$work/epyc-2"
check "one CPU: exact counts" passed one
check "34 CPUs, of which some share a set of stubs: exact counts" passed many
check "page-table isolation: refused" refused
ktap_end
