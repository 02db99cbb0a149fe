#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The files of trace_idt: names, modes, what may be written, what they say.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"
. "$here/../lib/idt.sh"
. "$here/lib.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
on >/dev/null || ktap_skip_all "trace_idt can't be switched on here: see its status"
off

restrict=/proc/sys/kernel/kptr_restrict
restricted=$(cat $restrict)
work=$(mktemp -d)
restore() {
	echo 0 >"$trace/enable"
	echo 1 >"$trapscope/enable"
	echo "$restricted" >"$restrict"
	rm -rf "$work"
}
trap restore EXIT
echo 0 >"$restrict"

ktap_plan 25

# complain: fails if there is input, and shows it
complain() {
	sed 's/^/# /' >"$work/complaints"
	cat "$work/complaints"
	[ ! -s "$work/complaints" ]
}

modes() {
	(cd "$trace" && stat -c '%a %n' -- *) >"$work/modes"
	printf '%s\n' '400 counts' '600 enable' '400 status' '400 table' | cmp - "$work/modes"
}
check "names and modes" modes

# ---- off ----

check "off: enable, status, idt/check" is_off
empty() {
	[ "$(wc -l <"$trace/table")" -eq 1 ]
}
check "off: table has its head alone" empty
cp "$trapscope/idt/table" "$work/idt"

# all_bad IS: bad input is refused, and enable goes on to say so
all_bad() {
	for value in 2 on -1 10 '1 1' yes 00 0x1; do
		puts "Invalid argument" "$value" "$trace/enable" && enabled "$1" || return
	done
}
check "off: bad input is refused" all_bad 0
check "off: bad input left it off" is_off

twice_off() {
	off && off && is_off
}
check "off twice" twice_off

# ---- on ----

first() {
	on && is_on
}
check "on: enable, status, idt/check" first
check "on: bad input is refused" all_bad 1
check "on: bad input left it on" is_on

# since: when it was switched on
since() {
	sed -n 's/^enabled 1 since //p' "$trace/status"
}
twice_on() {
	before=$(since)
	on && [ "$(since)" = "$before" ] && is_on
}
check "on twice: it is the same one" twice_on

since_when() {
	now=$(cut -d' ' -f1 /proc/uptime)
	since | grep -xE '[0-9]+\.[0-9]{6}' >"$work/since" &&
		awk -v now="$now" '{ exit !($1 > 0 && $1 < now + 1) }' "$work/since"
}
check "status: since when, by the clock of dmesg" since_when

items() {
	{
		printf '%s\n' '# item value detail' 'enabled 1' 'refused none'
		tr ',' '\n' </sys/devices/system/cpu/possible |
			awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) print "cpu:" cpu }'
		echo 'kernel_trace_idt_table 0'
	} >"$work/wanted"
	awk '/^event:/ { next } /^cpu:/ { print $1; next } /^#/ { print; next } { print $1, $2 }' "$trace/status" |
		cmp - "$work/wanted"
}
check "status: items" items

no_table() {
	grep -qxF 'kernel_trace_idt_table 0 gone since 4.14, for the keys of these events' "$trace/status" &&
		! grep -E ' trace_idt_table$' /proc/kallsyms
}
check "status: this kernel has no trace_idt_table, as kallsyms says" no_table

