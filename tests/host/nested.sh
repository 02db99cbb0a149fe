#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # functions that check calls
# A guest of KVM in a guest: what async_pf counts in the inner one, against what KVM
# counts in the outer one. NESTED_FAULTS: how many there have to be (300); NESTED_MIB: the size of each of the
# two programs (24).
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

faults=${NESTED_FAULTS:-300}
size=${NESTED_MIB:-24}
paths=scripts/setup/paths
kernel=$("$paths" kernel)
ktap_work nested

# What the inner guest is made of: busybox, and a first process of its own.
mkdir -p "$work/inner" "$work/guest/nested/firmware"
cp tests/nested/inner.sh "$work/inner/init"
cp "$("$paths" tests)/nested/touch" "$("$paths" module)" \
	"$("$paths" tests-modules)/nested/kvm/kvm.ko" "$work/inner/" || exit 1
chmod 755 "$work/inner/init"
scripts/guest/mkinitramfs "$work/base" "$(command -v busybox)" || exit 1
{
	cat "$work/base"
	(cd "$work/inner" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0)
} >"$work/guest/nested/inner.cpio"

# And the outer one: this machine's QEMU, KVM, the same kernel for both.
scripts/pack "$work/guest" qemu-system-x86_64 || exit 1
for file in bios-256k.bin linuxboot_dma.bin kvmvapic.bin; do
	for folder in /usr/share/seabios /usr/share/qemu; do
		[ ! -e "$folder/$file" ] || cp -L "$folder/$file" "$work/guest/nested/firmware/"
	done
	[ -e "$work/guest/nested/firmware/$file" ] || {
		echo "nested: there is no $file: install the packages seabios and qemu-system-data" >&2
		exit 1
	}
done
cp "$kernel/arch/x86/boot/bzImage" tests/nested/outer.sh "$work/guest/nested/" || exit 1
find "$kernel/arch/x86/kvm" "$kernel/virt" -name '*.ko' -exec cp {} "$work/guest/nested/" \;
truncate -s 1G "$work/swap"

# QEMU loses an interrupt now and then where it emulates SVM (docs/tests.md): with a tick that
# comes by itself nobody waits for it.
scripts/vm exec --cpu EPYC --smp 1 --mem 3G --no-module --add "$work/guest:/" \
	--append "kunit.enable=0 nohz=off highres=off" \
	--qemu -drive --qemu "file=$work/swap,format=raw,if=virtio,cache=unsafe" \
	-- "sh /nested/outer.sh $faults $size" >"$work/said" 2>"$work/errors"
status=$?
[ -z "${NESTED_LOG:-}" ] || cp "$work/said" "$NESTED_LOG"
! grep '^outer skip' "$work/said" >"$work/skip" ||
	ktap_skip_all "$(sed 's/^outer skip //' "$work/skip")"

ktap_plan 26

# outer MARK NAME: what KVM had counted by then. A mark may be made again: the last holds.
outer() {
	awk -v mark="$1" -v name="$2" '$1 == "outer" && $2 == mark && $3 == name { last = $4 }
		END { print last }' "$work/said"
}

# inner MARK KIND NAME: what async_pf said by then, added up
inner() {
	awk -v mark="$1" -v kind="$2" -v name="$3" '
		$1 != "inner" { next }
		$2 == "mark" && (here = $3 == mark) { sum = 0 }
		here && $2 == "async_pf:" && $3 == kind && (name == "*" || $4 == name) { sum += $5; found = 1 }
		END { if (found) print sum }' "$work/said"
}

# grew NAME: what KVM counted while the memory went
grew() {
	echo $(($(outer after "$1") - $(outer before "$1")))
}

# count NAME: what async_pf counted meanwhile
count() {
	echo $(($(inner after count "$1") - $(inner before count "$1")))
}

