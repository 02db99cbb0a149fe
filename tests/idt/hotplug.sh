#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Processors that go and come between reads and during them, readers that stop half
# way, and taking the module away under an open file.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
[ -e "$module" ] || ktap_skip_all "no $module to load again"

idt=$trapscope/idt
online=/sys/devices/system/cpu/cpu1/online
[ -e "$online" ] || ktap_skip_all "one processor: none can go off"
work=$(mktemp -d)
readers=
restore() {
	# shellcheck disable=SC2086 # words
	[ -z "$readers" ] || kill $readers 2>/dev/null
	echo 1 >"$online"
	[ -d "$trapscope" ] || insmod "$module"
	rm -rf "$work"
}
trap restore EXIT

ktap_plan 11

# unlike FILE WANTED: says so
unlike() {
	diag "$1, wanted $2:"
	sed 's/^/# /' "$idt/$1"
	return 1
}

# all_well: of the files that don't depend on which processors are there
all_well() {
	[ "$(head -n 1 "$idt/check")" = OK ] || unlike check OK || return
	[ "$(grep -vc -e '^#' -e unreadable "$idt/table")" -eq 256 ] || unlike table "256 gates" || return
	[ "$(wc -c <"$idt/raw")" -eq 4096 ] || { diag "raw: $(wc -c <"$idt/raw") bytes"; return 1; }
}

off() {
	cp "$idt/idtr" "$work/idtr"
	cp "$idt/table" "$work/table"
	echo 0 >"$online"
	grep -qx '1 offline - - - - -' "$idt/idtr" || unlike idtr "CPU 1 offline" || return
	grep -qxF "$(sed -n 3p "$work/idtr")" "$idt/idtr" || unlike idtr "CPU 0 as before" || return
	all_well
}
check "a processor goes off: idtr says so, the rest is as before" off

on() {
	echo 1 >"$online"
	cmp "$work/idtr" "$idt/idtr" && cmp "$work/table" "$idt/table" && all_well
}
check "it comes back: all as before" on

# A baseline without it is none to compare it with.
came_later() {
	rmmod trapscope
	echo 0 >"$online"
	insmod "$module" || return
	echo 1 >"$online"
	all_well
}
check "it was off when trapscope was loaded" came_later

# loop NUMBER: reads all files until told to end; leaves how many rounds it made
loop() {
	rounds=0
	until [ -e "$work/end" ]; do
		all_well >>"$work/bad.$1" || echo "# reader $1, round $rounds" >>"$work/bad.$1"
		[ "$(grep -cE '^[01] (online 0xfffffe0000000000 0x0fff 0x[0-9a-f]{16} yes idt_table\+0x0|offline - - - - -)$' "$idt/idtr")" -eq 2 ] ||
			unlike idtr "two rows" >>"$work/bad.$1"
		rounds=$((rounds + 1))
		# In one go: it is read meanwhile.
		echo "$rounds" >"$work/new.$1"
		mv "$work/new.$1" "$work/rounds.$1"
	done
}

# slowest: how many rounds the slowest reader has made
slowest() {
	cat "$work"/rounds.* | sort -n | head -n 1
}

# 24 times at least, and until every reader has been through it a few times.
switch() {
	for reader in 1 2 3 4; do
		echo 0 >"$work/rounds.$reader"
		loop "$reader" &
		readers="$readers $!"
	done
	times=0
	while [ "$times" -lt 24 ] || [ "$(slowest)" -lt 4 ]; do
		if ! echo 0 >"$online" || ! echo 1 >"$online"; then
			diag "after $times times"
			return 1
		fi
		times=$((times + 1))
		[ "$times" -lt 1000 ] || { diag "rounds: $(cat "$work"/rounds.*)"; return 1; }
	done
}
check "off and on, 24 times and more, while four processes read" switch

end() {
	echo >"$work/end"
	# shellcheck disable=SC2086 # words
	wait $readers
	readers=
	! cat "$work"/bad.* | grep . || return
	diag "$times times, rounds: $(cat "$work"/rounds.* | tr '\n' ' ')"
}
check "each of their readings was whole" end

# What is read is of the moment at which the file was opened.
half_way() {
	exec 3<"$idt/idtr" 4<"$idt/table"
	read -r line <&3
	read -r _ <&4
	echo 0 >"$online"
	{ echo "$line"; cat <&3; } | cmp - "$work/idtr"
	same=$?
	rows=$(cat <&4 | wc -l)
	exec 3<&- 4<&-
	echo 1 >"$online"
	[ "$same" -eq 0 ] || { diag "idtr changed under a reader"; return 1; }
	[ "$rows" -eq 256 ] || { diag "$rows rows after the header"; return 1; }
}
check "a processor goes off while a file is half read" half_way

stops() {
	for file in table idtr check raw; do
		head -c 20 "$idt/$file" >/dev/null
		dd if="$idt/$file" of=/dev/null bs=10 count=1 2>/dev/null || return
	done
	rmmod trapscope && insmod "$module"
}
check "readers that stop half way hold nothing" stops

# in_use FILE: rmmod is refused while it is open, and works later
in_use() {
	exec 3<"$idt/$1"
	head -c 10 <&3 >/dev/null
	if rmmod trapscope 2>/dev/null; then
		exec 3<&-
		diag "rmmod took the module away under an open $1"
		return 1
	fi
	cat <&3 >/dev/null
	exec 3<&-
	rmmod trapscope && insmod "$module"
}
for file in table idtr check raw; do
	check "rmmod while $file is open" in_use $file
done

ktap_end
