#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Processors that go off and come on, several writers at once, readers meanwhile, and
# taking the module away, all while trace_idt is on.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"
. "$here/../lib/idt.sh"
. "$here/lib.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
[ -e "$module" ] || ktap_skip_all "no $module to load again"
on >/dev/null || ktap_skip_all "trace_idt can't be switched on here: see its status"
off

online=/sys/devices/system/cpu/cpu1/online
[ -e "$online" ] || ktap_skip_all "one processor: none can go off"
work=$(mktemp -d)
others=
restore() {
	# shellcheck disable=SC2086 # words
	[ -z "$others" ] || kill $others 2>/dev/null
	echo 1 >"$online"
	[ -d "$trapscope" ] || insmod "$module"
	echo 0 >"$trace/enable"
	rm -rf "$work"
}
trap restore EXIT

ktap_plan 17

# faults_on CPU: the page faults there are counted
faults_on() {
	before=$(count 14 "$1")
	taskset "$((1 << $1))" sh -c 'true; /bin/busybox true' || return
	after=$(count 14 "$1")
	[ "$after" -gt "$before" ] || { diag "CPU $1: $before page faults, then $after"; return 1; }
}

goes() {
	on && faults_on 1 || return
	kept=$(count 14 1)
	echo 0 >"$online"
	says cpu:1 offline && says cpu:0 trace_idt && is_on && faults_on 0 &&
		[ "$(count 14 1)" -ge "$kept" ]
}
check "a processor goes off: it is offline, the other one goes on, counts stay" goes

comes() {
	echo 1 >"$online"
	says cpu:1 trace_idt && is_on && faults_on 1 && [ "$(count 14 1)" -gt "$kept" ]
}
check "it comes back: it is switched, and counts go on" comes

off_meanwhile() {
	echo 0 >"$online"
	off && says cpu:1 offline && is_off || return
	echo 1 >"$online"
	says cpu:1 kernel && is_off
}
check "off while it was offline: it comes back on the kernel's table" off_meanwhile

on_meanwhile() {
	echo 0 >"$online"
	on && is_on && says cpu:1 offline && [ "$(count 14 1)" -eq 0 ] || return
	echo 1 >"$online"
	says cpu:1 trace_idt && is_on && faults_on 1
}
check "on while it was offline: it comes to the second one" on_meanwhile

# Neither on its way off nor on its way on it looks like one that did not take the
# table: switching waits for it.
toggle() {
	toggled=0
	until [ -e "$work/end" ]; do
		echo 0 >"$online" || continue
		echo 1 >"$online" || continue
		toggled=$((toggled + 1))
		echo "$toggled" >"$work/new.toggled"
		mv "$work/new.toggled" "$work/toggled"
	done
}
toggle_begin() {
	echo 0 >"$work/toggled"
	toggle &
	others="$others $!"
}
race() {
	toggle_begin
	times=0
	verdict=0
	while [ "$times" -lt 25 ] || [ "$(cat "$work/toggled")" -lt 5 ]; do
		if ! on || ! off; then
			verdict=1
			break
		fi
		times=$((times + 1))
		[ "$times" -lt 1000 ] || { diag "it went and came $(cat "$work/toggled") times"; verdict=1; break; }
	done
	[ "$verdict" -eq 0 ] || sed -n '2,5s/^/# /p' "$trace/status"
	touch "$work/end"
	# shellcheck disable=SC2086 # words
	wait $others
	others=
	rm "$work/end"
	diag "$times times, it went and came $(cat "$work/toggled") times"
	return "$verdict"
}
check "25 times on and off while it goes and comes" race
check "then all is as before" is_off

# Whoever reads finds each processor on one of the tables, and what idt/check knows.
look() {
	until [ -e "$work/end" ]; do
		cat "$trace/table" "$trace/counts" >/dev/null || echo "# can't read"
		sed 2d "$trapscope/idt/check" |
			grep -vxE "OK|# CPU (0|1|0-1): $second" | sed 's/^/# check: /'
		grep -E '^(cpu:|refused)' "$trace/status" |
			grep -vxE 'cpu:[01] (trace_idt|kernel|offline)|refused none' | sed 's/^/# /'
		rounds=$((rounds + 1))
		echo "$rounds" >"$work/new.$1"
		mv "$work/new.$1" "$work/rounds.$1"
	done >"$work/bad.$1" 2>&1
}
slowest() {
	cat "$work"/rounds.* | sort -n | head -n 1
}
read_meanwhile() {
	for reader in 1 2 3; do
		echo 0 >"$work/rounds.$reader"
		rounds=0
		look "$reader" &
		others="$others $!"
	done
	toggle_begin
	times=0
	verdict=0
	while [ "$times" -lt 8 ] || [ "$(slowest)" -lt 3 ] || [ "$(cat "$work/toggled")" -lt 5 ]; do
		if ! on || ! off; then
			verdict=1
			break
		fi
		times=$((times + 1))
		[ "$times" -lt 1000 ] || { diag "too few rounds"; verdict=1; break; }
	done
	touch "$work/end"
	# shellcheck disable=SC2086 # words
	wait $others
	others=
	rm "$work/end"
	diag "$times times, rounds: $(cat "$work"/rounds.* "$work/toggled" | tr '\n' ' ')"
	! cat "$work"/bad.* | grep . && return "$verdict"
}
check "three readers meanwhile: what they read is in order" read_meanwhile
check "then all is as before" is_off

# write_often WRITER: 0 and 1 by turns, each of which works
write_often() {
	for _ in $(seq 15); do
		on && off || echo "# writer $1"
	done >"$work/bad.$1" 2>&1
}
writers() {
	rm -f "$work"/bad.*
	for writer in 1 2 3 4; do
		write_often "$writer" &
		others="$others $!"
	done
	# shellcheck disable=SC2086 # words
	wait $others
	others=
	! cat "$work"/bad.* | grep .
}
check "four writers at once: every write works" writers
check "then all is as before" is_off

# unload: the module goes, and leaves each processor on the kernel's table
unload() {
	rmmod trapscope || return
	true
	/bin/busybox true
	insmod "$module" && is_off
}
rmmod_on() {
	on && is_on && unload
}
check "rmmod while it is on" rmmod_on

rmmod_offline() {
	on || return
	echo 0 >"$online"
	rmmod trapscope || return
	echo 1 >"$online"
	insmod "$module" && is_off
}
check "rmmod while it is on and a processor offline" rmmod_offline

rmmod_often() {
	(while :; do /bin/busybox true; done) &
	others=$!
	verdict=0
	for _ in $(seq 5); do
		if ! on || ! unload; then
			verdict=1
			break
		fi
	done
	kill "$others"
	wait "$others"
	others=
	return "$verdict"
}
check "rmmod while it is on, 5 times, under load" rmmod_often

in_use() {
	on || return
	exec 3<"$trace/$1"
	head -c 10 <&3 >/dev/null
	if rmmod trapscope 2>/dev/null; then
		exec 3<&-
		diag "rmmod took the module away under an open $1"
		return 1
	fi
	is_on || return
	off
	cat <&3 >/dev/null
	exec 3<&-
	rmmod trapscope && insmod "$module"
}
for file in table counts status enable; do
	check "rmmod while it is on and $file is open" in_use $file
done
ktap_end
