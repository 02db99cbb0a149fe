#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The events' formats and names; switching, filters and triggers by hand; rmmod.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

tracing=/sys/kernel/tracing
events=$tracing/events/trapscope
[ -d "$events/fault" ] || ktap_skip_all "no $events/fault: load trapscope, mount tracefs"
[ -e "$module" ] || ktap_skip_all "no $module to load again"

work=$(mktemp -d)
load=
restore() {
	[ -z "$load" ] || kill "$load" 2>/dev/null
	[ ! -d "$events" ] || {
		echo 0 >"$events/enable"
		echo 0 >"$events/fault/filter"
	}
	rm -rf "$work"
	[ -d "$trapscope" ] || insmod "$module"
}
trap restore EXIT

ktap_plan 15

# fields EVENT FIELD...: its own fields, in order
fields_are() {
	event=$1
	shift
	has=$(sed -n 's/.*field:\([^;]*\);.*/\1/p' "$events/$event/format" | grep -v ' common_')
	[ "$has" = "$(printf '%s\n' "$@")" ] || { diag "$event has" "$has"; false; }
}
check "fault: the fields" fields_are fault "u64 address" "u64 ip" "u64 latency_ns" \
	"u64 vma_start" "u64 vma_end" "u64 ino" "u32 flags" "u32 result" "u32 dev" \
	"s32 tgid" "u16 retries" "u8 class" "bool major" "char perms[5]"
check "kernel_fault: the fields" fields_are kernel_fault "u64 address" "u64 ip" \
	"u64 error_code" "u8 place" "bool user"

# symbols EVENT FIELD: "number name" for each that its format prints
symbols() {
	grep '^print fmt:' "$events/$1/format" |
		sed "s/.*__print_[a-z]*(REC->$2,\([^)]*\)).*/\1/" |
		grep -o '{ [0-9x]*, "[^"]*" }' | sed 's/[{},"]//g; s/  */ /g; s/^ //; s/ $//'
}

class_names() {
	symbols fault class >"$work/has"
	awk '!/^#/ && $2 != "*" { print n++ " " $2 }' "$trapscope/faults" >"$work/wanted"
	cmp -s "$work/has" "$work/wanted" || { diff "$work/wanted" "$work/has" | sed 's/^/# /'; false; }
}
check "fault: its classes are those of faults, in order" class_names

# A fault that a signal ends has no event.
places() {
	symbols kernel_fault place >"$work/has"
	awk '$1 == "region" || $1 == "bad-area" && $2 != "signal" { print n++ " " $2 }' "$trapscope/kernel" >"$work/wanted"
	cmp -s "$work/has" "$work/wanted" || { diff "$work/wanted" "$work/has" | sed 's/^/# /'; false; }
}
check "kernel_fault: its places are those of kernel, in order" places

error_codes() {
	symbols kernel_fault error_code | awk '{ print $2 }' >"$work/has"
	awk '$1 == "error-code" { print $2 }' "$trapscope/kernel" >"$work/wanted"
	cmp -s "$work/has" "$work/wanted" || { diff "$work/wanted" "$work/has" | sed 's/^/# /'; false; }
}
check "kernel_fault: its error codes are those of kernel, in order" error_codes

no_enum_left() {
	! grep -o 'FAULT_FLAG_[A-Z_]*\|VM_FAULT_[A-Z_]*' "$events/fault/format"
}
check "fault: tools are told every number" no_enum_left

# some_faults: of several classes
some_faults() {
	for i in 1 2 3 4 5; do
		ls -l /
	done | sort | gzip -c >/dev/null
}

trace_lines() {
	grep -c ": $1: " "$tracing/trace"
}

by_class() {
	number=$(awk '!/^#/ && $2 != "*" { if ($2 == "cow-copy") print n + 0; n++ }' "$trapscope/faults")
	: >"$tracing/trace"
	echo "class == $number" >"$events/fault/filter"
	echo 1 >"$events/fault/enable"
	some_faults
	echo 0 >"$events/fault/enable"
	echo 0 >"$events/fault/filter"
	all=$(trace_lines fault)
	of_class=$(grep -c 'fault: class=cow-copy ' "$tracing/trace")
	if [ "$all" -eq 0 ] || [ "$all" -ne "$of_class" ]; then
		diag "$of_class of $all lines"
		return 1
	fi
}
check "fault: a filter by class" by_class

