#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# What trapscope says of the interrupt descriptor tables, against what QEMU's
# monitor says of the same guest at the same time and nm of the kernel that booted.
# Guests of several kinds, as many at once as there are processors.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh
# shellcheck source=tests/host/idt/held
. tests/host/idt/held

# Name, processor, how many, levels of its page tables, KASLR; then the arguments of
# the module that alters a table. Each value comes with two others at least.
guests='
skylake-1 Skylake-Client-v4 1 4 off
skylake-4 Skylake-Client-v4 4 4 on
epyc-2 EPYC 2 4 on
epyc-4 EPYC 4 4 off
max-1 max 1 5 off
max-2 max 2 5 on
altered EPYC 2 4 on cpu=0 vector=14 change=handler
'
guests=$(grep . <<<"$guests")

work=$(mktemp -d "${TMPDIR:-/tmp}/trapscope-idt-test.XXXXXX")
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

vmlinux=$(scripts/setup/paths kernel)/vmlinux
[ -f "$vmlinux" ] || ktap_skip_all "no $vmlinux: the kernel was built elsewhere"
scripts/setup/tests-modules.sh || exit
altering=$(scripts/setup/paths tests-modules)/idt/alter/idt_alter.ko

# Without what kallsyms leaves out (scripts/mksysmap of the kernel).
"$(scripts/setup/paths nm)" "$vmlinux" | grep -vE ' [aANUw] | (\$|\.L|__kcfi_typeid_|__crc_|L0$)' >"$work/nm"

# address NAME: of a symbol, as linked
address() {
	echo "0x$(awk -v name="$1" '$3 == name { print $1 }' "$work/nm")"
}

# watch NAME CPU NUMBER LEVELS KASLR [PARAMETER...]: a guest, until it has ended
watch() {
	local append=''
	[ "$5" = on ] || append=nokaslr
	held_guest "$work/$1" look --cpu "$2" --smp "$3" --append "$append" \
		--add tests/host/idt/show --add "$altering" -- "sh /show ${*:6}"
}

# look FOLDER: asks the monitor, works out what trapscope should have said
look() {
	local slide
	part symbols "$1/out" >"$1/symbols"
	slide=$((0x$(awk '$3 == "_text" { print $1 }' "$1/symbols") - $(address _text)))
	echo "$slide" >"$1/slide"
	perl -lane 'use integer; no warnings "portable";
		printf "%016x %s %s\n", hex($F[0]) + '"$slide"', $F[1], $F[2]' "$work/nm" >"$1/moved"
	grep '\[' "$1/symbols" >>"$1/moved"
	tests/host/idt/read "$1/monitor" "$1" \
		"$(printf '0x%x' $(($(address idt_table) + slide)))" \
		"$(printf '0x%x' $(($(address page_offset_base) + slide)))" >"$1/processors" || return
	tests/host/idt/decode "$1/cpu0" <"$1/moved" >"$1/table.wanted"
	idtr_wanted "$1/processors" >"$1/idtr.wanted"
}

# idtr_wanted PROCESSORS: the lines of idt/idtr
idtr_wanted() {
	local _ cpu base limit page first='' table table_page direct place symbol same
	echo "# cpu state base limit page same symbol"
	echo "# FRED off, Xen PV off"
	{
		read -r _ table _ table_page _
		read -r _ _ _ _ _ direct
	} < <(grep '^at ' "$1")
	while read -r _ cpu _ base _ limit _ page _; do
		place=$(printf '0x%016x' $((direct + page))) symbol=-
		[ "$page" != "$table_page" ] || place=$table symbol=idt_table+0x0
		[ -n "$first" ] || first="$base $limit"
		same=yes
		[ "$base $limit" = "$first" ] || same=no
		echo "$cpu online $base $limit $place $same $symbol"
	done < <(grep '^cpu ' "$1")
}

# same WANTED FOUND: files; nothing is like nothing, but was not wanted
same() {
	[ -s "$1" ] || return
	diff -U 0 "$1" "$2" >"$work/diff" || { sed 's/^/# /' "$work/diff"; false; }
}

# booted FOLDER NUMBER LEVELS KASLR: it is the guest that was asked for
booted() {
	local reason='' number levels version kaslr=off
	number=$(grep -c '^cpu ' "$1/processors")
	# CR4.LA57.
	levels=$(while read -r _ _ _ _ _ _ _ _ _ cr4; do
		echo $(((cr4 >> 12 & 1) + 4))
	done < <(grep '^cpu ' "$1/processors") | sort -u)
	[ "$(cat "$1/slide")" = 0 ] || kaslr=on
	[ "$number $levels $kaslr" = "$2 $3 $4" ] || reason="CPUs: $number, levels: $levels, KASLR $kaslr"
	version=$(part version "$1/out")
	grep -aqF -- "${version:-no version}" "$vmlinux" || reason="$vmlinux is of another build"
	[ "$(cat "$1/status")" -eq 0 ] || reason="scripts/vm ended with status $(cat "$1/status")"
	[ -n "$reason" ] || return 0
	diag "$reason"
	sed 's/^/# /' "$1/err"
	return 1
}

