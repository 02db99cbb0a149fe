#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what only the benchmark runs in the guest, for the kernel that
# scripts/setup/paths names: bench/floor/floor.ko, and each bench/NAME.c as the
# static program NAME; and bench/plugin/watch.c as a plugin for QEMU.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

build_programs()
{
	local file
	for file in "$repo"/bench/*.c; do
		"$clang" -static -O2 -Wall -Wextra -Werror -pthread \
			-Wl,--section-start=.mark=0x10000000 -o "$bench/$(basename -- "$file" .c)" "$file" || return 1
	done
}

# QEMU 9 no longer takes plugins that were made for the first version of its interface.
build_plugin()
{
	local version
	version=$(version_of "$(qemu-system-x86_64 --version)")
	"$clang" -shared -fPIC -O2 -Wall -Wextra -Werror -fvisibility=hidden \
		-DPLUGIN_API=$((${version%%.*} < 9 ? 1 : 2)) \
		-o "$bench/watch.so" "$repo/bench/plugin/watch.c"
}

build_floor() { kmake -C "$kernel" M="$repo/bench/floor" MO="$bench/floor" -j"$jobs" modules; }

build()
{
	mkdir -p "$bench/floor"
	build_programs && build_plugin && build_floor
}

find_outputs
find_rust
[ -e "$kernel/Module.symvers" ] || die "there is no built kernel in $kernel" "Run 'make kernel'."
lock bench
sums=$(cd "$repo/bench" && sha256sum -- *.c *.h plugin/* floor/Kbuild floor/*.c
	stat -c %Y "$kernel/Module.symvers"
	qemu-system-x86_64 --version)
[ "$(cat "$bench/.made-from" 2>/dev/null)" != "$sums" ] || exit 0
rm -rf -- "$bench"
start_step bench build
finish_step bench "building the benchmark's programs" 0 "echo 0" ||
	die "the benchmark's programs could not be built for $kernel" "See the compiler's message above."
echo "$sums" >"$bench/.made-from"
