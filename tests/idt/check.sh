#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What check says while idt_alter.ko has one processor use another IDTR, or another
# table with one gate altered: that processor and that vector, and nothing else.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"
. "$here/../lib/idt.sh"

alter=/lib/trapscope/idt_alter.ko
[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
[ -e "$alter" ] || ktap_skip_all "no $alter, which alters tables"
[ -e "$module" ] || ktap_skip_all "no $module to load again"

idt=$trapscope/idt
restrict=/proc/sys/kernel/kptr_restrict
online=/sys/devices/system/cpu/cpu1/online
[ -e "$online" ] || ktap_skip_all "one processor: there is no other to compare with"
restricted=$(cat $restrict)
restore() {
	rmmod idt_alter 2>/dev/null
	echo 1 >"$online"
	[ -d "$trapscope" ] || insmod "$module"
	echo "$restricted" >"$restrict"
}
trap restore EXIT
echo 0 >"$restrict"

dmesg -c >/dev/null
insmod "$alter" || {
	dmesg | grep -q 'idt_alter: page-table isolation' && ktap_skip_all "$(dmesg | sed -n 's/.*idt_alter: //p' | tail -n 1)"
	exit 1
}
rmmod idt_alter

# CPU_ENTRY_AREA_RO_IDT: where processors see the kernel's table.
own=0xfffffe0000000000

# The place of the table, as check writes it.
home=0x$(awk '$3 == "idt_table" { print $1 }' /proc/kallsyms)
kernels=$own:0x0fff:$home

# base CPU: of its IDTR
base() {
	awk -v cpu="$1" '$1 == cpu { print $3 }' "$idt/idtr"
}

# and_gone COMMAND...: the command passes, and once the module is gone all is OK
and_gone() {
	"$@"
	verdict=$?
	rmmod idt_alter && check_says OK && return "$verdict"
}

# altered CPU VECTOR CHANGE REASONS BEFORE AFTER: two findings, the IDTR and that gate
altered() {
	insmod "$alter" "cpu=$1" "vector=$2" "change=$3" || return
	check_says 2 "idtr $1 - base $kernels $(place "$1")" "gate $1 $2 $4 $5 $6"
}

# row FILE LINE: it has that one
row() {
	grep -qxE "$2" "$idt/$1" || { sed "s/^/# $1: /" "$idt/$1"; false; }
}

ktap_plan 32

check "nothing altered: OK" check_says OK

# Vector 200 has no device in this guest: its gate can be anything.
handler=$(irq_entry 200)
as_was=interrupt,0,1,0,0x10,$handler
for cpu in 0 1; do
	check "CPU $cpu, the page fault's handler in a module" and_gone altered $cpu 14 handler \
		changed,unexpected,outside-image,page-fault \
		interrupt,0,1,0,0x10,asm_exc_page_fault+0x0 \
		"interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
	check "CPU $cpu, another handler in a module" and_gone altered $cpu 236 handler \
		changed,unexpected,outside-image \
		interrupt,0,1,0,0x10,asm_sysvec_apic_timer_interrupt+0x0 \
		"interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
	check "CPU $cpu, the handler of the next vector" and_gone altered $cpu 200 neighbour \
		changed,unexpected "$as_was" "interrupt,0,1,0,0x10,$(irq_entry 201)"
	# One that is not present leads nowhere, in the image or out of it.
	check "CPU $cpu, no gate at all" and_gone altered $cpu 200 empty \
		changed,unexpected "$as_was" 0x0,0,0,0,0x0,0x0000000000000000
	check "CPU $cpu, type" and_gone altered $cpu 200 type changed,unexpected "$as_was" "trap,0,1,0,0x10,$handler"
	check "CPU $cpu, DPL" and_gone altered $cpu 200 dpl changed,unexpected "$as_was" "interrupt,3,1,0,0x10,$handler"
	check "CPU $cpu, present" and_gone altered $cpu 200 present changed,unexpected "$as_was" "interrupt,0,0,0,0x10,$handler"
	check "CPU $cpu, IST" and_gone altered $cpu 200 ist changed,unexpected "$as_was" "interrupt,0,1,1,0x10,$handler"
	check "CPU $cpu, selector" and_gone altered $cpu 200 selector changed,unexpected "$as_was" "interrupt,0,1,0,0x18,$handler"
done

# The reserved bits of a gate: no column shows them, but raw has every bit.
reserved() {
	insmod "$alter" cpu=0 vector=200 change=reserved || return
	row check 'gate 0 200 ([a-z-]+,)*changed.*' || return
	bits=$(dd if="$idt/raw" bs=1 skip=3204 count=12 2>/dev/null | hexdump -v -e '1/1 "%02x"')
	case $bits in
	a88e????ffffffff78563412) ;;
	*) diag "raw: $bits"; return 1 ;;
	esac
}
check "reserved bits: a changed gate, and raw has them" and_gone reserved

