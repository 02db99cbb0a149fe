# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Kernel source from Debian's archive. Sourced by source.sh.
#
# The machine's apt need not list the suite: apt runs with a state of its own in
# the cache folder, as any user, and checks the chain from Debian's archive key
# to the package as it always does.

apt_state=$cache/apt
private=(-q -c "$apt_state/apt.conf")

# The machine's own hooks and pins are for its own packages.
write_apt_config()
{
	mkdir -p "$apt_state"/{parts,lists/partial,cache/archives/partial} "$log"
	cat >"$apt_state/apt.conf" <<-END
		#clear APT::Update;
		#clear DPkg::Post-Invoke;
		Dir::Etc::SourceList "/dev/null";
		Dir::Etc::SourceParts "$apt_state/parts";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::State::Lists "$apt_state/lists";
		Dir::Cache "$apt_state/cache";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
		APT::Architecture "amd64";
		Acquire::Languages "none";
		Acquire::Retries "2";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
	END
}

# The mirror that this machine uses. Without lists apt knows no origins yet: then
# the one that serves this very release.
# shellcheck disable=SC2016 # $(REPO_URI) is apt's
debian_mirrors()
{
	local found release
	found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u)
	if [ -z "$found" ]; then
		release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
		found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $release" 2>/dev/null | sort -u)
	fi
	echo "$found"
}

# Reads the list of the suite from a mirror, once; fails if that can't be done.
read_debian_lists()
{
	local keyring mirror

	[ -z "${debian_lists:-}" ] || { [ "$debian_lists" = yes ]; return; }
	debian_lists=no
	command -v apt-get >/dev/null || return 1
	for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -r "$keyring" ] || break
	done
	[ -r "$keyring" ] || { say "no Debian archive keyring here: Debian's kernel source can't be checked"; return 1; }

	write_apt_config
	for mirror in $(debian_mirrors); do
		cat >"$apt_state/parts/kernel.sources" <<-END
			Types: deb
			URIs: $mirror
			Suites: $KERNEL_SUITE
			Components: main
			Signed-By: $keyring
		END
		if apt-get "${private[@]}" update >"$log/source-lists.log" 2>&1 </dev/null; then
			debian_lists=yes
			return 0
		fi
	done
	say "Debian's list of $KERNEL_SUITE can't be read (log: $log/source-lists.log)"
	return 1
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

	read_debian_lists || return 1
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

	read_debian_lists || return 1
	for package in $(apt-cache "${private[@]}" search -n "^linux-source-${series%%.*}\.[0-9]+\$" | awk '{ print $1 }' | sort -Vr); do
		[ "$package" != "$KERNEL_PACKAGE" ] || continue
		say "WARNING: Linux $series is not to be had. Trying $package: trapscope may not build or work with it"
		! debian_source "$package" || return 0
	done
	return 1
}
