#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs the Debian packages that are missing, or prints the command that does.
#   --all        also what only 'make test' needs
#   --upstream   also what only 'make test-upstream' needs

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/debian-suites.sh"

wanted=(make gcc libc6-dev bc bison flex libelf-dev libssl-dev cpio kmod
	xz-utils lz4 ca-certificates gpgv busybox-static qemu-system-x86
	"clang-$LLVM_VERSION" "lld-$LLVM_VERSION" "llvm-$LLVM_VERSION" "libclang-$LLVM_VERSION-dev")

# Debian 12 has a Rust that is new enough under other names than Debian 13.
if [ "$(debian_release)" = bookworm ]; then
	rust=(rustc-web rust-web-src) rust_test=(rustfmt-web rust-web-clippy) rust_cargo=cargo-web
else
	rust=(rustc rust-src) rust_test=(rustfmt rust-clippy) rust_cargo=cargo
fi
[ -n "${RUSTC:-}" ] || wanted+=("${rust[@]}")
[ -n "${RUSTC:-}${CARGO:-}${BINDGEN:-}" ] || [ -x "$bindgen" ] || wanted+=("$rust_cargo")
if [ "${1:-}" = --all ]; then
	wanted+=(shellcheck linux-perf trace-cmd)
	[ -n "${RUSTC:-}" ] || wanted+=("${rust_test[@]}")
fi

# What the kernel's selftests are linked with, and the C library for their 32-bit half.
if [ "${1:-}" = --upstream ]; then
	wanted+=(gcc-multilib libcap-dev libnuma-dev)
fi

# The peers that trapscope is measured beside; pahole makes BTF for the kernel.
if [ "${FLAVOUR:-}" = bench ]; then
	wanted+=(bpftrace linux-perf trace-cmd pahole)
fi

if ! command -v dpkg-query >/dev/null; then
	say "this is not Debian: packages are not checked. What is needed, by Debian's names: ${wanted[*]}"
	exit 0
fi

missing=()
have=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
for package in "${wanted[@]}"; do
	grep -qx "ii  *$package" <<<"$have" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "packages that are missing: ${missing[*]}"

# All parts of QEMU have to be of one version. Where the machine has some of them from
# backports, the others can only come from there.
backports=
if [[ " ${missing[*]} " == *" qemu-system-x86 "* ]] &&
   dpkg-query -W -f '${db:Status-Abbrev} ${source:Package} ${Version}\n' 'qemu-*' 2>/dev/null | grep '^.i  *qemu .*~bpo' >/dev/null; then
	backports=$(debian_release)-backports
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vx qemu-system-x86)
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		as_root=(sudo -n)
	else
		die "they can't be installed without root or passwordless sudo. Run this as root, then the same make again:" \
			"apt-get update && apt-get install --no-install-recommends ${missing[*]}${backports:+ && apt-get install --no-install-recommends -t $backports qemu-system-x86}" \
			${backports:+"For that $backports must be among apt's sources: parts of QEMU that are installed are from there."}
	fi
fi

# known PACKAGE: does apt have a candidate for it?
known() { apt-cache policy "$1" | grep -E '^  Candidate: [^(]' >/dev/null; }

# Old lists name versions that the archive may no longer have.
start_step apt-update "${as_root[@]}" apt-get -q update
finish_step apt-update "reading package lists" 0 "echo 0" ||
	say "going on with the lists that are there; 'apt-get update' by hand shows what is wrong with one of the sources"
for package in "${missing[@]}"; do
	known "$package" || die "apt knows no package $package" \
		"This set-up is for Debian 12 and 13 with the archive's main and security suites in apt's sources." \
		"Is the network up, and does 'apt-get update' work?" \
		"On other systems install what it stands for, and name the tools:" \
		"make RUSTC=PATH RUST_LIB_SRC=PATH CARGO=PATH (or BINDGEN=PATH)"
done

# Each package prints a line when it is fetched, unpacked and set up.
apt_lines() { lines_in apt-install '^(Get:|Unpacking|Setting up)'; }

# Nothing that the machine has is taken away for this.
options=(--no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600)

# install TITLE ARGUMENT...: of apt-get
install()
{
	local title=$1 count
	shift
	count=$(apt-get -s "${options[@]}" "$@" 2>/dev/null | grep -c '^Inst ' || true)
	start_step apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y "${options[@]}" "$@"
	finish_step apt-install "$title" $((3 * count)) apt_lines ||
		die "apt could not install the packages" "Try it by hand: ${as_root[*]} apt-get ${options[*]} $*" \
			"If apt wants to remove a package, one that you have conflicts with it. Debian's Rust: name yours by RUSTC= and CARGO= instead."
}

if [ -n "$backports" ]; then
	read_debian_lists "$cache/apt-qemu" "$(debian_release)" "$backports" || die "QEMU can't be installed" \
		"Other parts of it are here from $backports, so that it has to come from there too." \
		"By hand: apt-get install -t $backports qemu-system-x86"
	install "installing QEMU from $backports" "${private[@]}" -t "$backports" install qemu-system-x86
fi
[ ${#missing[@]} -eq 0 ] || install "installing packages" install "${missing[@]}"
