# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Suites of Debian that the machine's apt need not list: apt runs with a state of
# its own in the cache folder and checks the chain from Debian's archive key to the
# package as it always does. Sourced after steps.sh.

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
	local found
	found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u)
	if [ -z "$found" ]; then
		found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $(debian_release)" 2>/dev/null | sort -u)
	fi
	echo "$found"
}

debian_release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# read_debian_lists STATE SUITE...: the lists of the suites from one mirror, into the
# folder STATE. From then on apt knows them, and nothing else, by the options in
# $private. Fails if that can't be done.
read_debian_lists()
{
	local keyring mirror

	apt_state=$1
	private=(-q -c "$apt_state/apt.conf")
	shift
	command -v apt-get >/dev/null || return 1
	for keyring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -r "$keyring" ] || break
	done
	[ -r "$keyring" ] || { say "no Debian archive keyring here: Debian's suite $* can't be checked"; return 1; }

	write_apt_config
	rm -f -- "$apt_state"/parts/*
	for mirror in $(debian_mirrors); do
		cat >"$apt_state/parts/suites.sources" <<-END
			Types: deb
			URIs: $mirror
			Suites: $*
			Components: main
			Signed-By: $keyring
		END
		if apt-get "${private[@]}" update >"$log/${apt_state##*/}-lists.log" 2>&1 </dev/null; then
			return 0
		fi
	done
	say "Debian's list of $* can't be read (log: $log/${apt_state##*/}-lists.log)"
	return 1
}
