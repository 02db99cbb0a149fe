# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Which toolchain is used and where everything built goes. Sourced after lib.sh.
#
# Overrides, all from the environment or make's command line:
#   KSRC= KDIR= RUSTC= RUST_LIB_SRC= RUSTFMT= CLIPPY_DRIVER= CARGO= BINDGEN=

# Debian's tools by path: a rustup shim may come first in PATH.
rustc=${RUSTC:-/usr/bin/rustc}
rust_bin=$(dirname -- "$rustc")
rustfmt=${RUSTFMT:-$rust_bin/rustfmt}
clippy_driver=${CLIPPY_DRIVER:-$rust_bin/clippy-driver}
cargo=${CARGO:-$rust_bin/cargo}
clang=/usr/bin/clang-$LLVM_VERSION
llvm=/usr/lib/llvm-$LLVM_VERSION
bindgen=${BINDGEN:-$cache/tools/bindgen-$BINDGEN_VERSION/bin/bindgen}

# What a build sees as PATH: no shims, no tools of the user's own.
build_path=$llvm/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin

# library_version FOLDER: which Rust the library source in FOLDER belongs to
library_version()
{
	local folder
	folder=$(realpath -- "$1")
	if [ -r "$folder/../src/version" ]; then
		version_of "$(<"$folder/../src/version")"
	elif [ -x "$folder/../../../../../bin/rustc" ]; then
		version_of "$("$folder/../../../../../bin/rustc" --version)"
	else
		grep -oE 'rustc-[0-9.]+[0-9]' <<<"$folder" | tail -n1 | sed s/rustc-//
	fi || true
}

# Sets rustc_text, rustc_version and rust_lib_src, or says which part is missing
# or does not match, and what to do.
find_rust()
{
	local sysroot library

	[ -z "${rustc_text:-}" ] || return 0
	case $rustc in
	/*) ;;
	*) die "RUSTC=$rustc is not a full path" \
		"Give the path of the compiler itself, such as /usr/bin/rustc." ;;
	esac
	[ -x "$rustc" ] || die "there is no Rust compiler at $rustc" \
		"Run 'make packages' to install Debian's, or name another: make RUSTC=/path/of/rustc" \
		"together with RUST_LIB_SRC=/path/of/its/library."
	rustc_text=$("$rustc" --version) || die "$rustc does not run" \
		"Name one that does: make RUSTC=/path/of/rustc RUST_LIB_SRC=/path/of/its/library"
	rustc_version=$(version_of "$rustc_text")

	if [ -n "${RUST_LIB_SRC:-}" ]; then
		rust_lib_src=$RUST_LIB_SRC
	else
		sysroot=$("$rustc" --print sysroot)
		for library in "$sysroot/lib/rustlib/src/rust/library" \
				"/usr/src/rustc-$rustc_version/library"; do
			[ ! -e "$library/core/src/lib.rs" ] || break
		done
		rust_lib_src=$(realpath -m -- "$library")
	fi
	[ -e "$rust_lib_src/core/src/lib.rs" ] ||
		die "the library source of $rustc ($rustc_version) is missing: $rust_lib_src has no core/src/lib.rs" \
			"Debian's compiler: run 'make packages'. One by rustup: rustup component add rust-src." \
			"Elsewhere: make RUSTC=$rustc RUST_LIB_SRC=/path/of/rust-$rustc_version/library"

	library=$(library_version "$rust_lib_src")
	[ "$library" = "$rustc_version" ] ||
		die "compiler and library source do not match: $rustc is $rustc_version, $rust_lib_src is ${library:-of an unknown version}" \
			"The kernel builds 'core' from that source, which works with the same version only." \
			"Name a pair: make RUSTC=/path/of/rustc RUST_LIB_SRC=/path/of/its/library"
}

# Kernel source: the user's own, or the tree in the cache that serves for the
# pinned version. 'serves' is a link, since it may be a neighbouring version.
serves=$cache/source/for-$KERNEL_VERSION

find_source()
{
	[ -z "${source:-}" ] || return 0
	if [ -n "${KSRC:-}" ]; then
		source=$(realpath -m -- "$KSRC")
		[ -r "$source/scripts/Kbuild.include" ] || die "KSRC=$KSRC is not a kernel source tree" \
			"It has no scripts/Kbuild.include. Give the top folder of an unpacked Linux 7.3."
	elif [ -n "${KDIR:-}" ]; then
		# A build folder of its own names its source by a link.
		source=$(realpath -m -- "$KDIR/source")
		[ -d "$source" ] || source=$(realpath -m -- "$KDIR")
	elif [ -d "$serves" ]; then
		source=$(realpath -- "$serves")
	else
		source=$cache/source/linux-$KERNEL_VERSION
	fi
}

# source_version TREE
source_version()
{
	sed -nE '1,9{s/^(VERSION|PATCHLEVEL|SUBLEVEL) *= *([0-9]+)$/\2/p}' "$1/Makefile" | paste -sd.
}

# The kernel for FLAVOUR= has the options of scripts/setup/FLAVOUR.fragment besides.
fragments=("$repo/.config.fragment")
if [ -n "${FLAVOUR:-}" ]; then
	fragments+=("$setup/$FLAVOUR.fragment")
	[ -r "${fragments[1]}" ] || die "FLAVOUR=$FLAVOUR is unknown" \
		"There is one for each scripts/setup/NAME.fragment."
fi

# The last word on each option, as merge_config.sh takes them.
fragment_options()
{
	cat "${fragments[@]}" | awk '/^(CONFIG_|# CONFIG_)/ {
			name = $1 == "#" ? $2 : substr($1, 1, index($1, "=") - 1)
			line[name] = $0
		}
		END { for (name in line) print line[name] }'
}

# Sets kernel, the kernel's build folder: its name tells everything that the
# kernel is made from.
find_kernel()
{
	[ -z "${kernel:-}" ] || return 0
	if [ -n "${KDIR:-}" ]; then
		[ -z "${KSRC:-}" ] || die "both KSRC and KDIR are set" \
			"Give KSRC=SOURCE to have that source built, or KDIR=BUILD to use a built kernel."
		kernel=$(realpath -m -- "$KDIR")
		return
	fi
	find_rust
	find_source
	kernel=$cache/kernel-$({
		printf '%s\n' "$source" "$rustc" "$rustc_text" "$rust_lib_src" "$BINDGEN_VERSION" "${BINDGEN:-}"
		"$clang" --version 2>/dev/null | head -n1 || true
		fragment_options | sort
	} | short_hash)
}

# One set of outputs per kernel and checkout.
find_outputs()
{
	local key

	find_kernel
	key=$(printf '%s\n' "$kernel" "$repo" | short_hash)
	module=$cache/module-$key
	in_tree=$cache/in-tree-$key
	tests=$cache/tests-$(printf '%s\n' "$repo" | short_hash)
	tests_modules=$cache/tests-modules-$key
	bench=$cache/bench-$key
}
