#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# In the outer guest: starts the inner one, takes its memory away to the swap disk while
# programs in it use that, and prints what both say. Usage: outer.sh FAULTS MIB,
# the programs' size.
# A line begins with "outer", "inner" or "console" (the inner kernel's messages).
set -u

faults=$1
size=$2
here=$(cd "$(dirname "$0")" && pwd)
tracing=/sys/kernel/tracing
group=/run/cgroup/inner
console=/run/console
qemu=

stop() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	[ ! -e "$console" ] || sed 's/^/console /' "$console"
}
trap stop EXIT

fail() {
	echo "outer failed $*"
	exit 1
}

# ---- a host that swaps ----
grep -qw svm /proc/cpuinfo || { echo "outer skip the processor has no SVM"; exit 0; }
for module in irqbypass kvm kvm-amd; do
	[ ! -e "$here/$module.ko" ] || insmod "$here/$module.ko" || fail "insmod $module"
done
{ mkswap /dev/vda >/dev/null && swapon /dev/vda; } || fail "there is no disk to swap to"
# Pages come back alone, and are not part of huge ones.
echo 0 >/proc/sys/vm/page-cluster
echo never >/sys/kernel/mm/transparent_hugepage/enabled
mkdir -p /run/cgroup
mount -t cgroup2 cgroup /run/cgroup || fail "there are no cgroups"
echo +memory >/run/cgroup/cgroup.subtree_control || fail "there is no memory controller"
mkdir "$group"

# ---- what its kernel counts ----
# KVM traces not_present also where it can't tell the guest, which is in kernel mode: what
# the function returns says whether it could.
# shellcheck disable=SC2016 # $retval is not the shell's
echo 'r:nested/told kvm_arch_async_page_not_present told=$retval:u8' >>"$tracing/kprobe_events" ||
	fail "kvm_arch_async_page_not_present() can't be probed"
# count EVENT [FILTER]
count() {
	echo "hist:keys=common_cpu${2:+ if $2}" >>"$tracing/events/$1/trigger" || fail "$1 has no histogram"
}
count kvm/kvm_async_pf_not_present
count kvm/kvm_async_pf_completed
count kvm/kvm_async_pf_ready "token != 0xffffffff"
count kvm/kvm_async_pf_ready "token == 0xffffffff"
count nested/told "told == 1"
count nested/told "told == 0"

# hits EVENT [FILTER]: how often it came since
hits() {
	awk -v filter="${2:-}" '
		/^# trigger info:/ { mine = filter == "" ? !/ if / : index($0, " if " filter " ") }
		mine && /^ *Hits:/ { print $2 + 0; found = 1 }
		mine && /^ *Dropped:/ && $2 + 0 { dropped = 1 }
		END { if (dropped || !found) print "lost" }' "$tracing/events/$1/hist"
}

# ---- its guest ----
# With a tick that comes by itself, as in this kernel: one may be lost. The TSC deadline timer
# has none.
mkfifo /run/talk.in /run/talk.out
(
	echo 0 >"$group/cgroup.procs"
	exec /usr/bin/qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none -M pc \
		-accel kvm -cpu host,-xsave,-tsc-deadline -smp 1 -m 320M -L "$here/firmware" \
		-kernel "$here/bzImage" -initrd "$here/inner.cpio" \
		-append "console=ttyS0 panic=-1 oops=panic kunit.enable=0 random.trust_cpu=on nohz=off highres=off" \
		-serial "file:$console" -chardev pipe,id=talk,path=/run/talk -serial chardev:talk
) >/run/qemu.log 2>&1 &
qemu=$!
# For both, so that it waits for nobody.
exec 3<>/run/talk.in 4<>/run/talk.out

# answer: prints what the inner guest says until it is done; its status
answer() {
	while true; do
		# shellcheck disable=SC3045 # busybox has it
		if read -r -t 20 line <&4; then
			case $line in
			"done "*) return "${line#done }" ;;
			esac
			echo "inner $line"
		elif ! kill -0 "$qemu"; then
			fail "the inner guest is gone: $(cat /run/qemu.log)"
		fi
	done
}

# tell WORD...: has the inner guest do something, and waits for it
tell() {
	echo "$*" >&3
	answer || fail "the inner guest: $* ended with status $?"
}

# theirs: what KVM has counted
theirs() {
	echo "not_present $(hits kvm/kvm_async_pf_not_present)"
	echo "told $(hits nested/told "told == 1")"
	echo "not_told $(hits nested/told "told == 0")"
	echo "completed $(hits kvm/kvm_async_pf_completed)"
	echo "ready $(hits kvm/kvm_async_pf_ready "token != 0xffffffff")"
	echo "broadcast $(hits kvm/kvm_async_pf_ready "token == 0xffffffff")"
}

# counts MARK: KVM's and the inner guest's, at a moment when nothing comes. The programs
# that read them there want pages back, too.
counts() {
	tries=0
	while [ "$((tries += 1))" -le 100 ]; do
		theirs >/run/before
		{
			tell interrupts
			tell show async_pf
		} >/run/inner
		theirs >/run/after
		if cmp -s /run/before /run/after; then
			sed "s/^/outer $1 /" /run/after
			echo "inner mark $1"
			cat /run/inner
			return
		fi
	done
	cat /run/inner
	fail "no two readings of KVM's counts are the same"
}

answer || fail "the inner guest did not begin"
echo "outer up"
tell load
tell begin "$size"
counts before

# ---- its memory goes, and comes back ----
# Three quarters of what the programs have may stay, and less if no page is wanted back
# then. With much less there would be more of QEMU's own faults than of its guest's.
least=$((size * 3 << 19))
told=0
before=0
wake=1
while [ "$told" -lt "$faults" ]; do
	kill -0 "$qemu" || fail "the inner guest is gone: $(cat /run/qemu.log)"
	# Little else runs meanwhile: there is one processor for all of it. Without the sleep
	# all that the guest consists of would be gone before it could use a page.
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		read -r has <"$group/memory.current"
		# It says so if that much could not be had.
		[ "$has" -le "$least" ] || echo 4M >"$group/memory.reclaim" 2>/dev/null
		usleep 50000
	done
	told=$(hits nested/told "told == 1")
	echo "outer reached $told"
	[ "$told" -gt "$before" ] || least=$((least - least / 8))
	[ "$least" -gt 1000000 ] || fail "no page is wanted back"
	before=$told
	# In the middle of it, all that wait are woken at once.
	if [ "$wake" ] && [ "$told" -gt $((faults / 2)) ]; then
		wake=
		tell make wake=1
		tell unmake
	fi
done
tell end

counts after

# ---- what KVM does seldom ----
# Again, should a page have been wanted back just then.
before=
after=none
until [ "$before" = "$after" ]; do
	before=$(hits nested/told "told == 1")
	tell write reset 1
	counts zero
	after=$(hits nested/told "told == 1")
done
tell make early=50
counts early
tell unmake
tell make hold=20
counts hold
tell unmake
counts woken

# ---- the end ----
tell show status
tell show idt/check
# The module goes while tasks sleep in the function that it probes, and they return then.
tell make hold=20
tell show async_pf >/run/waiting
grep -qx 'inner async_pf: count waiting 20' /run/waiting || fail "20 tasks do not wait"
tell unload
tell unmake
echo "outer woken without the module"
echo off >&3
wait "$qemu"
qemu=
echo "outer over"
