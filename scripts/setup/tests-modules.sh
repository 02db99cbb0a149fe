#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel modules that only tests load, for the kernel that
# scripts/setup/paths names: those of tests/Kbuild, at once.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

find_outputs
find_rust
[ -e "$kernel/Module.symvers" ] || die "there is no built kernel in $kernel" "Run 'make kernel'."
lock tests-modules
sums=$(cd "$repo" && find tests/Kbuild tests/*/*/ -not -path 'tests/host/*' -type f -print0 | sort -z | xargs -0 sha256sum
	stat -c %Y "$kernel/Module.symvers")
[ "$(cat "$tests_modules/.made-from" 2>/dev/null)" != "$sums" ] || exit 0
rm -rf -- "$tests_modules"
mkdir -p "$tests_modules"
start_step tests-modules kmake -C "$kernel" M="$repo/tests" MO="$tests_modules" -j"$jobs" modules
finish_step tests-modules "building the modules of the tests" 0 "echo 0" ||
	die "the modules of the tests could not be built for $kernel" "See the compiler's message above."
! warnings_in "$log/tests-modules.log" >&2 ||
	die "the modules of the tests: there are warnings" "Mend what the compiler names (log: $log/tests-modules.log)"
echo "$sums" >"$tests_modules/.made-from"
