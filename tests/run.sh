#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the test programs of the areas named (all without a name) in the guest,
# as nested KTAP: a program's cases are indented by four blanks, its own result
# is not. Exit status 1 if anything failed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- classes numa rows totals kernel event async_pf debugfs idt trace_idt module soak survive lockdown bpf
# Last, where the kernel can tell: what all of them left behind.
[ ! -w /sys/kernel/debug/kmemleak ] || set -- "$@" leaks

# programs AREA: what can be run in it
programs() {
	for program in "$here/$1"/*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] || echo "$program"
	done
}

for area in "$@"; do
	if [ -z "$(programs "$area")" ]; then
		echo "run.sh: no programs in $here/$area: build them first" >&2
		exit 1
	fi
	programs "$area" >>"$work/programs"
done

# summary STATUS < output: adds the case that a program which ended badly owes,
# and the reason if all of it was skipped.
summary() {
	awk -v status="$1" '
		/^ok [0-9]/ { cases++ }
		/^not ok [0-9]/ { cases++; failed++ }
		/^1\.\.[0-9]/ { plan = substr($1, 4) + 0; planned = 1 }
		/^1\.\.0 # SKIP/ { sub(/^1\.\.0 /, ""); reason = $0 }
		END {
			if (reason != "")
				print "ok 1 all cases " reason
			else if (!planned && !failed)
				print "not ok 1 printed no plan, ended with status " status
			else if (!failed && status != 0 && status != 4)
				print "not ok " cases + 1 " ended with status " status
			else if (!failed && cases != plan)
				print "not ok " cases + 1 " ran " cases + 0 " of " plan " cases"
		}'
}

# indent: line by line, so that a long test shows how far it is; sed waits for the end.
indent() {
	while IFS= read -r line; do
		printf '    %s\n' "$line"
	done
}

total=0
failed=0
echo "KTAP version 1"
echo "1..$(wc -l <"$work/programs")"
while read -r program <&3; do
	total=$((total + 1))
	name=${program#"$here/"}
	echo "    # Subtest: $name"
	{
		"$program" 2>&1
		echo $? >"$work/status"
	} | tee "$work/output" | indent
	status=$(cat "$work/status")
	summary "$status" <"$work/output" >"$work/summary"
	sed 's/^/    /' "$work/summary"
	if grep -q '^not ok' "$work/output" "$work/summary"; then
		failed=$((failed + 1))
		echo "not ok $total $name"
	elif [ "$status" -eq 4 ]; then
		echo "ok $total $name # SKIP"
	else
		echo "ok $total $name"
	fi
done 3<"$work/programs"
[ "$failed" -eq 0 ]
