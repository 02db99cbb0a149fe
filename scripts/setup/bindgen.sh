# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Builds the pinned bindgen into the cache. Sourced after steps.sh.
#
#   start_bindgen    begins in the background, if there is something to do
#   finish_bindgen   waits for it, with progress

start_bindgen()
{
	if [ -n "${BINDGEN:-}" ]; then
		"$bindgen" --version >/dev/null 2>&1 || die "BINDGEN=$bindgen does not run" \
			"Name one that does, or leave BINDGEN out: $BINDGEN_VERSION is built then."
		return
	fi
	[ ! -x "$bindgen" ] || return 0
	[ -x "$cargo" ] || die "there is no cargo at $cargo, which is needed to build bindgen" \
		"Run 'make packages', or name one: make CARGO=/path/of/cargo, or a bindgen $BINDGEN_VERSION: make BINDGEN=/path/of/bindgen"
	lock bindgen
	[ ! -x "$bindgen" ] || return 0
	start_step bindgen build_bindgen
}

# The crates go into the cache too, not into the user's ~/.cargo, and are not
# needed again. Level 1 is the quickest of all: it builds in two thirds of the
# time and the kernel has three headers only. Without bindgen's log it is six
# crates less.
build_bindgen()
{
	local work=$cache/tools/unfinished

	rm -rf -- "$work" "$cache/tools/bindgen-$BINDGEN_VERSION"
	mkdir -p "$work/home" || return 1
	# A mirror or proxy that the user has set for cargo.
	cp -- "${CARGO_HOME:-${HOME:-}/.cargo}/config.toml" "$work/home/" 2>/dev/null || true
	cd "$work" &&
		env PATH="$build_path" RUSTC="$rustc" CARGO_HOME="$work/home" CARGO_TARGET_DIR="$work/target" \
			CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_TERM_PROGRESS_WHEN=never \
			"$cargo" install --locked --root "$work/root" --version "=$BINDGEN_VERSION" \
			--no-default-features --features runtime bindgen-cli &&
		mv -- "$work/root" "$cache/tools/bindgen-$BINDGEN_VERSION" &&
		cd / && rm -rf -- "$work"
}

crates_built() { lines_in bindgen '^ *Compiling'; }

finish_bindgen()
{
	[ -n "${step_pid[bindgen]:-}" ] || return 0
	finish_step bindgen "building bindgen $BINDGEN_VERSION" "$BINDGEN_LINES" crates_built ||
		die "bindgen $BINDGEN_VERSION could not be built" \
			"Is the network up? With one of your own: make BINDGEN=/path/of/bindgen"
}
