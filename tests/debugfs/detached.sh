#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A process that lives on when the hooks are detached: from then on nobody hears of
# the end of its mappings, so its rows say "gone", and bear the name it has now.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
cd "$trapscope" || exit 1

enabled=$(cat enable)
work=$(mktemp -d)
sleeper=
restore() {
	[ -z "$sleeper" ] || kill "$sleeper"
	rm -rf "$work"
	echo "$enabled" >"$trapscope/enable"
}
trap restore EXIT

ktap_plan 4

# It faults under the names of the shell that forks and of what it executes.
echo 1 >enable
sleep 1000 &
sleeper=$!
asleep() {
	[ "$(cat "/proc/$sleeper/comm")" = sleep ] &&
		grep -q '^State:.*sleeping' "/proc/$sleeper/status"
}
while ! asleep; do
	kill -0 "$sleeper" || exit 1
done

# rows STATE: start-end and comm of its rows
rows() {
	awk -v pid="$sleeper" -v state="$1" '$1 == pid && $2 == state { print $3, $12 }' vmas | sort
}
rows live >"$work/before"
check "it has rows" test -s "$work/before"
echo 0 >enable

none_live() {
	[ -z "$(rows live)" ] || { rows live | sed 's/^/# /'; false; }
}
check "none of them is live" none_live

renamed() {
	rows gone >"$work/after"
	while read -r range _; do
		grep -qx "$range sleep" "$work/after" || {
			diag "$range is no sleep: $(grep "^$range " "$work/after")"
			return 1
		}
	done <"$work/before"
}
check "they are gone, under its present name" renamed

process() {
	line=$(awk -v pid="$sleeper" '$1 == pid { print $2, $7 }' processes)
	[ "$line" = "gone sleep" ] || { diag "processes: $line"; false; }
}
check "and so is the process" process

ktap_end
