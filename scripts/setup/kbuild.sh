# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# How the kernel's make is called. Sourced after places.sh.

jobs=${JOBS:-$(nproc)}

case $jobs in
'' | *[!0-9]* | 0) die "JOBS=$jobs is not a number from 1" "Leave it out: there are $(nproc) processors." ;;
esac
case $repo$cache in
*[[:space:]:]*) die "the kernel's build can't handle blanks or colons in folder names" \
	"The checkout is '$repo', the cache '$cache': move the one, or set XDG_CACHE_HOME for the other." ;;
esac
[ "$(uname -m)" = x86_64 ] || die "this is a $(uname -m) machine: trapscope is for x86_64" \
	"Build and run it on an x86_64 machine."

# kmake ARGUMENT...: the same tools in every build, so that a module fits its kernel.
# LOCALVERSION is set, if empty, or a git tree would add a '+' to the release.
kmake()
{
	env PATH="$build_path" LIBCLANG_PATH="$llvm/lib" \
		KBUILD_BUILD_USER=trapscope KBUILD_BUILD_HOST=trapscope \
		make LLVM="-$LLVM_VERSION" LOCALVERSION= \
		RUSTC="$rustc" HOSTRUSTC="$rustc" RUSTFMT="$rustfmt" CLIPPY_DRIVER="$clippy_driver" \
		BINDGEN="$bindgen" RUST_LIB_SRC="$rust_lib_src" "$@"
}

# warnings_in LOG: prints those of compilers, and fails if there is none. That the kernel
# was built by another compiler is nothing to mend in what is built for it.
warnings_in()
{
	grep -v 'differs from the one used to build the kernel' "$1" | grep -E -A6 '(^|: )[Ww]arning[:[]'
}

# untaken_options CONFIG: those of the option lines on stdin that CONFIG does not have
untaken_options()
{
	local config=$1 line name

	while read -r line; do
		name=${line#\# }
		name=${name%%[= ]*}
		case $line in
		\#*) ! grep -q "^$name=" "$config" || echo "$name (is set)" ;;
		*) grep -qxF -- "$line" "$config" || echo "$name (wanted ${line#*=}, is $(sed -n "s/^$name=//p" "$config" | grep . || echo 'not set'))" ;;
		esac
	done
}
