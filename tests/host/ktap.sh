#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# scripts/ktap.awk: counts of passed, failed and skipped cases.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

# counts NAME "PASSED FAILED SKIPPED" < KTAP
counts() {
	local got
	got=$(awk -f scripts/ktap.awk | tail -n 1)
	equal "$1" "$got" "$2"
}

equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		echo "# wanted '$3', got '$2'"
		not_ok "$1"
	fi
}

ktap_plan 12

counts "nothing" "0 0 0" </dev/null
counts "flat" "1 1 1" <<-'END'
	KTAP version 1
	1..3
	ok 1 first
	not ok 2 second
	ok 3 third # SKIP no reason
END
counts "only the cases of a suite count" "3 0 0" <<-'END'
	1..2
	    # Subtest: one
	    1..2
	    ok 1 a
	    ok 2 b
	ok 1 one
	    1..1
	    ok 1 c
	ok 2 two
END
counts "a suite that fails with its case is one failure" "1 1 0" <<-'END'
	1..1
	    1..2
	    ok 1 a
	    not ok 2 b
	not ok 1 one
END
counts "a suite that fails without a case is one" "1 1 0" <<-'END'
	1..1
	    1..1
	    ok 1 a
	not ok 1 one
END
counts "cases missing at the end" "1 1 0" <<-'END'
	1..2
	ok 1 a
END
counts "cases missing in a suite" "1 1 0" <<-'END'
	1..1
	    1..2
	    ok 1 a
	not ok 1 one
END
counts "three levels out of a kernel log" "3 0 0" <<-'END'
	[    0.741177] KTAP version 1
	[    0.741192] 1..1
	[    0.742595]     KTAP version 1
	[    0.742616]     # Subtest: suite
	[    0.743071]     1..2
	[    0.743071] unrelated: not ok
	[    0.743072]         # Subtest: with parameters
	[    0.743073]         ok 1 x
	[    0.743073]         ok 2 y
	[    0.751947]     ok 1 with parameters
	[    0.752000]     ok 2 plain
	[    0.752128] ok 1 suite
END
counts "a program that skips all" "0 0 1" <<-'END'
	1..1
	    1..0 # SKIP no swap
	    ok 1 all cases # SKIP no swap
	ok 1 program # SKIP
END
counts "bail out" "1 2 0" <<-'END'
	1..2
	ok 1 a
	Bail out! no memory
END
equal "diagnostics are shown" "$(printf '%s\n' '1..1' '# wanted 1, got 2' 'not ok 1 sum' |
	awk -f scripts/ktap.awk)" "not ok: sum
    # wanted 1, got 2
0 1 0"
equal "what is skipped is shown" "$(printf '%s\n' '1..1' 'ok 1 sum # SKIP no device' |
	awk -f scripts/ktap.awk)" "skipped: sum # SKIP no device
0 0 1"
ktap_end
