#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The whole set-up, in order; what is there already is left alone.
#   --all   also what only 'make test' needs

here=$(dirname -- "${BASH_SOURCE[0]}")
set -e
"$here/packages.sh" "$@"
"$here/kernel.sh"
"$here/module.sh"
"$here/tests.sh"
if [ "${1:-}" = --all ]; then
	"$here/tests-modules.sh"
	"$here/bench.sh"
fi
