# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# KTAP for test scripts of the guest: ktap_plan first, then one ok, not_ok,
# check or skip a case, ktap_end last.

# shellcheck disable=SC2034 # for the scripts
trapscope=/sys/kernel/debug/trapscope
# shellcheck disable=SC2034
module=/lib/trapscope/trapscope.ko

ktap_case=0
ktap_failed=0
ktap_planned=0

# ktap_work NAME: a folder, $work, for as long as the script runs
ktap_work() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/trapscope-$1.XXXXXX") || exit
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# ktap_skip_all REASON
ktap_skip_all() {
	echo "KTAP version 1"
	echo "1..0 # SKIP $*"
	exit 4
}

# ktap_plan CASES
ktap_plan() {
	ktap_planned=$1
	echo "KTAP version 1"
	echo "1..$1"
}

ok() {
	ktap_case=$((ktap_case + 1))
	echo "ok $ktap_case $*"
}

not_ok() {
	ktap_case=$((ktap_case + 1))
	ktap_failed=$((ktap_failed + 1))
	echo "not ok $ktap_case $*"
}

# skip CASE REASON
skip() {
	ktap_case=$((ktap_case + 1))
	echo "ok $ktap_case $1 # SKIP $2"
}

diag() {
	echo "# $*"
}

# check CASE COMMAND...: passes if the command does
check() {
	ktap_name=$1
	shift
	if "$@"; then
		ok "$ktap_name"
	else
		not_ok "$ktap_name"
	fi
}

ktap_end() {
	if [ "$ktap_failed" -gt 0 ] || [ "$ktap_case" -ne "$ktap_planned" ]; then
		exit 1
	fi
	exit 0
}
