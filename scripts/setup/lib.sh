# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# What the set-up scripts share: places, messages, locks, steps with a log.

set -euo pipefail

setup=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
repo=$(cd -- "$setup/../.." && pwd -P)

# shellcheck source=versions
. "$setup/versions"

if [ -z "${XDG_CACHE_HOME:-}" ] && [ -z "${HOME:-}" ]; then
	echo "trapscope: neither HOME nor XDG_CACHE_HOME is set: set one, it says where the cache goes" >&2
	exit 1
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trapscope
log=$cache/log

# The make that called us must not reach the kernel's make or cargo, nor may
# settings that are meant for other builds.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS
unset ARCH SRCARCH CROSS_COMPILE LLVM CC LD HOSTCC V O M MO KBUILD_OUTPUT \
	KCONFIG_CONFIG KCFLAGS KRUSTFLAGS RUSTFLAGS RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS \
	CARGO_BUILD_TARGET CARGO_TARGET_DIR RUSTUP_TOOLCHAIN CDPATH GREP_OPTIONS
export LC_ALL=C

say() { printf 'trapscope: %s\n' "$*" >&2; }

# die WHAT [WHAT-TO-DO...]
die()
{
	say "$1"
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

short_hash() { sha256sum | cut -c1-12; }

# version_of TEXT: the first dotted number in it
version_of() { grep -oE -m1 '[0-9]+(\.[0-9]+)+' <<<"$1" | head -n1; }

# at_least VERSION MINIMUM
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -V -C; }

# lock NAME: until this script ends no other set-up does the same step.
# The descriptor is inherited by the commands of the step, so that a lock also
# holds while a child outlives a killed script.
lock()
{
	local fd
	mkdir -p "$cache/lock" || die "can't create $cache" \
		"Make it writable, or set XDG_CACHE_HOME to a folder that is."
	exec {fd}>"$cache/lock/$1"
	if ! flock -n "$fd"; then
		say "another set-up is at the step '$1': waiting for it (see $log)"
		flock "$fd"
	fi
}
