#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Gets the kernel source into the cache, unless KSRC= or KDIR= name the user's
# own: Debian's package, else kernel.org's tarball, else a neighbouring version.
# Each is checked against a signature before it is unpacked.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"

[ -z "${KSRC:-}${KDIR:-}" ] || { find_source; exit 0; }
[ ! -d "$serves" ] || exit 0
lock source
[ ! -d "$serves" ] || exit 0

work=$cache/source/unfinished
rm -rf -- "$work"
mkdir -p "$work"
series=${KERNEL_VERSION%.*}

. "$setup/source-debian.sh"
. "$setup/source-kernel-org.sh"

# adopt TREE VERSION: the last act, so that half a tree is never taken for one
adopt()
{
	local tree=$cache/source/linux-$2
	[ -e "$1/rust/kernel/lib.rs" ] || die "the source of Linux $2 that came has no rust/kernel: it can't be used" \
		"Name one that you have: make KSRC=/path/of/linux-$KERNEL_VERSION"
	rm -rf -- "$tree"
	mv -- "$1" "$tree"
	ln -sfn "linux-$2" "$serves"
	rm -rf -- "$work"
	[ "$2" = "$KERNEL_VERSION" ] || say "note: using Linux $2 in place of $KERNEL_VERSION, which is what trapscope was tested on"
}

if debian_source "$KERNEL_PACKAGE" || kernel_org_source || debian_source_other; then
	exit 0
fi
rm -rf -- "$work"
die "no kernel source could be had: not from Debian's archive and not from kernel.org (see above; logs: $log)" \
	"Is the network up? With a source tree of your own: make KSRC=/path/of/linux-$KERNEL_VERSION" \
	"With a kernel that you have built: make KDIR=/path/of/its/build/folder"