# same WHAT NUMBER NUMBER
same() {
	if ! [[ $2 =~ ^-?[0-9]+$ && $3 =~ ^-?[0-9]+$ ]] || [ "$2" -ne "$3" ]; then
		diag "$1: ${2:-none} and ${3:-none}"
		return 1
	fi
}

over() {
	if [ "$status" -ne 0 ] || ! grep -qx 'outer over' "$work/said"; then
		diag "status $status"
		sed 's/^/# /' "$work/errors"
		grep '^outer failed' "$work/said" | sed 's/^/# /'
		grep '^console' "$work/said" | tail -n 5 | sed 's/^/# /'
		return 1
	fi
}
check "both guests do what they are told" over
# Otherwise there is nothing to compare.
[ "$ktap_failed" -eq 0 ] || ktap_end

says() {
	grep -qE "^inner $1\$" "$work/said" || {
		diag "no line $1"
		grep -E "^inner (${1%%:*}):" "$work/said" | head -n 20 | sed 's/^/# /'
		false
	}
}
check "it is a guest of KVM" says "async_pf: guest kvm 1"
check "KVM offers it" says "async_pf: offered async-pf 1"
check "with an interrupt for what is ready" says "async_pf: offered async-pf-int 1"
# Of QEMU's versions some offer that one too; the kernel takes it then.
mode=
! grep -q '^inner async_pf: offered async-pf-vmexit 1' "$work/said" || mode=' as-vmexit'
check "the processor has it on" says "async_pf: cpu 0 on vector=243$mode"
check "not-present is a page fault" says "async_pf: vector not-present 14 asm_exc_page_fault\+0x0"
check "ready is the hypervisor's interrupt" \
	says "async_pf: vector ready 243 asm_sysvec_kvm_asyncpf_interrupt\+0x0"
check "the hook on waits is attached and misses nothing" \
	says "status: hook:kvm_async_pf_task_wait_schedule attached kretprobe missed=0"
check "the hook on what is ready is attached" \
	says "status: hook:__sysvec_kvm_asyncpf_interrupt attached ftrace missed=0"

check "idt/check has nothing to say about that" says "idt/check: OK"

many() {
	diag "KVM: $(grew not_present) not present, of which $(grew told) told, $(grew ready) ready, $(grew broadcast) broadcasts"
	diag "async_pf: $(count not-present) not-present, $(count ready) ready, $(count broadcast) broadcasts that woke" \
		"$(count broadcast-woken), $(count unmatched) unmatched, $(count early) early"
	[ "$(grew told)" -ge "$faults" ] && same "lost by KVM's histograms" "$(grep -c '^outer.* lost$' "$work/said")" 0
}
check "$faults of them and more" many

# KVM's event comes for each page that has to be fetched. It can tell the guest of those
# that user mode wants; for the others the virtual processor waits.
not_present() {
	same "KVM's, and those told and not told" "$(grew not_present)" "$(($(grew told) + $(grew not_told)))" &&
		same "not-present, and KVM's that it told" "$(count not-present)" "$(($(grew not_present) - $(grew not_told)))"
}
check "not-present is kvm_async_pf_not_present, less those that the guest was not told" not_present

ready() {
	same "ready, and KVM's of those it told" "$(count ready)" "$(($(grew ready) - $(grew not_told)))"
}
check "ready is kvm_async_pf_ready, less the same" ready

broadcast() {
	same "broadcasts" "$(count broadcast)" "$(grew broadcast)" && [ "$(count broadcast)" -gt 0 ]
}
check "broadcasts are kvm_async_pf_ready with the token for all" broadcast

# hyp MARK: the row of /proc/interrupts
hyp() {
	awk -v mark="$1" '$1 != "inner" { next }
		$2 == "mark" { here = $3 == mark }
		here && $2 == "hyp" { last = $3 }
		END { print last }' "$work/said"
}
interrupts() {
	same "interrupts, and ready with broadcasts" "$(($(hyp after) - $(hyp before)))" \
		"$(($(count ready) + $(count broadcast)))"
}
check "each of both is an interrupt of /proc/interrupts" interrupts

