#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# scripts/upstream's judgement of what two guests printed: what is the same and what isn't.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work upstream

: >"$work/none"

# guest: what one guest prints, with all its lines
guest() {
	cat <<-'END'
		@test mm/ksft_one.sh
		TAP version 13
		# -----
		# running ./prog -x
		# -----
		# TAP version 13
		# 1..3
		# ok 1 first at 0x7f0012345678
		# # not ok 2 second
		# ok 3 third # SKIP no device
		# [FAIL]
		not ok 1 prog -x # exit=1
		1..1
		@end 1
		@test x86/two_64
		[OK]	fine
		[OK]	this, too
		@end 0
		@test x86/three_64
		left out: for this test
		@end out
	END
}

# with: the same with books after each test
with() {
	guest | awk -v books="$(printf '%s\n' '@books KTAP version 1' '@books 1..2' \
		'@books ok 1 sum' '@books ok 2 rows')" '/^@end [0-9]/ { print books } { print }'
}

# judge EXCEPTIONS WITHOUT WITH: the table of two outputs, from files or commands
judge() {
	tests/upstream/results.awk "$2" >"$work/first"
	tests/upstream/results.awk "$3" >"$work/second"
	tests/upstream/compare.awk -v ALL="$work/all" -v BOOKS=1 "$work/$1" \
		side=1 "$work/first" side=2 "$work/second" >"$work/table"
}

# says TEXT COMMAND...: the command fails, and its table has that line
says() {
	local text=$1
	shift
	! "$@" && grep -qxF -- "$text" "$work/table" && return
	sed 's/^/# /' "$work/table"
	return 1
}

all_is_well() {
	judge none <(guest) <(with) &&
		grep -qx '3 tests, 8 cases: 0 differ; books read 4 times, wrong after 0 tests' "$work/table"
}

side_by_side() {
	judge none <(guest) <(with) &&
		grep -qx "mm/ksft_one.sh	prog -x: second	failed	failed" "$work/all" &&
		grep -qx "mm/ksft_one.sh	prog -x: first at 0x	passed	passed" "$work/all" &&
		grep -qx "mm/ksft_one.sh	prog -x: third	skipped	skipped" "$work/all"
}

# A case that fails without, and may pass.
unsteady() {
	printf '%s\t%s\t%s\t%s\n' unsteady mm/ksft_one.sh 'second$' 'for this test' >"$work/loose"
	judge loose <(guest) <(with | sed "s/.*not ok 2 second/$1/")
}

# A test that wants to be alone, and says that it is not.
alone() {
	printf '%s\t%s\t%s\t%s\n' alone mm/ksft_one.sh 'first' 'for this test' >"$work/alone"
	judge alone <(guest) <(with | sed "s/ok 1 first at .*/$1/")
}

# What a name says by chance, with two values of it.
by_chance() {
	judge none <(guest | sed "s/first at .*/$1/") <(with | sed "s/first at .*/$2/")
}

nothing() {
	! judge none /dev/null /dev/null
}

ktap_plan 22
check "the same twice" all_is_well
check "every case, side by side" side_by_side
check "another address is the same case" by_chance 'at 0x10' 'at 0x20'
check "another size of a child that was reaped is the same case" \
	by_chance 'reaping with 1MB of memory allocations' 'reaping with 16MB of memory allocations'
check "another size of something else is another case" \
	says "    prog -x: maps 1MB: passed without, - with" by_chance 'maps 1MB' 'maps 2MB'
check "a case that fails with it" \
	says "    prog -x: first at 0x: passed without, failed with" \
	judge none <(guest) <(with | sed 's/# ok 1 first/# not ok 1 first/')
check "a case that only passes with it" \
	says "    prog -x: second: failed without, passed with" \
	judge none <(guest) <(with | sed 's/not ok 2 second/ok 2 second/')
check "a case that is missing" \
	says "    prog -x: third: skipped without, - with" judge none <(guest) <(with | grep -v third)
check "a program that ends in another way" \
	says "    status: passed without, too long with" \
	judge none <(guest) <(with | sed 's/@end 0/@end 124/')
check "a program that fails in another way" \
	says "    status: failed without, failed with 139 with" \
	judge none <(guest) <(with | sed 's/@end 1/@end 139/')
check "a mark of a program of x86 that is missing" \
	says "    lines of [OK]: 2 without, 1 with" judge none <(guest) <(with | grep -v 'this, too')
check "a guest that came to no end" \
	says "    status: passed without, - with" judge none <(guest) <(with | sed '/two_64/,$d')
check "books that are wrong" \
	says "    books: failed: sum" judge none <(guest) <(with | sed 's/@books ok 1/@books not ok 1/')
check "books that were skipped" \
	says "    books: skipped: rows" judge none <(guest) <(with | sed 's/@books ok 2.*/& # SKIP none/')
check "books that were not read to the end" \
	says "    books: not all were read" judge none <(guest) <(with | grep -v '@books ok 2')
check "no books at all" says "    books: not all were read" judge none <(guest) <(guest)
check "what is unsteady may pass" unsteady '# # ok 2 second'
check "what is unsteady may not be skipped" \
	says "    prog -x: second: failed without, skipped with" unsteady '# # ok 2 second # SKIP'
check "what is unsteady may not be missing" \
	says "    prog -x: second: failed without, - with" unsteady '# # nothing'
check "what must be alone may find that it isn't" alone 'not ok 1 first at 0x # UNRESOLVED'
check "what must be alone may not fail" \
	says "    prog -x: first at 0x: passed without, failed with" alone 'not ok 1 first at 0x'
check "no test at all" nothing
ktap_end
