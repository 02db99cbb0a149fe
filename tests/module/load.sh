#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loading and unloading, and the module's parameters.
# shellcheck disable=SC2317,SC2012 # functions that check calls; ls as a load
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
[ -e "$module" ] || ktap_skip_all "no $module to load again"

work=$(mktemp -d)
load=
restore() {
	[ -z "$load" ] || kill "$load" 2>/dev/null
	rm -rf "$work"
	[ -d "$trapscope" ] || insmod "$module"
}
trap restore EXIT

ktap_plan 17

loaded() {
	[ -d "$trapscope" ]
}

not_loaded() {
	! grep -q '^trapscope ' /proc/modules && [ ! -d "$trapscope" ]
}

# value ITEM: of status
value() {
	awk -v item="$1" '$1 == item { print $2 }' "$trapscope/status"
}

unload() {
	rmmod trapscope && not_loaded
}
check "unload" unload

# refused NAME VALUE MIN MAX: insmod fails, the log names the parameter and its range
refused() {
	dmesg -c >/dev/null
	if insmod "$module" "$1=$2" 2>"$work/error"; then
		diag "insmod took $1=$2"
		rmmod trapscope
		return 1
	fi
	dmesg >"$work/log"
	not_loaded || { diag "loaded in spite of $1=$2"; return 1; }
	grep trapscope "$work/log" | grep -w "$1" | grep -w "$3" | grep -qw "$4" || {
		diag "the log does not name $1 and $3..$4"
		sed 's/^/# /' "$work/log"
		return 1
	}
}
check "rows: 63 is too few" refused rows 63 64 1048576
check "rows: 1048577 is too many" refused rows 1048577 64 1048576
check "rows: 0 is too few" refused rows 0 64 1048576
check "rows: -1 is too few" refused rows -1 64 1048576
check "maxactive: 0 is too few" refused maxactive 0 1 65536
check "maxactive: 65537 is too many" refused maxactive 65537 1 65536
check "maxactive: -1 is too few" refused maxactive -1 1 65536
# 2^32: not taken for 0, nor for anything else that fits.
check "maxactive: 4294967296 is too many" refused maxactive 4294967296 1 65536

# No 64-bit number at all: the kernel's own parser refuses it.
malformed() {
	for text in rows=word rows= rows=1x maxactive=word maxactive=1.5 \
		maxactive=9223372036854775808; do
		if insmod "$module" "$text" 2>/dev/null; then
			diag "insmod took $text"
			rmmod trapscope
			return 1
		fi
	done
	not_loaded
}
check "parameters that are no 64-bit numbers" malformed

least() {
	insmod "$module" rows=64 maxactive=1 || return 1
	for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
		ls /bin | sort | wc -l >/dev/null
	done
	echo 0 >"$trapscope/enable"
	[ "$(value rows)" -eq 64 ] || { diag "rows: $(value rows)"; return 1; }
}
check "the least: rows=64 maxactive=1" least

# A table that is full: what has no row is counted all the same.
full_table() {
	total=$(awk '$1 == "total" { print $3 }' "$trapscope/faults")
	rows=$(awk '!/^#/ { sum += $8 } END { print sum + 0 }' "$trapscope/vmas")
	without=$(value faults_without_row)
	evicted=$(value faults_evicted)
	[ "$((without + evicted))" -gt 0 ] || { diag "nothing without a row"; return 1; }
	[ "$((rows + without + evicted))" -eq "$total" ] || {
		diag "$rows in rows, $without without, $evicted evicted: not $total"
		return 1
	}
	[ "$(value rows_used)" -le 64 ] || { diag "$(value rows_used) rows of 64"; return 1; }
}
check "the table is full: the sums are right" full_table

rmmod trapscope

# Faults all the time.
(while :; do ls /bin >/dev/null; done) &
load=$!

rounds() {
	for round in 1 2 3 4 5 6; do
		insmod "$module" || { diag "round $round: insmod"; return 1; }
		ls /bin >/dev/null
		[ "$(awk '$1 == "total" { print $3 }' "$trapscope/faults")" -gt 0 ] || {
			diag "round $round: no faults"
			return 1
		}
		echo 0 >"$trapscope/enable"
		[ "$((round % 2))" -eq 0 ] || echo 1 >"$trapscope/enable"
		rmmod trapscope || { diag "round $round: rmmod"; return 1; }
		not_loaded || { diag "round $round: still there"; return 1; }
	done
}
check "six rounds of load and unload while processes fault" rounds
kill "$load"
load=

check "load again" insmod "$module"

# in_use FILE: rmmod is refused while it is open, and works later
in_use() {
	exec 3<"$trapscope/$1"
	read -r _ <&3
	if rmmod trapscope 2>/dev/null; then
		exec 3<&-
		diag "rmmod took the module away under an open $1"
		return 1
	fi
	loaded && [ "$(wc -l <"$trapscope/faults")" -gt 30 ] || return 1
	cat <&3 >/dev/null
	exec 3<&-
	rmmod trapscope && insmod "$module"
}
check "rmmod while vmas is being read" in_use vmas
check "rmmod while status is open" in_use status

written() {
	exec 3>"$trapscope/filter"
	if rmmod trapscope 2>/dev/null; then
		exec 3>&-
		return 1
	fi
	exec 3>&-
	loaded
}
check "rmmod while filter is open for writing" written

ktap_end
