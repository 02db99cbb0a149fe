#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of expect
# The set-up: what it says when something does not fit, and link-into-tree. Builds
# and installs nothing; has a cache of its own.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work setup-test
chmod 755 "$work"

# As set up, before the cache is another.
source=$(scripts/setup/paths source)
BINDGEN=$(scripts/setup/paths bindgen)
rustc=$(scripts/setup/paths rustc)
export BINDGEN XDG_CACHE_HOME=$work/cache
unset KSRC KDIR

# try COMMAND...: leaves $status, and its output in $work/out
try() {
	"$@" >"$work/out" 2>&1 </dev/null
	status=$?
}

# expect NAME CONDITION...: a case; shows what came out if it fails
expect() {
	local name=$1
	shift
	if "$@"; then
		ok "$name"
		return
	fi
	echo "# condition: $*; status $status"
	sed 's/^/# /' "$work/out"
	not_ok "$name"
}

# refused TEXT...: it stopped, and said all of these
refused() {
	local text
	[ "$status" -eq 1 ] || return 1
	for text in "$@"; do
		grep -qF -- "$text" "$work/out" || return 1
	done
}

ktap_plan 12

mkdir -p "$work/library/core/src" "$work/src"
touch "$work/library/core/src/lib.rs"
echo "1.2.3 (nothing)" >"$work/src/version"
try env RUST_LIB_SRC="$work/library" scripts/setup/paths rust-lib-src
expect "a library of another version than the compiler is named" refused \
	"do not match" "$rustc is " "$work/library is 1.2.3" "make RUSTC="
try env RUSTC="$work/rustc" scripts/setup/paths rust-lib-src
expect "a compiler that is not there is named" refused "$work/rustc" "make packages"

mkdir "$work/empty"
try env KSRC="$work/empty" scripts/setup/kernel.sh
expect "KSRC that is no kernel source" refused "KSRC=$work/empty is not a kernel source tree"
mkdir -p "$work/used/scripts"
touch "$work/used/scripts/Kbuild.include" "$work/used/.config"
try env KSRC="$work/used" scripts/setup/kernel.sh
expect "KSRC that was built in" refused "KSRC=$work/used has been built in" mrproper
try env KDIR="$work/empty" scripts/setup/kernel.sh
expect "KDIR that is no build folder" refused "KDIR=$work/empty is not a kernel build folder"
try env KSRC="$work/used" KDIR="$work/empty" scripts/setup/kernel.sh
expect "KSRC and KDIR at once" refused "both KSRC and KDIR are set"

# A checkout that asks for what no kernel has, and for what others select.
mkdir "$work/checkout"
cp -R scripts .config.fragment "$work/checkout/"
printf '%s\n' CONFIG_TRAPSCOPE_TEST_NO_SUCH=y CONFIG_NR_CPUS=64000 >>"$work/checkout/.config.fragment"
fragment="an option of the fragment that does not take effect is named"
if [ -r "$source/init/Kconfig" ] && [ ! -e "$source/.config" ]; then
	try env KSRC="$source" "$work/checkout/scripts/setup/kernel.sh"
	expect "$fragment" refused "did not take effect" \
		"CONFIG_TRAPSCOPE_TEST_NO_SUCH (wanted y, is not set)" "CONFIG_NR_CPUS (wanted 64000, is "
else
	skip "$fragment" "no clean kernel source"
fi

# Packages that no archive has, missing for a user who may not install them.
sed -i 's/^LLVM_VERSION=.*/LLVM_VERSION=0/' "$work/checkout/scripts/setup/versions"
chmod -R a+rX "$work/checkout"
packages="packages: a user who can't install them gets one command"
rest="packages: the rest of a QEMU from backports comes from there"
as_user=(env)
[ "$(id -u)" -ne 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
one_command() {
	refused "apt-get update && apt-get install" clang-0 lld-0 &&
		[ "$(grep -c apt-get "$work/out")" -eq 1 ]
}
if ! "${as_user[@]}" true 2>/dev/null || "${as_user[@]}" sudo -n true 2>/dev/null; then
	skip "$packages" "no user without rights to be had here"
	skip "$rest" "no user without rights to be had here"
elif ! command -v dpkg-query >/dev/null; then
	skip "$packages" "this is not Debian"
	skip "$rest" "this is not Debian"
else
	try "${as_user[@]}" "$work/checkout/scripts/setup/packages.sh"
	expect "$packages" one_command
	# A machine that has nothing but one part of QEMU.
	mkdir "$work/bin"
	cat >"$work/bin/dpkg-query" <<-'END'
		#!/bin/sh
		[ "$4" != 'qemu-*' ] || echo 'ii  qemu 1:10.0.2+ds-2+deb13u1~bpo12+1'
	END
	chmod 755 "$work/bin/dpkg-query"
	try "${as_user[@]}" env PATH="$work/bin:$PATH" "$work/checkout/scripts/setup/packages.sh"
	expect "$rest" refused " -t $(. /etc/os-release && echo "$VERSION_CODENAME")-backports qemu-system-x86" \
		"-backports must be among apt's sources"
fi

tree=$work/tree
mkdir -p "$tree/kernel" "$tree/scripts"
touch "$tree/scripts/Kbuild.include"
printf '%s\n' 'mainmenu "Linux"' 'source "init/Kconfig"' >"$tree/Kconfig"
# shellcheck disable=SC2016 # for make
printf '%s\n' 'obj-y = fork.o' 'obj-$(CONFIG_TREE) += tree/' >"$tree/kernel/Makefile"
cp -R "$tree" "$work/untouched"
linked() {
	[ "$status" -eq 0 ] && [ "$tree/kernel/trapscope" -ef . ] &&
		[ "$(grep -c trapscope "$tree/Kconfig")" -eq 1 ] &&
		[ "$(grep -c trapscope "$tree/kernel/Makefile")" -eq 1 ]
}
try scripts/link-into-tree "$tree" && try scripts/link-into-tree "$tree"
expect "link-into-tree: twice is as once" linked
untouched() {
	[ "$status" -eq 0 ] && diff -r "$work/untouched" "$tree" >"$work/out"
}
try scripts/link-into-tree --undo "$tree"
expect "link-into-tree --undo: every file is as it was" untouched
try scripts/link-into-tree "$work/empty"
expect "link-into-tree: a folder that is no tree" refused "$work/empty has no Kconfig"
ktap_end