every_end() {
	same "tasks that wait" "$(inner after count waiting)" 0 &&
		same "waits that ended, and began" "$(count ended)" "$(count not-present)" &&
		same "unfinished" "$(inner after count unfinished)" 0
}
check "every wait came to its end" every_end

sum() {
	same "the histogram's sum, and waits" "$(inner after wait '*')" "$(inner after count not-present)"
}
check "the histogram adds up to them" sum

# A broadcast ends waits before their pages are ready: then nobody waits for these.
matched() {
	same "untracked" "$(count untracked)" 0 &&
		same "woken by their pages, and ended so" "$(($(count ready) - $(count unmatched)))" \
			"$(($(count ended) - $(count early) - $(count broadcast-woken)))" &&
		same "ready for nobody, and woken by broadcasts or early" "$(count unmatched)" \
			"$(($(count broadcast-woken) + $(count early)))"
}
check "each was woken by its own page or by a broadcast" matched

# The longest are in order, and in the highest bucket.
longest() {
	awk '$1 != "inner" { next }
		$2 == "mark" { here = $3 == "after" }
		!here || $2 != "async_pf:" { next }
		$3 == "wait" { split($4, edge, "-") }
		$3 == "longest" {
			n++
			if ($4 != n || (n > 1 && $5 > last)) bad = 1
			if (n == 1 && ($5 < edge[1] || $5 >= edge[2])) bad = 1
			last = $5
			if ($6 !~ /^pid=[1-9][0-9]*$/ || $7 !~ /^tid=[1-9][0-9]*$/ ||
			    $8 !~ /^ip=0x[1-9a-f][0-9a-f]*$/ || $9 !~ /^comm=[!-~]+$/) bad = 1
			if ($9 == "comm=touch") touches++
		}
		END { exit bad || n != 8 || !touches }' "$work/said" ||
		{ grep '^inner async_pf: longest' "$work/said" | sed 's/^/# /'; false; }
}
check "the longest waits, of whom and from where" longest

# is MARK NAME=COUNT...: since the reset, besides what KVM sent
is() {
	local mark=$1 pair sent
	shift
	for pair in "$@"; do
		sent=0
		case $pair in
		not-present=* | ready=* | ended=*) sent=$(($(outer "$mark" told) - $(outer zero told))) ;;
		esac
		same "$mark: ${pair%=*}" "$(inner "$mark" count "${pair%=*}")" $((${pair#*=} + sent)) || return
	done
}
check "reset sets all to zero" is zero waiting=0 ended=0 early=0 broadcast=0 broadcast-woken=0 \
	unmatched=0 ready=0 not-present=0 unfinished=0 untracked=0
check "50 pages that are ready before the wait" is early waiting=0 ended=50 early=50 broadcast=0 \
	unmatched=50 ready=50 not-present=50 untracked=0
check "20 tasks that wait" is hold waiting=20 ended=50 early=50 not-present=70 ready=50
check "one message wakes them" is woken waiting=0 ended=70 early=50 broadcast=1 broadcast-woken=20 \
	unmatched=50 ready=50 not-present=70 untracked=0

check "rmmod with 20 tasks that wait: they are woken all the same" \
	grep -qx 'outer woken without the module' "$work/said"

whole() {
	[ "$(grep -c '^inner touched [1-9]' "$work/said")" -eq 2 ]
}
check "the programs' memory is what they wrote" whole

silent() {
	sed -n 's/^console //p' "$work/said" >"$work/console"
	grep -q 'Linux version' "$work/console" && scripts/guest/complaints.awk "$work/console" >"$work/complaints" && return
	head -n 20 "$work/complaints" | sed 's/^/# /'
	false
}
check "the inner kernel has no complaint" silent
ktap_end