# Each event that the kernel has: exceptions and irq_vectors, but for those of the
# allocation of vectors, which are no exception or interrupt.
events() {
	grep '^event:' "$trace/status" | cut -d' ' -f1 | sort >"$work/found"
	(
		cd /sys/kernel/tracing/events || exit
		for event in exceptions/* irq_vectors/*_entry irq_vectors/*_exit; do
			[ ! -d "$event" ] || echo "event:$event" | tr / :
		done
	) | sort >"$work/wanted"
	grep ' absent$' "$trace/status" | cut -d' ' -f1 | sort >"$work/absent"
	sort "$work/wanted" "$work/absent" | cmp - "$work/found"
}
check "status: every event that took its place" events

# key EVENT: what status says of it
key() {
	sed -n "s/^event:$1 //p" "$trace/status"
}
keys() {
	[ "$(key irq_vectors:local_timer_entry)" = off ] || return
	echo 1 >/sys/kernel/tracing/events/irq_vectors/local_timer_entry/enable
	now=$(key irq_vectors:local_timer_entry)
	echo 0 >/sys/kernel/tracing/events/irq_vectors/local_timer_entry/enable
	[ "$now" = on ] && [ "$(key irq_vectors:local_timer_entry)" = off ] || return
	# trapscope's own probe.
	[ "$(key exceptions:page_fault_kernel)" = on ] || return
	echo 0 >"$trapscope/enable"
	now=$(key exceptions:page_fault_kernel)
	echo 1 >"$trapscope/enable"
	[ "$now" = off ]
}
check "status: whether those are on" keys

# The first 14, address and handler are those of idt/table.
columns() {
	head -n 1 "$trace/table" | grep -qxF "$(head -n 1 "$work/idt" |
		sed 's/ address handler$/ rest stub_address stub address handler/')"
}
check "table: columns" columns

as_kernels() {
	sed 1d "$trace/table" | cut -d' ' -f1-14,18- >"$work/found"
	sed 1d "$work/idt" | cmp - "$work/found" && [ "$(wc -l <"$work/found")" -eq 256 ]
}
check "table: 256 gates, decoded and with handlers as in idt/table" as_kernels

rest() {
	sed 1d "$trace/table" | awk '$15 != "same"' | complain
}
check "table: all but the offset is the same" rest

# Where kallsyms has the stubs; those of CPU 0 are first, 24 bytes each.
stubs() {
	base=$(awk '$3 == "trapscope_stubs" { print $1 }' /proc/kallsyms)
	[ -n "$base" ] || { diag "kallsyms has no trapscope_stubs"; return 1; }
	vector=0
	while [ "$vector" -lt 256 ]; do
		printf '%d 0x%x trapscope_stubs+0x%x[trapscope]\n' "$vector" $((0x$base + vector * 24)) $((vector * 24))
		vector=$((vector + 1))
	done >"$work/wanted"
	awk 'NR > 1 { print $1, $16, $17 }' "$trace/table" >"$work/found"
	diff "$work/wanted" "$work/found" | complain
}
check "table: stub by stub" stubs

hidden() {
	echo 2 >"$restrict"
	sed 1d "$trace/table" | awk '$16 !~ /^0x0+$/ || $18 !~ /^0x0+$/' >"$work/shown"
	echo 0 >"$restrict"
	[ "$(sed 1d "$trace/table" | awk '$16 ~ /^0x0+$/' | wc -l)" -eq 0 ] && complain <"$work/shown"
}
check "table: no address where kptr_restrict hides them" hidden

# The first CPU's gates as they are: the stubs. Whatever a stub stands for, nothing
# of Linux leads to it.
live() {
	sed 1d "$trapscope/idt/table" | awk '$16 !~ /^trapscope_stubs\+/ || $17 != "[trapscope]" || $14 != "-"' | complain
}
check "idt/table: the gates of the first CPU are the stubs" live

idtr() {
	sed 1,2d "$trapscope/idt/idtr" | awk '$2 == "online" && !($4 == "0x0fff" && $7 == "trace_idt+0x0" && $8 == "[trapscope]")' |
		complain
}
check "idt/idtr: trace_idt of trapscope" idtr

rows() {
	cat "$trace/counts" >"$work/counts"
	head -n 1 "$work/counts" | grep -qxE '# vector hex mnemonic name all( cpu[0-9+cpu]+)+ handler' || return
	awk 'FNR == NR { known[$1] = $1 " " $2 " " $3 " " $4; handler[$1] = $NF; next }
		FNR == 1 { cpus = NF - 7; next }
		{ sum = 0; for (i = 6; i < 6 + cpus; i++) sum += $i }
		$1 <= last && FNR > 2 || $5 == 0 || sum != $5 || NF != 6 + cpus ||
		known[$1] != $1 " " $2 " " $3 " " $4 || handler[$1] != $NF
		{ last = $1 }' "$work/idt" "$work/counts" | complain || return
	grep -q '^14 0x0e #PF page-fault ' "$work/counts"
}
check "counts: vector, name and handler as in idt/table; all is the sum; none is zero" rows

stay() {
	off || return
	cat "$trace/counts" >"$work/counts"
	sleep 0.1
	cmp "$work/counts" "$trace/counts" && [ "$(count 14 0)" -gt 0 ] && is_off
}
check "off again: the counts stay" stay

anew() {
	before=$(count 14 0)
	on && [ "$(count 14 0)" -lt "$before" ] && is_on && off &&
		says enabled 0 switched off by write
}
check "on again: they begin anew" anew
ktap_end
