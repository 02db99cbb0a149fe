# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Kernel source from kernel.org: the pinned version's tarball. Sourced by source.sh.
#
# The checksum comes from the list beside the tarball, which kernel.org signs; it
# counts only if the signature is by the key whose fingerprint is pinned.

fetch()
{
	if command -v curl >/dev/null; then
		curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "$1"
	else
		/usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1" "$2"
	fi
}

fetch_signed_list()
{
	fetch "$KERNEL_ORG_KEY_URL" "$work/key" &&
		fetch "$KERNEL_ORG/sha256sums.asc" "$work/signed-list" &&
		gpgv --keyring "$work/key" --status-fd 3 --output "$work/list" "$work/signed-list" 3>"$work/status" ||
		return 1
	# The last field is the fingerprint of the primary key that signed.
	[ "$(awk '$2 == "VALIDSIG" { print $NF }' "$work/status")" = "$KERNEL_ORG_KEY" ] || {
		echo "the list of checksums is not signed by the key $KERNEL_ORG_KEY"
		return 1
	}
}

kernel_org_source()
{
	local tarball=linux-$KERNEL_VERSION.tar.xz

	start_step source-list fetch_signed_list
	finish_step source-list "reading kernel.org's signed list of checksums" 0 "echo 0" || return 1
	if ! grep "  $tarball\$" "$work/list" >"$work/sum"; then
		say "kernel.org's list has no $tarball"
		return 1
	fi
	start_step source-download fetch "$KERNEL_ORG/$tarball" "$work/$tarball"
	# Not known beforehand; near enough for a progress display.
	finish_step source-download "downloading $tarball from kernel.org" 155000 downloaded_kib || return 1
	(cd "$work" && sha256sum --quiet -c sum >&2) || {
		say "$tarball from kernel.org is not what its signed checksum says: not used"
		return 1
	}
	start_step source-unpack tar -xJf "$work/$tarball" -C "$work"
	finish_step source-unpack "unpacking $tarball" 0 "echo 0" ||
		die "the kernel source could not be unpacked" "Is the disk full? See: df $cache"
	adopt "$work/${tarball%.tar.xz}" "$KERNEL_VERSION"
}
