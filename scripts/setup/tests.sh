#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Compiles the test programs for the guest: every tests/AREA/NAME.c becomes the
# static program AREA/NAME, with all of tests/lib/*.c.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

find_outputs
lock tests
# What has no source any more would be run all the same.
for made in "$tests"/*/*; do
	source_of=$repo/tests/${made#"$tests/"}
	[ -e "${source_of%.o}.c" ] || rm -f -- "$made"
done

compile=(make -C "$repo" -f "$setup/tests.mk" --no-builtin-rules -j"$jobs" CC="$clang" OUT="$tests")
# Nothing to say, nor to log, when all is up to date.
! "${compile[@]}" -q 2>/dev/null || exit 0
mkdir -p "$tests"
start_step tests "${compile[@]}"
finish_step tests "compiling the test programs" 0 "echo 0" ||
	die "the test programs could not be compiled" "See the compiler's message above."
