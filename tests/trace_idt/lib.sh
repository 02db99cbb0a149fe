# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the scripts of trace_idt share; tests/lib/ktap.sh comes first.

# shellcheck disable=SC2154 # of ktap.sh
trace=$trapscope/trace_idt

# put VALUE FILE: writes it; prints why not, or ok
put() {
	# shellcheck disable=SC2116 # what it says of the file is what is wanted
	if put_error=$(echo "$1" 2>&1 >"$2"); then
		echo ok
	else
		echo "${put_error##*: }"
	fi
}

# puts WANTED VALUE FILE: writing has that outcome
puts() {
	put_found=$(put "$2" "$3")
	[ "$put_found" = "$1" ] || { diag "'$2' to $3: $put_found, wanted $1"; return 1; }
}

on() {
	puts ok 1 "$trace/enable"
}

off() {
	puts ok 0 "$trace/enable"
}

# says ITEM VALUE...: a line of status
says() {
	says_wanted=$*
	says_found=$(grep "^$1 " "$trace/status")
	[ "$says_found" = "$says_wanted" ] || { diag "status: $says_found, wanted $says_wanted"; return 1; }
}

# all_cpus WHERE: status has each CPU that is online on that table
all_cpus() {
	awk -v where="$1" '/^cpu:/ && $2 != "offline" { cpus++; if ($2 != where) { print "# " $0; bad = 1 } }
		END { exit bad || !cpus }' "$trace/status"
}

# checked LINE...: the whole of idt/check, but for the line that names its columns
checked() {
	checked_wanted=$(printf '%s\n' "$@")
	checked_found=$(sed 2d "$trapscope/idt/check")
	[ "$checked_wanted" = "$checked_found" ] && return
	echo "$checked_wanted" | sed 's/^/# wanted: /'
	echo "$checked_found" | sed 's/^/# found: /'
	return 1
}

# own_table CPUS: the line that names them
own_table() {
	echo "# CPU $1: trapscope's own second table, see trace_idt"
}

# is_on: all says so
is_on() {
	[ "$(cat "$trace/enable")" = 1 ] || { diag "enable is not 1"; return 1; }
	all_cpus trace_idt || return
	is_on_cpus=$(awk '/^cpu:/ && $2 == "trace_idt" {
			sub("cpu:", "", $1)
			if (cpus == "" || $1 != last + 1) { cpus = cpus end (cpus == "" ? "" : ",") $1; end = "" }
			else end = "-" $1
			last = $1
		} END { print cpus end }' "$trace/status")
	checked OK "$(own_table "$is_on_cpus")"
}

is_off() {
	[ "$(cat "$trace/enable")" = 0 ] || { diag "enable is not 0"; return 1; }
	all_cpus kernel && checked OK
}

# count VECTOR CPU: of the file counts
count() {
	awk -v vector="$1" -v column="cpu$2" '/^#/ { for (i = 2; i <= NF; i++) if ($i == column) at = i - 1 }
		$1 == vector { found = $at } END { print found + 0 }' "$trace/counts"
}
