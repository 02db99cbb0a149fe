# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the scripts of trace_idt share; tests/lib/ktap.sh and idt.sh come first.

# shellcheck disable=SC2154 # of ktap.sh
trace=$trapscope/trace_idt

# puts WANTED VALUE FILE: writing has that outcome, ok or why not
puts() {
	# shellcheck disable=SC2116 # what it says of the file is what is wanted
	if puts_found=$(echo "$2" 2>&1 >"$3"); then
		puts_found=ok
	fi
	[ "${puts_found##*: }" = "$1" ] || { diag "'$2' to $3: $puts_found, wanted $1"; return 1; }
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

# enabled VALUE: enable says so, and nothing else
enabled() {
	{ IFS= read -r enabled_found && ! read -r _; } <"$trace/enable" || enabled_found="not one line"
	[ "$enabled_found" = "$1" ] || { diag "enable is $enabled_found, wanted $1"; return 1; }
}

# on_table NAME: status has each CPU that is online on that one; $cpus says which they are
on_table() {
	cpus=$(awk -v table="$1" '/^cpu:/ && $2 != "offline" {
			sub("cpu:", "", $1)
			if ($2 != table) { print "# CPU " $1 " is on " $2; bad = 1 }
			if (cpus == "" || $1 != last + 1) { cpus = cpus end (cpus == "" ? "" : ",") $1; end = "" }
			else end = "-" $1
			last = $1
		} END { if (!bad) print cpus end; exit bad || cpus == "" }' "$trace/status") || { echo "$cpus"; return 1; }
}

# What idt/check says after "# CPU 0-1: "
second="trapscope's own second table, see trace_idt"

# is_on: all says so
is_on() {
	enabled 1 && on_table trace_idt && check_says OK "# CPU $cpus: $second"
}

is_off() {
	enabled 0 && on_table kernel && check_says OK
}

# count VECTOR CPU: of the file counts
count() {
	awk -v vector="$1" -v column="cpu$2" '/^#/ { for (i = 2; i <= NF; i++) if ($i == column) at = i - 1 }
		$1 == vector { found = $at } END { print found + 0 }' "$trace/counts"
}
