#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The whole set-up, in order; what is there already is left alone.
#   --all        also what only 'make test' needs
#   --upstream   also what only 'make test-upstream' needs

here=$(dirname -- "${BASH_SOURCE[0]}")
set -e
"$here/packages.sh" "$@"
"$here/kernel.sh"
"$here/module.sh"
"$here/tests.sh"
case ${1:-} in
--all)
	"$here/tests-modules.sh"
	# The cost is that of the ordinary kernel.
	[ "${FLAVOUR:-}" = debug ] || "$here/bench.sh"
	;;
--upstream) "$here/selftests.sh" ;;
esac
