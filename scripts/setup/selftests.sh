#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel tree's own suites mm, x86 and ftrace for 'make test-upstream', from
# the source that the kernel was built from. Its makefiles write beside their source,
# so this is done in a copy. In the result, which scripts/setup/paths names:
#
#   tree/     tools/testing/selftests with what was built
#   guest/    what the guest needs: the suites, the libraries of their programs, bash,
#             and the kernel's modules that they load

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$setup/places.sh"
. "$setup/steps.sh"
. "$setup/kbuild.sh"

suites=(mm x86 ftrace)

# The headers that programs see, without touching source or kernel.
headers() { kmake -C "$source" O="$selftests/headers" -j"$jobs" headers; }

# All that the suites include by its place in the tree is a link to it.
copy()
{
	local top=$selftests/tree
	mkdir -p "$top/tools/testing"
	cp -a "$source/tools/testing/selftests" "$top/tools/testing/"
	find "$source" -mindepth 1 -maxdepth 1 ! -name tools -exec ln -s -t "$top" {} +
	find "$source/tools" -mindepth 1 -maxdepth 1 ! -name testing -exec ln -s -t "$top/tools" {} +
}

# The harness ends a case after 30 seconds or so, which are those of a real machine.
more_time()
{
	local harness=$tree/kselftest_harness.h
	sed -i 's/t->timeout \* 1000)/t->timeout * 40 * 1000)/' "$harness"
	grep -qF 't->timeout * 40 * 1000)' "$harness" || {
		echo "$harness: its limit is not where it was: mend more_time in scripts/setup/selftests.sh"
		return 1
	}
}

# A module is made by the kernel's own build; the makefile's way would take another compiler.
suite()
{
	make -C "$tree/$1" -j"$jobs" KHDR_INCLUDES="-isystem $selftests/headers/usr/include" \
		KDIR="$kernel" TEST_GEN_MODS_DIR='' OUTPUT="$tree/$1" all
}

page_frag() { kmake -C "$kernel" M="$tree/mm/page_frag" modules; }

modules()
{
	kmake -C "$kernel" INSTALL_MOD_PATH="$guest" modules_install &&
		rm -f "$guest"/lib/modules/*/build "$guest"/lib/modules/*/source
}

# Modules that ftrace's tests load: direct calls (one of handle_mm_fault) and events.
samples()
{
	local sample
	mkdir -p "$selftests/samples"
	for sample in ftrace trace_events trace_printk; do
		cp -a "$source/samples/$sample" "$selftests/samples/"
		kmake -C "$kernel" M="$selftests/samples/$sample" INSTALL_MOD_PATH="$guest" \
			CONFIG_SAMPLE_FTRACE_DIRECT=m CONFIG_SAMPLE_TRACE_EVENTS=m \
			CONFIG_SAMPLE_TRACE_PRINTK=m modules modules_install || return 1
	done
}

# Sources take no part in a run.
gather()
{
	local suite
	for suite in "${suites[@]}"; do
		mkdir -p "$guest/selftests"
		cp -a "$tree/$suite" "$guest/selftests/"
	done
	cp -a "$tree/kselftest" "$guest/selftests/"
	find "$guest/selftests" \( -name '*.[chSo]' -o -name '*.cmd' -o -name '*.mod*' \) -delete
	"$repo/scripts/pack" "$guest" bash
	mkdir -p "$guest/bin"
	ln -s ../usr/bin/bash "$guest/bin/bash"
	find "$guest/selftests" -type f -perm -u+x -exec "$repo/scripts/pack" --libraries "$guest" {} +
	# No program is linked with it: the C library opens it where a thread is cancelled.
	cp -L "$(gcc -print-file-name=libgcc_s.so.1)" "$guest/lib/x86_64-linux-gnu/"
}

build()
{
	local suite
	if ! headers || ! copy || ! more_time; then return 1; fi
	for suite in "${suites[@]}"; do
		suite "$suite" || return 1
	done
	page_frag && modules && samples && gather
}

find_outputs
find_rust
[ -e "$kernel/.ready" ] || [ -n "${KDIR:-}" ] || die "there is no built kernel in $kernel" "Run 'make kernel'."
find_source
lock selftests
made_from=$(
	gcc --version | head -n1
	sha256sum "${BASH_SOURCE[0]}" "$repo/scripts/pack"
	stat -c %Y "$kernel/Module.symvers"
)
[ "$(cat "$selftests/.made-from" 2>/dev/null)" != "$made_from" ] || exit 0
rm -rf -- "$selftests"
mkdir -p "$selftests"
tree=$selftests/tree/tools/testing/selftests
guest=$selftests/guest
start_step selftests build
finish_step selftests "building the kernel's own selftests" 0 "echo 0" ||
	die "the kernel's own selftests could not be built" "See the compiler's message above; 'scripts/setup/packages.sh --upstream' installs what they are linked with."
echo "$made_from" >"$selftests/.made-from"