by_perms() {
	: >"$tracing/trace"
	echo 'perms == "r-xp" && ino != 0' >"$events/fault/filter"
	echo 1 >"$events/fault/enable"
	some_faults
	echo 0 >"$events/fault/enable"
	echo 0 >"$events/fault/filter"
	all=$(trace_lines fault)
	fitting=$(grep ' perms=r-xp ' "$tracing/trace" | grep -vc ' ino=0 ')
	if [ "$all" -eq 0 ] || [ "$all" -ne "$fitting" ]; then
		diag "$fitting of $all lines"
		return 1
	fi
}
check "fault: a filter by permissions and inode" by_perms

# The latencies and hits of each class, fewest first.
hist() {
	echo 'hist:keys=class:vals=latency_ns:sort=hitcount:size=128' >"$events/fault/trigger" || return 1
	some_faults
	cp "$events/fault/hist" "$work/hist"
	echo '!hist:keys=class:vals=latency_ns:sort=hitcount:size=128' >"$events/fault/trigger"
	awk '
		$1 == "{" && $2 == "class:" {
			gsub(/[{}:]/, " ")
			if ($3 != "hitcount" || $5 != "latency_ns" || $6 <= 0 || $4 < last) bad = 1
			last = $4; sum += $4; rows++
		}
		$1 == "Hits:" { hits = $2 }
		END { exit bad || rows < 3 || sum != hits }' "$work/hist" || {
		sed 's/^/# /' "$work/hist"
		false
	}
}
check "fault: a hist trigger by class" hist

# uses: of the module
uses() {
	cat /sys/module/trapscope/refcnt
}

under_load() {
	# All the time that is left.
	(while :; do some_faults; done) &
	load=$!
	renice -n 19 "$load" >/dev/null
	for i in $(seq 20); do
		echo 1 >"$events/enable" || return 1
		ls / >/dev/null
		[ "$(uses)" -eq 2 ] || { diag "round $i: $(uses) users while on"; return 1; }
		echo 0 >"$events/enable" || return 1
	done
	kill "$load"
	wait "$load" 2>/dev/null
	load=
	if [ "$(trace_lines fault)" -eq 0 ] || [ "$(uses)" -ne 0 ]; then
		diag "$(trace_lines fault) lines, $(uses) users at the end"
		return 1
	fi
}
check "on and off 20 times under load" under_load

disabled() {
	echo 0 >"$trapscope/enable"
	: >"$tracing/trace"
	echo 1 >"$events/fault/enable"
	some_faults
	lines=$(trace_lines fault)
	echo 1 >"$trapscope/enable"
	some_faults
	more=$(trace_lines fault)
	echo 0 >"$events/fault/enable"
	if [ "$lines" -ne 0 ] || [ "$more" -eq 0 ]; then
		diag "$lines lines off, $more on"
		return 1
	fi
}
check "no event while the hooks are off" disabled

# refuses: rmmod fails and says why, and everything goes on
refuses() {
	if rmmod trapscope 2>"$work/error"; then
		diag "rmmod took it away"
		insmod "$module"
		return 1
	fi
	grep -q 'temporarily unavailable' "$work/error" || { diag "rmmod: $(cat "$work/error")"; return 1; }
	before=$(awk '$1 == "total" { print $3 }' "$trapscope/faults")
	some_faults
	[ "$(awk '$1 == "total" { print $3 }' "$trapscope/faults")" -gt "$before" ]
}

in_use() {
	echo 1 >"$events/kernel_fault/enable"
	refuses
	result=$?
	echo 0 >"$events/kernel_fault/enable"
	return "$result"
}
check "rmmod says that an event is on" in_use

trigger_in_use() {
	echo 'hist:keys=class:size=128' >"$events/fault/trigger"
	refuses
	result=$?
	echo '!hist:keys=class:size=128' >"$events/fault/trigger"
	return "$result"
}
check "rmmod says that a trigger listens" trigger_in_use

again() {
	rmmod trapscope && [ ! -d "$events" ] && insmod "$module" && [ -d "$events" ]
}
check "rmmod works when nobody does" again

# A wish that the kernel keeps until the module is there.
on_from_the_start() {
	rmmod trapscope
	echo ':mod:trapscope' >"$tracing/set_event" || return 1
	: >"$tracing/trace"
	insmod "$module" || return 1
	some_faults
	lines=$(trace_lines fault)
	users=$(uses)
	echo 0 >"$events/enable"
	echo '!:mod:trapscope' >"$tracing/set_event"
	if [ "$lines" -eq 0 ] || [ "$users" -ne 2 ] || [ "$(uses)" -ne 0 ]; then
		diag "$lines lines, $users users, $(uses) at the end"
		return 1
	fi
}
check "switched on before the module is there" on_from_the_start

ktap_end