# How table shows what is no gate, and one that nothing can raise.
shown() {
	insmod "$alter" cpu=0 vector=200 change=empty || return
	row table '200 0xc8 - [^ ]+ [^ ]+ no 0x0 - 0 0 0 - 0x0 - 0x0{16} -' || return
	rmmod idt_alter
	insmod "$alter" cpu=0 vector=200 change=present &&
		row table "200 0xc8 - [^ ]+ [^ ]+ no interrupt interrupt-gate 0 0 0 - 0x10 - 0x[0-9a-f]{16} irq_entries_start\\+${handler#*+}"
}
check "table: an empty gate, and one that is not present" and_gone shown

# base_alone PAGE SYMBOL: CPU 1 has another base with the same gates
base_alone() {
	[ "$(base 1)" != "$own" ] || { diag "the base is as before"; return 1; }
	check_says 1 "idtr 1 - base $kernels $(place 1)" &&
		row idtr "1 online $(base 1) 0x0fff $1 no $2"
}
equal_copy() {
	insmod "$alter" cpu=1 base=copy && base_alone '0x[0-9a-f]{16}' -
}
check "an equal table elsewhere: its base, and no gate" and_gone equal_copy

alias_of_table() {
	insmod "$alter" cpu=1 base=alias && base_alone "$home" 'idt_table\+0x0'
}
check "the kernel's table by another address: its base, and the page is idt_table's" \
	and_gone alias_of_table

# The same address, but another page behind it: of both processors, one table.
remapped() {
	insmod "$alter" base=remap vector=200 change="$1" || return
	[ "$(base 0)" = "$own" ] || { diag "the base is another"; return 1; }
	shift
	check_says $(($# + 2)) "idtr 0 - page $kernels $(place 0)" "idtr 1 - page $kernels $(place 1)" "$@"
}
check "another page behind the same base: the page, and no gate" and_gone remapped none
check "a gate there: once, for both processors" and_gone remapped dpl \
	"gate 0-1 200 changed,unexpected $as_was interrupt,3,1,0,0x10,$handler"

# sizes GATES BYTES: how many rows of table are no gates, and what raw has
sizes() {
	[ "$(grep -vc '^#' "$idt/table")" -eq 256 ] &&
		[ "$(grep -vc -e '^#' -e unreadable "$idt/table")" -eq "$1" ] &&
		[ "$(wc -c <"$idt/raw")" -eq "$2" ] && return
	diag "table: $(grep -c unreadable "$idt/table") unreadable, raw: $(wc -c <"$idt/raw") bytes"
	return 1
}

# As hypervisors leave it.
greatest_limit() {
	insmod "$alter" "cpu=$1" base=same limit=65535 || return
	check_says 1 "idtr $1 - limit $kernels $own:0xffff:$home" && sizes 256 4096 &&
		row idtr "0 .* yes idt_table\+0x0" && row idtr "1 .* yes idt_table\+0x0"
}
check "CPU 0, limit 0xffff: the limit, and 256 gates all the same" and_gone greatest_limit 0
check "CPU 1, limit 0xffff" and_gone greatest_limit 1

# A table without gates for the two vectors that never come.
short() {
	insmod "$alter" cpu=0 base=same limit=4063 || return
	check_says 1 "idtr 0 - limit $kernels $own:0x0fdf:$home" &&
		sizes 254 4064 && row idtr "1 online $own 0x0fff .* no idt_table\+0x0"
}
check "CPU 0, limit 0x0fdf: the last two gates are not there" and_gone short

offline() {
	insmod "$alter" cpu=1 vector=14 change=handler || return
	echo 0 >"$online"
	check_says OK || return
	echo 1 >"$online"
	# Bring-up loads the kernel's own.
	check_says OK
}
check "a processor that goes off takes its findings along" and_gone offline

hidden() {
	insmod "$alter" cpu=1 vector=14 change=handler || return
	echo 2 >"$restrict"
	nowhere=0x0000000000000000:0x0fff:0x0000000000000000
	check_says 2 "idtr 1 - base $nowhere $nowhere" \
		"gate 1 14 changed,unexpected,outside-image,page-fault interrupt,0,1,0,0x10,asm_exc_page_fault+0x0 interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
	verdict=$?
	echo 0 >"$restrict"
	return "$verdict"
}
check "kptr_restrict 2: the same findings without addresses" and_gone hidden

# What was altered before trapscope came is in its baseline, but not Linux's.
earlier() {
	rmmod trapscope && insmod "$alter" cpu=1 vector=14 change=handler && insmod "$module" || return
	copy=$(place 1)
	address=0x$(awk '$3 == "altered" { print $1 }' /proc/kallsyms)
	gate="interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
	check_says 2 "idtr 1 - base $copy $copy" \
		"gate 1 14 unexpected,outside-image,page-fault $gate $gate"
	verdict=$?
	rmmod idt_alter
	# Nothing has a name at that address any more.
	check_says 2 "idtr 1 - base $copy $kernels" \
		"gate 1 14 changed interrupt,0,1,0,0x10,$address interrupt,0,1,0,0x10,asm_exc_page_fault+0x0" &&
		return "$verdict"
}
check "altered before trapscope was loaded: not what 7.3 has; put back: changed" earlier
rmmod trapscope
insmod "$module"
check "loaded anew: OK" check_says OK

ktap_end
