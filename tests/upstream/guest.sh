#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# guest.sh SUITE: runs one of the kernel's own suites (mm, x86, ftrace), test by test, as
# its makefile would. Prints, for tests/upstream/results.awk,
#
#   @test SUITE/NAME
#   what the test prints
#   @books ...          with trapscope loaded: what tests/upstream/around says
#   @end STATUS
set -u

suite=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=/selftests/$suite
report=/tmp/upstream-report
export PATH="/bin:/usr/bin:$folder"
# Less than the half hour without a word after which the whole guest counts as hung.
seconds=1700
cd "$folder" || exit 1

# A module that is asked for would be loaded by a child of the kernel's.
echo >/proc/sys/kernel/modprobe

# The heap right behind the program: at a random place it is where mremap_test wants to
# map, 5 times of 80.
echo 1 >/proc/sys/kernel/randomize_va_space

# reason NAME: why it is left out; fails if it isn't
reason() {
	awk -F '\t' -v name="$suite/$1" '$1 == "out" && $2 == name { print $4; found = 1 }
		END { exit !found }' "$here/exceptions"
}

# run NAME COMMAND...
run() {
	name=$1
	shift
	echo "@test $suite/$name"
	if why=$(reason "$name"); then
		echo "left out: $why"
		echo "@end out"
		return
	fi
	: >$report
	"$here/around" $seconds $report "$@" 2>&1
	status=$?
	# The last line may have no end.
	echo
	sed 's/^/@books /' $report
	echo "@end $status"
	echo "$suite/$name: $status after $(cut -d. -f1 /proc/uptime) s" >&2
}

# Many of the tests of mm have cases for pages that are swapped out.
swap_on() {
	echo 1G >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
}

case $suite in
mm)
	swap_on || exit 1
	# Its limit of 120 s is that of a real machine: merging 100 MiB takes as long here.
	mv ksm_tests ksm_tests.real || exit 1
	printf '#!/bin/sh\nexec ./ksm_tests.real -l 1000 "$@"\n' >ksm_tests
	chmod +x ksm_tests
	# A program of the suite, which its script would run: in its place stands why not.
	awk -F '\t' '$1 == "out" && $2 ~ /^mm\// && $2 !~ /\.sh$/ { print substr($2, 4) "\t" $4 }' \
		"$here/exceptions" | while read -r program why; do
		printf '#!/bin/sh\necho "1..0 # SKIP left out: %s"\nexit 4\n' "$why" >"$program"
	done
	for test in ${TESTS:-ksft_*.sh}; do
		run "$test" "./$test"
	done
	;;
x86)
	for test in ${TESTS:-*_32 *_64}; do
		run "$test" "./$test"
	done
	;;
ftrace)
	for test in ${TESTS:-$(find test.d -name '*.tc' | sort)}; do
		run "$test" ./ftracetest -K -v "$test"
	done
	;;
esac
