#!/usr/bin/awk -f
# SPDX-License-Identifier: GPL-2.0
# compare.awk -v ALL=FILE [-v BOOKS=1] EXCEPTIONS side=1 WITHOUT side=2 WITH
# Takes what results.awk made of both runs. Prints each test with the number of its cases by
# result, without and with trapscope; below it the cases that differ, and the books that do
# not agree. Ends in one line; status 1 if there was any of that. Every case goes to FILE.
# With BOOKS=1 each test that was run WITH must have been followed by all books.

BEGIN { FS = OFS = "\t" }

# of(TEST, SIDE): "3 passed, 1 failed"
function of(t, s,	i, text, n) {
	for (i = 1; i <= results; i++) {
		n = counts[t, s, order[i]]
		if (n)
			text = text (text == "" ? "" : ", ") n " " order[i]
	}
	return text == "" ? "nothing" : text
}

BEGIN {
	results = split("passed;failed;skipped;unresolved;expected failure;left out;too long", order, ";")
}

!side {
	if ($1 == "unsteady" || $1 == "alone") {
		kind[++rules] = $1
		rule_test[rules] = $2
		rule_case[rules] = $3
	}
	next
}

# excepted(TEST, CASE, A, B): whether it passes in one run and fails in another by itself; or
# whether it finds that it is not alone, which it has to say in just this way
function excepted(t, c, a, b,	i, both) {
	both = a " " b
	for (i = 1; i <= rules; i++) {
		if (t != rule_test[i] || c !~ rule_case[i])
			continue
		if (kind[i] == "alone")
			return both == "passed unresolved"
		return both == "passed failed" || both == "failed passed"
	}
	return 0
}

{ test = $2 }

!(test in known) { known[test] = ++tests; name[tests] = test }

$1 == "test" {
	if (!((test, $3) in number)) {
		number[test, $3] = ++cases[test]
		title[test, cases[test]] = $3
	}
	had[test, $3, side] = $4
	sub(/ with .*/, "", $4)
	counts[test, side, $4]++
}

$1 == "books" {
	books++
	read[test]++
	if ($4 != "passed")
		wrong[test] = wrong[test] "    books: " $4 ": " $3 "\n"
}

$1 == "plan" { planned[test] = $3 }

$1 == "note" { notes[test] = notes[test] "    books: " $3 "\n" }

END {
	for (i = 1; i <= tests; i++) {
		test = name[i]
		all += cases[test]
		text = ""
		for (n = 1; n <= cases[test]; n++) {
			c = title[test, n]
			a = had[test, c, 1]
			b = had[test, c, 2]
			print test, c, a == "" ? "-" : a, b == "" ? "-" : b >ALL
			if (a == b)
				continue
			if (excepted(test, c, a, b)) {
				besides++
				continue
			}
			differ++
			text = text "    " c ": " (a == "" ? "-" : a) " without, " (b == "" ? "-" : b) " with\n"
		}
		if (text == "")
			print test ": " of(test, 1) ", both times"
		else
			print test ": " of(test, 1) " without; " of(test, 2) " with"
		printf "%s", text
		if (BOOKS && had[test, "status", 2] != "left out" && (!planned[test] || read[test] != planned[test]))
			wrong[test] = wrong[test] "    books: not all were read\n"
		if (wrong[test] != "") {
			disagree++
			printf "%s%s", wrong[test], notes[test]
		}
	}
	print tests " tests, " all + 0 " cases: " differ + 0 " differ" \
		(besides ? ", besides " besides " that are excepted by name" : "") \
		"; books read " books + 0 " times, wrong after " disagree + 0 " tests"
	exit differ + disagree > 0 || tests == 0
}
