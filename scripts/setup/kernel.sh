#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything up to a kernel that boots: source, bindgen, configuration, build.
# With KDIR= only checks that the kernel there can serve.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"
. "$setup/bindgen.sh"

# A kernel of the user's own: say now what would stop the module later.
check_kdir()
{
	local config=$kernel/include/config/auto.conf option text

	[ -r "$config" ] || die "KDIR=$KDIR is not a kernel build folder: it has no include/config/auto.conf" \
		"Give the folder in which the kernel was built (O=), or KSRC= for a source tree."
	[ -r "$kernel/Module.symvers" ] || die "the kernel in KDIR=$KDIR is not built: it has no Module.symvers" \
		"Build it first: make -C $KDIR"
	for option in CONFIG_MODULES CONFIG_RUST; do
		grep -qx "$option=y" "$config" || die "the kernel in KDIR=$KDIR has no $option" \
			"Build it with that option, or leave KDIR out."
	done
	text=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\{0,1\}\([^"]*\).*/\1/p' "$config")
	[ "$text" = "$rustc_text" ] || die "the kernel in KDIR=$KDIR was built by '$text', $rustc is '$rustc_text'" \
		"A module in Rust needs its kernel's own compiler. Name it: make RUSTC=PATH RUST_LIB_SRC=PATH"
	[ -r "$kernel/arch/x86/boot/bzImage" ] ||
		say "note: KDIR=$KDIR has no arch/x86/boot/bzImage: the module can be built, but not booted here"
}

check_ksrc()
{
	local version
	if [ -e "$source/.config" ] || [ -d "$source/include/config" ]; then
		die "the source tree KSRC=$KSRC has been built in" \
			"To build it elsewhere it must be clean: make -C $KSRC mrproper (removes its .config)." \
			"Or use the kernel that was built there: make KDIR=$KSRC"
	fi
	version=$(source_version "$source")
	[ "${version%.*}" = "${KERNEL_VERSION%.*}" ] ||
		say "WARNING: KSRC=$KSRC is Linux $version; trapscope is for ${KERNEL_VERSION%.*} and may not build or work with it"
}

# Rust and clang against what this very kernel asks for.
check_tools()
{
	local tool has minimum
	for tool in rustc llvm bindgen; do
		case $tool in
		rustc) has=$rustc_version ;;
		llvm) has=$(version_of "$("$clang" --version)") ;;
		bindgen) has=$(version_of "$("$bindgen" --version)") ;;
		esac
		minimum=$("$source/scripts/min-tool-version.sh" "$tool")
		at_least "$has" "$minimum" || die "$tool is $has, and this kernel needs $minimum at least" \
			"rustc: make RUSTC=PATH RUST_LIB_SRC=PATH; bindgen: leave BINDGEN out; llvm: LLVM_VERSION in scripts/setup/versions."
	done
	say "tools: $rustc $rustc_version with $rust_lib_src, $clang, $bindgen"
}

configure()
{
	kmake -C "$source" O="$kernel" tinyconfig &&
		(cd "$source" && scripts/kconfig/merge_config.sh -m -O "$kernel" "$kernel/.config" "${fragments[@]}") &&
		kmake -C "$source" O="$kernel" rustavailable &&
		kmake -C "$source" O="$kernel" olddefconfig
}

# A crate takes as long as several C files.
kernel_lines() { awk '/^ +[A-Z]/ { n++ } /^ +(RUSTC|BINDGEN) / { n += 5 } END { print n + 0 }' "$log/kernel.log"; }

build() { kmake -C "$source" O="$kernel" -j"$jobs" bzImage modules; }

find_rust
find_kernel
if [ -n "${KDIR:-}" ]; then
	check_kdir
	start_bindgen
	finish_bindgen
	exit 0
fi
# The user's own source may have changed: the kernel's make finds that out.
[ ! -e "$kernel/.ready" ] || [ -n "${KSRC:-}" ] || exit 0

[ -x "$clang" ] || die "there is no $clang" "Run 'make packages' to install it."
lock kernel

# The source comes over the network while bindgen keeps the processors busy.
start_bindgen
"$setup/source.sh"
finish_bindgen

unset source kernel
find_kernel
[ -z "${KSRC:-}" ] || check_ksrc
[ ! -e "$kernel/.ready" ] || [ -n "${KSRC:-}" ] || exit 0
check_tools

mkdir -p "$kernel"
free=$(df -Pm "$kernel" | awk 'NR == 2 { print $4 }')
[ "$free" -ge 1500 ] || [ -e "$kernel/vmlinux" ] || die "only $free MiB are free in $cache: the kernel's build needs 1500" \
	"Free some, or set XDG_CACHE_HOME to a folder on another disk."

if [ ! -e "$kernel/.configured" ]; then
	start_step kernel-config configure
	finish_step kernel-config "configuring Linux $(source_version "$source")" 0 "echo 0" || die "the kernel could not be configured" \
		"If Rust is 'not available', the lines above name the part: see 'Toolchain' in docs/set-up.md."
	mapfile -t untaken < <(fragment_options | untaken_options "$kernel/.config")
	[ ${#untaken[@]} -eq 0 ] || die "options of ${fragments[*]##*/} did not take effect:" "${untaken[@]}" \
		"What each depends on, or is selected by, is told by '/NAME' in: make -C $source O=$kernel menuconfig" \
		"Then mend ${fragments[*]}."
	touch "$kernel/.configured"
fi

rm -f "$kernel/.ready"
learned=$cache/kernel-lines${FLAVOUR:+-$FLAVOUR}
lines=$KERNEL_LINES
[ ! -s "$learned" ] || lines=$(<"$learned")
resumed=no
[ ! -e "$kernel/.begun" ] || resumed=yes
touch "$kernel/.begun"

start_step kernel build
finish_step kernel "building Linux $(source_version "$source")" "$lines" kernel_lines ||
	die "the kernel could not be built" \
		"Start again with 'make distclean' if a disk was full or a tool was changed meanwhile; else see the log."
# Only a build from nothing tells how many lines that takes.
[ "$resumed" = yes ] || kernel_lines >"$learned"
touch "$kernel/.ready"