table_is() {
	part table "$1/out" >"$1/table"
	tests/host/idt/compare "$1/table.wanted" "$1/table" >"$work/differences" ||
		{ sed 's/^/# /' "$work/differences"; false; }
}

# Processors that are said to have the same table see the same bytes.
idtr_is() {
	local number rest
	part idtr "$1/out" >"$1/idtr"
	same "$1/idtr.wanted" "$1/idtr" || return
	while read -r number rest; do
		case $rest in
		online*\ yes\ *) cmp "$1/cpu0" "$1/cpu$number" || return ;;
		esac
	done <"$1/idtr"
}

raw_is() {
	busybox hexdump -v -e '16/1 "%02x" "\n"' "$1/cpu0" >"$1/raw.wanted"
	part raw "$1/out" >"$1/raw"
	same "$1/raw.wanted" "$1/raw"
}

# Of the guest whose gate 14 leads elsewhere, by way of a copy of the table.
findings() {
	local own other
	own=$(awk '$1 == 0 { print $3 ":" $4 ":" $5 }' "$1/idtr.wanted")
	other=$(awk '$1 == 1 { print $3 ":" $4 ":" $5 }' "$1/idtr.wanted")
	echo 2
	echo "# what cpu vector reasons before after"
	echo "idtr 0 - base $other $own"
	echo "gate 0 14 changed,unexpected,outside-image,page-fault" \
		"interrupt,0,1,0,0x10,asm_exc_page_fault+0x0 interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
}

no_findings() {
	echo OK
	echo "# what cpu vector reasons before after"
}

# check_is FOLDER FUNCTION
check_is() {
	"$2" "$1" >"$1/check.wanted"
	part check "$1/out" >"$1/check"
	same "$1/check.wanted" "$1/check"
}

# The bytes of gate 14, and what shows when one of them is another.
alterations='
0 offset address,handler
1 offset address,handler
2 selector selector
4 ist ist,stack
5 type,dpl,present type,class,dpl,present
6 offset address,handler
8 offset address,handler
'
alterations=$(grep . <<<"$alterations")

# seen FOLDER BYTE COLUMNS: if that byte of gate 14 were another in memory, the table
# would differ in these columns of that row, and in nothing else
seen() {
	perl -e 'local $/; $_ = <STDIN>; substr($_, 14 * 16 + '"$2"', 1) ^= "\xe1"; print' <"$1/cpu0" >"$work/bytes"
	tests/host/idt/decode "$work/bytes" <"$1/moved" >"$work/other"
	! tests/host/idt/compare "$work/other" "$1/table" >"$work/differences" || return
	[ "$(sed 's/ is .*//' "$work/differences" | paste -sd,)" = "vector 14: ${3//,/,vector 14: }" ] ||
		{ sed 's/^/# /' "$work/differences"; false; }
}

# missing_row FOLDER: a row less would be a difference
missing_row() {
	grep -v '^200 ' "$1/table" >"$work/other"
	! tests/host/idt/compare "$1/table.wanted" "$work/other" >/dev/null
}

while read -r guest; do
	# shellcheck disable=SC2086 # words
	watch $guest &
	pids+=($!)
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do wait -n; done
done <<<"$guests"
wait

ktap_plan $((5 * $(wc -l <<<"$guests") + $(wc -l <<<"$alterations") + 1))
while read -r name cpu number levels kaslr parameters; do
	title="$cpu, CPUs: $number, levels: $levels, KASLR $kaslr${parameters:+, $parameters}"
	findings=no_findings
	[ -z "$parameters" ] || findings=findings
	# With KVM, "max" is the machine's own processor.
	if [ "$levels" -eq 5 ] && ! part flags "$work/$name/out" | grep -qw la57; then
		skip "$title: it booted so" "this processor has no 5-level page tables"
	else
		check "$title: it booted so" booted "$work/$name" "$number" "$levels" "$kaslr"
	fi
	check "$title: table" table_is "$work/$name"
	check "$title: idtr" idtr_is "$work/$name"
	check "$title: raw" raw_is "$work/$name"
	check "$title: check" check_is "$work/$name" "$findings"
done <<<"$guests"
while read -r byte what columns; do
	check "an altered byte of gate 14 ($byte: $what) would be seen" seen "$work/skylake-1" "$byte" "$columns"
done <<<"$alterations"
check "a missing row would be seen" missing_row "$work/skylake-1"
ktap_end
