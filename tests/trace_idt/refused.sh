#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Where switching on is refused, what switches it off by itself, and tables of others.
# Page-table isolation: tests/host/trace_idt.sh, since it takes another guest.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"
. "$here/../lib/idt.sh"
. "$here/lib.sh"

alter=/lib/trapscope/idt_alter.ko
kvm_intel=/lib/trapscope/kvm_intel.ko
hold=/sys/module/kvm_intel/parameters/hold
sleep_hold=/lib/trapscope/sleep_hold.ko
on_the_way=/sys/module/sleep_hold/parameters
[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
[ -e "$module" ] || ktap_skip_all "no $module to load again"
[ -e "$alter" ] || ktap_skip_all "no $alter, which alters tables"
[ -e "$kvm_intel" ] || ktap_skip_all "no $kvm_intel, which looks at IDTR"
[ -e "$sleep_hold" ] || ktap_skip_all "no $sleep_hold, which holds a machine that is about to sleep"
on >/dev/null || ktap_skip_all "trace_idt can't be switched on here: see its status"
off
[ -e /sys/devices/system/cpu/cpu1/online ] || ktap_skip_all "one processor: there is no other one to alter"

restrict=/proc/sys/kernel/kptr_restrict
restricted=$(cat $restrict)
work=$(mktemp -d)
loading=
restore() {
	[ -z "$loading" ] || kill "$loading" 2>/dev/null
	[ ! -e "$on_the_way" ] || echo 0 >"$on_the_way/hold"
	rmmod sleep_hold 2>/dev/null
	rmmod idt_alter 2>/dev/null
	rmmod kvm_intel 2>/dev/null
	[ -d "$trapscope" ] || insmod "$module"
	echo 0 >"$trace/enable"
	echo "$restricted" >"$restrict"
	[ ! -e /sys/power/pm_test ] || echo none >/sys/power/pm_test
	rm -rf "$work"
}
trap restore EXIT
echo 0 >"$restrict"
busy="Device or resource busy"
own=0xfffffe0000000000:0x0fff:0x$(awk '$3 == "idt_table" { print $1 }' /proc/kallsyms)

ktap_plan 30

# ---- others' tables, before ----

# refused CPU NAME TEXT PARAMETER...: while a module has that CPU use another IDTR
refused() {
	cpu=$1 name=$2 text=$3
	shift 3
	on && off || return
	cp "$trace/counts" "$work/counts"
	insmod "$alter" "cpu=$cpu" "$@" || return
	puts "$busy" 1 "$trace/enable" && says refused "$name" "$text" &&
		says enabled 0 switched off by write &&
		enabled 0 && ! grep -E '^cpu:.* trace_idt' "$trace/status" &&
		cmp "$work/counts" "$trace/counts"
	verdict=$?
	rmmod idt_alter && is_off && on && is_on && says refused none && off && return "$verdict"
}
for cpu in 0 1; do
	foreign="the table of CPU $cpu is not the kernel's: see idt/check, and unload what changed it"
	check "CPU $cpu has a copy of the table: refused, and not any more later" \
		refused $cpu foreign-table "$foreign" base=copy
	check "CPU $cpu has it by another address: the same" \
		refused $cpu foreign-table "$foreign" base=alias
	check "CPU $cpu has another limit: the same" \
		refused $cpu limit "CPU $cpu has a limit that Linux does not set (VM exits do): take it offline and online again, or reboot" \
		base=same limit=65535
done

# The base is the kernel's, and the page behind it is not.
check "another page behind the kernel's base: the same" refused 0 foreign-table \
	"the table of CPU 0 is not the kernel's: see idt/check, and unload what changed it" base=remap

# A stub behind a trap gate would run with interrupts on.
check "a gate of the kernel's table is a trap gate: the same" refused 0 gate \
	"gate 200 of the kernel's table is not an interrupt gate: see idt/check, and unload what changed it" \
	base=kernel vector=200 change=type

# ---- others' tables, while it is on ----

handler=$(irq_entry 200)
# It is what the processors come back to, though none is on it.
kernels() {
	on && insmod "$alter" base=kernel vector=200 change=dpl || return
	check_says 1 "# CPU 0-1: $second" \
		"gate - 200 changed,unexpected interrupt,0,1,0,0x10,$handler interrupt,3,1,0,0x10,$handler" &&
		[ "$(awk '$15 == "differs" { print $1 }' "$trace/table")" = 200 ]
	verdict=$?
	rmmod idt_alter && is_on && off && is_off && return "$verdict"
}
check "a gate of the kernel's own table is altered: idt/check and table name it" kernels

remapped() {
	on && insmod "$alter" base=remap || return
	sed 2,3d "$trapscope/idt/check" | tr '\n' ' ' |
		grep -xE "1 idtr - - page $own 0xfffffe0000000000:0x0fff:0x[0-9a-f]{16} " >/dev/null
	verdict=$?
	[ "$verdict" -eq 0 ] || sed 's/^/# /' "$trapscope/idt/check"
	rmmod idt_alter && is_on && off && is_off && return "$verdict"
}
check "another page behind the kernel's base: idt/check names it" remapped

# Gates and stubs are as they should be: only where the stubs go on to is not.
target() {
	targets=$(awk '$3 == "trapscope_stub_targets" { print $1 }' /proc/kallsyms)
	on && insmod "$alter" base=same vector=14 targets=0x"$targets" || return
	change="14 changed,unexpected,outside-image,page-fault interrupt,0,1,0,0x10,asm_exc_page_fault+0x0 interrupt,0,1,0,0x10,altered+0x0[idt_alter]"
	check_says 2 "# CPU 0-1: $second" "gate 0 $change" "gate 1 $change" &&
		grep -qE '^14 .* trapscope_stubs\+0x150\[trapscope\] 0x[0-9a-f]+ altered\+0x0 \[idt_alter\]$' "$trace/table" &&
		before=$(count 14 1) && taskset 2 /bin/busybox true && [ "$(count 14 1)" -gt "$before" ]
	verdict=$?
	rmmod idt_alter && is_on && off && is_off && return "$verdict"
}
check "the page fault's stubs go on elsewhere: idt/check and table name it" target

# foreign CPU PARAMETER...: a copy of the second table
foreign() {
	on || return
	cpu=$1
	shift
	insmod "$alter" "cpu=$cpu" base=copy "$@" && says "cpu:$cpu" other && says "cpu:$((1 - cpu))" trace_idt
}

# The stubs behind the copy are nothing to tell: the base is, and what was altered.
found() {
	check_says 2 "# CPU $((1 - $1)): $second" \
		"idtr $1 - base $own $(place "$1")" "$2"
}

# altered CPU: one gate of it is altered
altered() {
	foreign "$1" vector=200 change=dpl &&
		found "$1" "gate $1 200 changed,unexpected interrupt,0,1,0,0x10,$handler interrupt,3,1,0,0x10,$handler"
	verdict=$?
	rmmod idt_alter && is_on && off && is_off && return "$verdict"
}

# behind CPU: the page fault goes there by a module, and then by the stub
behind() {
	foreign "$1" vector=14 change=handler &&
		found "$1" "gate $1 14 changed,unexpected,outside-image,page-fault interrupt,0,1,0,0x10,asm_exc_page_fault+0x0 interrupt,0,1,0,0x10,altered+0x0[idt_alter]" &&
		before=$(count 14 "$1") && taskset "$((1 << $1))" /bin/busybox true &&
		[ "$(count 14 "$1")" -gt "$before" ]
	verdict=$?
	rmmod idt_alter && is_on && off && is_off && return "$verdict"
}

# A copy of the second table is no table to be on once that is gone.
left_behind() {
	foreign "$1" || return
	off && is_off || return
	rmmod idt_alter && is_off && on && is_on && off
}
unloaded() {
	foreign "$1" || return
	rmmod trapscope || return
	taskset "$((1 << $1))" /bin/busybox true
	insmod "$module" && is_off || return
	rmmod idt_alter && is_off && on && is_on && off
}
for cpu in 0 1; do
	check "CPU $cpu, a copy of the second table with a gate altered: idt/check names it" altered $cpu
	check "CPU $cpu, the page fault's stub behind another handler: named, and counted" behind $cpu
	check "CPU $cpu, a copy of the second table, then off" left_behind $cpu
	check "CPU $cpu, a copy of the second table, then rmmod" unloaded $cpu
done

# ---- kvm_intel ----

# It loads only where each CPU has the kernel's table.
comes() {
	on && insmod "$kvm_intel" || return
	says enabled 0 switched off by kvm_intel && is_off
}
check "kvm_intel is loaded: switched off before that" comes

there() {
	on && is_on && rmmod kvm_intel && is_on && off
}
check "it is loaded, and VMX not in use: on again; it goes: still on" there

another() {
	on && insmod "$alter" base=same || return
	is_on
	verdict=$?
	rmmod idt_alter && is_on && off && return "$verdict"
}
check "another module is loaded: still on" another

# begin: loads it, to the point where it looks
begin() {
	insmod "$kvm_intel" hold=1 2>/dev/null &
	loading=$!
	until [ -e "$hold" ]; do usleep 10000; done
	# Announced before that file was there.
	puts "$busy" 1 "$trace/enable" && says refused kvm_intel "kvm_intel is being loaded: try again after that" && is_off
}
until_there() {
	begin || return
	echo 0 >"$hold"
	wait "$loading" || return
	loading=
	on && is_on && off && rmmod kvm_intel
}
check "it is being loaded: refused until it is" until_there

until_failed() {
	begin || return
	kill "$loading"
	wait "$loading" 2>/dev/null
	loading=
	[ ! -e "$hold" ] || { diag "kvm_intel was loaded in spite of the signal"; return 1; }
	on && is_on && says refused none && off
}
check "it is being loaded, and fails: refused until then" until_failed

# ---- sleep ----

# As far as tasks are frozen, and back: it has to be off before that.
sleeps() {
	on || return
	echo freezer >/sys/power/pm_test
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	echo mem >/sys/power/state
	verdict=$?
	echo none >/sys/power/pm_test
	[ "$verdict" -eq 0 ] && says enabled 0 switched off by suspend && is_off &&
		on && is_on && off
}
# on_its_way FAIL: who writes between the announcement and the freezing of tasks
on_its_way() {
	on && insmod "$sleep_hold" "fail=$1" || return
	echo freezer >/sys/power/pm_test
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	(echo mem >/sys/power/state) 2>/dev/null &
	loading=$!
	until [ "$(cat "$on_the_way/held")" = Y ]; do usleep 10000; done
	says enabled 0 switched off by suspend && is_off && puts "$busy" 1 "$trace/enable" &&
		says refused sleep "the machine is going to sleep, or waking: try again after that" && is_off
	verdict=$?
	echo 0 >"$on_the_way/hold"
	wait "$loading"
	slept=$?
	loading=
	echo none >/sys/power/pm_test
	rmmod sleep_hold && [ "$verdict" -eq 0 ] || return
	[ "$((slept != 0))" -eq "$1" ] || { diag "fail=$1, and sleeping ended with $slept"; return 1; }
	on && is_on && says refused none && off
}
if [ -e /sys/power/pm_test ] && grep -q mem /sys/power/state; then
	check "sleep: switched off" sleeps
	check "sleep is on its way: refused until it is over" on_its_way 0
	check "sleep is on its way, and fails: refused until then" on_its_way 1
else
	for what in "switched off" "refused on its way" "refused until it fails"; do
		skip "sleep: $what" "this kernel can't sleep"
	done
fi

# ---- all at once ----

# A refusal is told until it worked, whatever happens in between.
kept() {
	insmod "$alter" cpu=1 base=copy || return
	puts "$busy" 1 "$trace/enable"
	off
	grep -q '^refused foreign-table ' "$trace/status" || return
	rmmod idt_alter
	grep -q '^refused foreign-table ' "$trace/status" && on && says refused none && off
}
check "the last refusal is told until switching on works" kept

check "then all is as before" is_off
left() {
	! grep -E "^(idt_alter|kvm_intel|sleep_hold) " /proc/modules
}
check "no module of a test is left" left
ktap_end
