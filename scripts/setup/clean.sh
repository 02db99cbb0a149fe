#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Removes what was built.
#   (nothing)   the module and the test programs, of every kernel and checkout
#   --all       the whole cache: kernels, their source, tools, logs

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

[ -d "$cache" ] || exit 0
for name in kernel module clippy in-tree tests tests-modules selftests bench; do
	lock "$name"
done
rm -rf -- "$cache"/module-* "$cache"/in-tree-* "$cache"/tests-* "$cache"/selftests-* "$cache"/bench-*
[ "${1:-}" != --all ] || rm -rf -- "$cache"
