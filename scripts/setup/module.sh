#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the module for the kernel that scripts/setup/paths names.
#   (nothing)   make -C KERNEL M=CHECKOUT, into the cache
#   --in-tree   inside a kernel tree into which link-into-tree linked the checkout
#   --clippy    like nothing, with clippy; any of its warnings is a failure

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

find_outputs

# What the module is made of; equal sums, equal module.
sum_of_sources()
{
	(cd "$repo" && find Kbuild Kconfig src -type f -print0 | sort -z | xargs -0 sha256sum)
	stat -c %Y "$kernel/Module.symvers"
}

# build_step NAME TITLE FOLDER RESULT COMMAND...: unless RESULT is up to date
build_step()
{
	local name=$1 title=$2 folder=$3 result=$4 sums
	shift 4

	lock "$name"
	sums=$(sum_of_sources)
	[ ! -e "$folder/$result" ] || [ "$(cat "$folder/.made-from" 2>/dev/null)" != "$sums" ] || return 0
	mkdir -p "$folder"
	rm -f "$folder/.made-from"
	start_step "$name" "$@"
	finish_step "$name" "$title" 0 "echo 0" || return 1
	if warnings_in "$log/$name.log" >&2; then
		# What has been compiled would not be compiled, and warned of, again.
		rm -rf -- "$folder"
		die "$title: there are warnings" "Mend what the compiler names (log: $log/$name.log)"
	fi
	[ -e "$folder/$result" ] || die "$title: make ended well, but there is no $folder/$result" \
		"Does Kbuild or Kconfig leave the module out? See $log/$name.log"
	echo "$sums" >"$folder/.made-from"
}

out_of_tree()
{
	[ ! -e "$repo/modules.order" ] || die "a module has been built inside the checkout" \
		"The kernel wants it clean before it builds elsewhere: make -C $kernel M=$repo clean"
	build_step module "building the module" "$module" trapscope.ko \
		kmake -C "$kernel" M="$repo" MO="$module" -j"$jobs" modules ||
		die "the module could not be built for $kernel" "See the compiler's message above."
}

clippy()
{
	[ -x "$clippy_driver" ] || die "there is no $clippy_driver" "Run 'make packages', or name one: make CLIPPY_DRIVER=PATH"
	build_step clippy "checking the module with clippy" "$module-clippy" trapscope.ko \
		kmake -C "$kernel" M="$repo" MO="$module-clippy" -j"$jobs" CLIPPY=1 KRUSTFLAGS=-Dwarnings modules ||
		die "clippy found something" "See its message above; it names the place."
}

# A tree that looks like the kernel's source, but has the module in it: links to
# the top folders; only kernel/ and the files that change are its own. The build
# folder is new, since a kernel keeps the path of its source, but it links to what
# the module is checked against, so that only headers and rust/ are made again.
make_tree()
{
	local entry
	rm -rf -- "$in_tree-source" "$in_tree"
	mkdir -p "$in_tree-source/kernel" "$in_tree"
	for entry in "$source"/* "$source/kernel"/*; do
		case ${entry#"$source/"} in
		kernel) ;;
		kernel/*) ln -s "$entry" "$in_tree-source/kernel/" ;;
		*) ln -s "$entry" "$in_tree-source/" ;;
		esac
	done
	ln -s "$kernel/vmlinux.o" "$in_tree/vmlinux.o"
}

build_in_tree()
{
	[ -e "$in_tree/.config" ] || {
		make_tree && "$repo/scripts/link-into-tree" "$in_tree-source" &&
			{ cat "$kernel/.config"; echo CONFIG_TRAPSCOPE=m; } >"$in_tree/.config.new" &&
			mv "$in_tree/.config.new" "$in_tree/.config"
	} || return 1
	kmake -C "$in_tree-source" O="$in_tree" olddefconfig || return 1
	grep -qx CONFIG_TRAPSCOPE=m "$in_tree/.config" || {
		echo "CONFIG_TRAPSCOPE=m did not take effect: does Kconfig depend on something that this kernel has not?"
		return 1
	}
	kmake -C "$in_tree-source" O="$in_tree" -j"$jobs" kernel/trapscope/trapscope.ko
}

in_tree()
{
	find_source
	if [ ! -r "$source/kernel/Makefile" ] || [ ! -r "$source/Kconfig" ] || [ -e "$source/.config" ]; then
		die "the module can't be built in a tree: $source is not a complete and clean kernel source" \
			"Use a kernel that was built in a folder of its own (O=), or leave KDIR out."
	fi
	build_step in-tree "building the module inside a kernel tree" "$in_tree" kernel/trapscope/trapscope.ko \
		build_in_tree ||
		die "the module could not be built inside a kernel tree" "See the message above."
}

case ${1:-} in
'') find_rust; out_of_tree ;;
--clippy) find_rust; clippy ;;
--in-tree) find_rust; in_tree ;;
*) die "module.sh: unknown option '$1'" "Options: --in-tree, --clippy" ;;
esac
