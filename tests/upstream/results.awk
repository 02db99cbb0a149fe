#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# Reads what tests/upstream/guest.sh prints. For each test, and each case that it reports
# by TAP, a line of "test", the test, the case and its result, with tabs between; for each
# of the books the same with "books". The programs of x86 have marks of their own instead
# of TAP: for each kind of these how many there were.

BEGIN {
	OFS = "\t"
	ending[0] = "passed"
	ending[4] = "skipped"
	ending["out"] = "left out"
	# As timeout(1) has it.
	ending[124] = "too long"
}

# add(KIND, TEXT): a line of TAP. A name that comes again gets a number.
function add(kind, text,	result, name, times) {
	result = text ~ /^not ok/ ? "failed" : "passed"
	if (text ~ /# *SKIP/)
		result = "skipped"
	else if (text ~ /# *XFAIL/)
		result = "expected failure"
	else if (text ~ /# *UNRESOLVED/)
		result = "unresolved"
	name = text
	sub(/^(not )?ok [0-9]* *(- )?/, "", name)
	# Some name nothing but the reason why they are skipped.
	sub(/^# *SKIP */, "", name)
	sub(/ *# .*/, "", name)
	gsub(/\t/, " ", name)
	# What the tests print of addresses, of how often two threads met, and of the size at which
	# a child was still dying when it was reaped, is none of their name.
	gsub(/0x[0-9a-f]+/, "0x", name)
	sub(/ with [0-9]+MB of memory allocations$/, "", name)
	sub(/ [0-9]+ \([0-9.]+%\), extra thread faults .*/, "", name)
	if (kind == "test" && program != "" && name != program)
		name = program ": " name
	times = ++seen[test, kind, name]
	print kind, test, name (times > 1 ? " (" times ")" : ""), result
}

{ sub(/\r$/, "") }

/^@test / { test = $2; program = ""; split("", marks); next }

/^@books / {
	sub(/^@books /, "")
	if (/^(not )?ok [0-9]/)
		add("books", $0)
	else if (/^1\.\.[0-9]/)
		print "plan", test, substr($0, 4), ""
	else if (/^# /)
		print "note", test, substr($0, 3), ""
	next
}

/^@end / {
	for (mark in marks)
		print "test", test, "lines of " mark, marks[mark]
	# By which signal tells more than that it failed.
	print "test", test, "status", $2 in ending ? ending[$2] : $2 == 1 ? "failed" : "failed with " $2
	test = ""
	next
}

# The rest is TAP, of a program below a script as a comment.
test != "" {
	sub(/^(# )+/, "")
	if (/^running /) {
		program = substr($0, 9)
		sub(/^(bash )?\.\//, "", program)
	} else if (/^(not )?ok [0-9]/) {
		add("test", $0)
	} else if (test ~ /^x86\// && match($0, /^\[(OK|FAIL|WARN|SKIP)\]/)) {
		marks[substr($0, 1, RLENGTH)]++
	}
}
