# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Kernel source from Debian's archive. Sourced by source.sh, as any user.

. "$setup/debian-suites.sh"

# Reads the lists once.
read_source_lists()
{
	[ -z "${source_lists:-}" ] || { [ "$source_lists" = yes ]; return; }
	source_lists=no
	read_debian_lists "$cache/apt" "$KERNEL_SUITE" || return 1
	source_lists=yes
}

# debian_version PACKAGE: the pinned kernel version if it is there, else the newest
debian_version()
{
	local versions
	versions=$(apt-cache "${private[@]}" madison "$1" 2>/dev/null | awk '{ print $3 }')
	grep -m1 "^${KERNEL_VERSION//./\\.}-" <<<"$versions" || head -n1 <<<"$versions"
}

# debian_source PACKAGE
debian_source()
{
	local package=$1 version size deb tar tree

	read_source_lists || return 1
	version=$(debian_version "$package")
	if [ -z "$version" ]; then
		say "Debian's $KERNEL_SUITE has no $package"
		return 1
	fi
	size=$(apt-cache "${private[@]}" show "$package=$version" | awk '/^Size:/ { print $2; exit }')

	start_step source-download env -C "$work" apt-get "${private[@]}" download "$package=$version"
	finish_step source-download "downloading $package $version" "$((${size:-0} / 1024))" downloaded_kib || return 1
	deb=$(find "$work" -maxdepth 1 -name '*.deb')
	tar=usr/src/$package.tar.xz
	tree=$work/${tar##*/}
	tree=${tree%.tar.xz}
	start_step source-unpack unpack_deb "$deb" "$tar"
	finish_step source-unpack "unpacking $package" 0 "echo 0" ||
		die "the kernel source could not be unpacked" "Is the disk full? See: df $cache"
	adopt "$tree" "$(source_version "$tree")"
}

downloaded_kib() { du -sk -- "$work" | cut -f1; }

unpack_deb()
{
	dpkg-deb --fsys-tarfile "$1" | tar -xO "./$2" | tar -xJ -C "$work" && rm -- "$1"
}

# Last resort: another 7.x that the mirror still has, the newest first.
debian_source_other()
{
	local package

	read_source_lists || return 1
	for package in $(apt-cache "${private[@]}" search -n "^linux-source-${series%%.*}\.[0-9]+\$" | awk '{ print $1 }' | sort -Vr); do
		[ "$package" != "$KERNEL_PACKAGE" ] || continue
		say "WARNING: Linux $series is not to be had. Trying $package: trapscope may not build or work with it"
		! debian_source "$package" || return 0
	done
	return 1
}
