#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel modules that only tests load, for the kernel that
# scripts/setup/paths names: every tests/AREA/NAME/Kbuild, into the folder NAME.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

find_outputs
find_rust
lock tests-modules

# build FOLDER RESULT: unless it is up to date
build()
{
	local folder=$1 result=$2 sums
	sums=$(cd "$folder" && find . -type f -print0 | sort -z | xargs -0 sha256sum
		stat -c %Y "$kernel/Module.symvers")
	[ "$(cat "$result/.made-from" 2>/dev/null)" != "$sums" ] || return 0
	rm -rf -- "$result"
	mkdir -p "$result"
	start_step tests-modules kmake -C "$kernel" M="$folder" MO="$result" -j"$jobs" modules
	finish_step tests-modules "building the module of ${folder#"$repo/"}" 0 "echo 0" ||
		die "the module of ${folder#"$repo/"} could not be built for $kernel" "See the compiler's message above."
	! warnings_in "$log/tests-modules.log" >&2 ||
		die "the module of ${folder#"$repo/"}: there are warnings" "Mend what the compiler names (log: $log/tests-modules.log)"
	echo "$sums" >"$result/.made-from"
}

[ -e "$kernel/Module.symvers" ] || die "there is no built kernel in $kernel" "Run 'make kernel'."
for kbuild in "$repo"/tests/*/*/Kbuild; do
	folder=$(dirname -- "$kbuild")
	case $folder in
	# The tests there build theirs themselves.
	*/host/*) ;;
	*) build "$folder" "$tests_modules/$(basename -- "$folder")" ;;
	esac
done
