#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# Reads KTAP, plain or out of a kernel log, and ends with a line
# "PASSED FAILED SKIPPED" of its cases. A suite counts by its cases; by itself only
# if it failed though none of its cases did, or ran none. A plan that was not kept
# is a failure, too. Failures are printed, with their diagnostics; what is skipped, with
# the reason.

# fail(NAME, TEXT): counts it and shows it
function fail(name, text) {
	failed++
	print "not ok: " name
	if (text != "")
		print text
}

# What is deeper than depth has ended: was its plan kept?
function close_below(depth,	d) {
	for (d = deepest; d > depth; d--) {
		if (d in plan && plan[d] != ran[d] + 0) {
			fail((title[d] == "" ? "all" : title[d]) ": planned " plan[d] " cases, ran " ran[d] + 0)
			for (up = 0; up < d; up++)
				failures[up]++
		}
		delete plan[d]
		delete ran[d]
		delete title[d]
		delete nested[d]
		delete failures[d]
	}
	deepest = depth
}

{
	sub(/\r$/, "")
	sub(/^\[ *[0-9]+\.[0-9]+\] ?/, "")
	match($0, /^ */)
	depth = RLENGTH
	line = substr($0, depth + 1)
}

depth > deepest && line ~ /^(KTAP version|1\.\.[0-9]|# Subtest:|(not )?ok [0-9])/ { deepest = depth }

line ~ /^# Subtest: / { title[depth] = substr(line, 12); notes = ""; next }

line ~ /^#/ { notes = notes (notes == "" ? "" : "\n") "    " line; next }

# A plan of none with a reason stands for a skipped program.
line ~ /^1\.\.0 # SKIP/ { next }

line ~ /^1\.\.[0-9]+/ {
	sub(/^1\.\./, "", line)
	# A second plan at the same depth: the group before it has ended.
	if (depth in plan)
		close_below(depth - 1)
	deepest = depth > deepest ? depth : deepest
	plan[depth] = line + 0
	next
}

line ~ /^Bail out!/ { fail(line, notes); next }

line ~ /^(not )?ok [0-9]+/ {
	bad = line ~ /^not /
	skip = line ~ /# SKIP/
	name = line
	sub(/^(not )?ok [0-9]+ ?(- )?/, "", name)
	close_below(depth)
	ran[depth]++
	if (nested[depth] == 0) {
		if (skip) {
			skipped++
			print "skipped: " name
		} else if (bad)
			fail(name, notes)
		else
			passed++
	} else if (bad && !skip && failures[depth] == 0) {
		fail(name, notes)
	}
	bad = bad && !skip
	nested[depth] = failures[depth] = 0
	for (d = 0; d < depth; d++) {
		nested[d]++
		failures[d] += bad
	}
	notes = ""
	next
}

END {
	close_below(-1)
	print passed + 0, failed + 0, skipped + 0
}
