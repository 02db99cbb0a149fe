#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of expect
# scripts/vm: exit statuses, what it prints, its options, and that it notices every
# way in which a guest goes wrong.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work vm-test
unset SMP MEM CPU APPEND
status=-

# vm ARGUMENT...: leaves $status, and its output in $work/out and $work/err
vm() {
	scripts/vm "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

# expect NAME CONDITION...: a case; shows what came out if it fails
expect() {
	local name=$1
	shift
	if "$@"; then
		ok "$name"
		return
	fi
	echo "# condition: $*; status $status"
	head -n 20 "$work/out" | sed 's/^/# stdout: /'
	head -n 20 "$work/err" | sed 's/^/# stderr: /'
	not_ok "$name"
}

ended() { [ "$status" -eq "$1" ]; }
printed() { [ "$(cat "$work/out")" = "$1" ]; }
complained() { grep -q -- "$1" "$work/err"; }

ktap_plan 41

# Those that take long, all at once; looked at further down.
(
	# shellcheck source=scripts/setup/lib.sh
	. scripts/setup/lib.sh
	# shellcheck source=scripts/setup/places.sh
	. "$setup/places.sh"
	# shellcheck source=scripts/setup/kbuild.sh
	. "$setup/kbuild.sh"
	find_rust
	find_kernel
	mkdir -p "$work/provoke"
	kmake -C "$kernel" M="$PWD/tests/host/provoke" MO="$work/provoke" modules
) >"$work/build.log" 2>&1
expect "the module that provokes is built" test -f "$work/provoke/provoke.ko"
for what in warn oops softlockup irqs-off; do
	{
		scripts/vm exec --no-module --add "$work/provoke/provoke.ko" -- \
			"echo before; insmod provoke.ko what=$what; sync; echo after" \
			>"$work/$what.out" 2>"$work/$what.err"
		echo $? >"$work/$what.status"
	} &
done

for bad in "" "nonsense" "exec" "exec --nonsense -- true" "exec true" "exec --" \
	"exec --smp 0 -- true" "exec --mem lots -- true" "exec --cpu" \
	"exec --qemu" "exec --add /nonexistent -- true" "exec --kernel /nonexistent -- true" "shell -- true"; do
	# shellcheck disable=SC2086 # these are words
	vm $bad
	expect "wrong usage: '$bad'" ended 64
done

vm exec --no-module --cpu nonsense -- true
expect "an unknown processor is wrong usage" ended 64

vm exec --no-module -- 'echo out; echo err >&2; echo again >/dev/stdout; exit 3'
expect "the status is the command's" ended 3
expect "stdout is what the command prints" printed "out
again"
expect "stderr is apart" test "$(cat "$work/err")" = err

# shellcheck disable=SC2016 # for the guest's shell
vm exec --no-module -- sh -c 'echo "$0|$1"; exit 7' "it's" 'a  b; c'
expect "words arrive as they are" printed "it's|a  b; c"

dd if=/dev/urandom of="$work/random" bs=1M count=8 2>/dev/null
mkdir -p "$work/folder/below"
echo inside >"$work/folder/below/file"
vm exec --no-module --add "$work/random" --add "$work/folder:/some/where" -- cat /random
expect "8 MiB of any bytes come out the same" cmp -s "$work/random" "$work/out"
vm exec --no-module --add "$work/folder:/some/where" -- 'cat /some/where/below/file; head -c 100000000 /dev/zero'
expect "a folder is added; 100 MB come out whole" \
	test "$(wc -c <"$work/out")-$(head -n 1 "$work/out")" = 100000007-inside

vm exec --no-module --smp 3 --mem 300M --append "one=1 two=2" -- \
	'nproc; grep -o "one=1 two=2" /proc/cmdline; free -m | grep -c "^Mem: *2[0-9][0-9] "'
expect "--smp, --mem, --append" printed "3
one=1 two=2
1"
SMP=1 MEM=200M APPEND="three=3" vm exec --no-module -- \
	'nproc; grep -o "three=3" /proc/cmdline; free -m | grep -c "^Mem: *1[0-9][0-9] "'
expect "SMP, MEM, APPEND" printed "1
three=3
1"
vm exec --no-module --icount -- 'nproc; exit 5'
expect "--icount has one processor" printed 1
expect "--icount passes the status" ended 5

# A second serial port, on which the guest waits for a line from here.
mkfifo "$work"/port.{in,out}
exec 8<>"$work/port.in" 9<>"$work/port.out"
# shellcheck disable=SC2016 # for the guest's shell
scripts/vm exec --no-module --qemu -serial --qemu "pipe:$work/port" -- \
	'exec 3<>/dev/ttyS1; echo ready >&3; read -r line <&3; echo "$line"' \
	>"$work/out" 2>"$work/err" </dev/null &
pid=$!
read -r -t 60 answer <&9
echo "a line" >&8
wait "$pid"
status=$?
exec 8>&- 9>&-
expect "--qemu: another serial port comes behind the console" test "${answer%$'\r'}" = ready
expect "and the guest waits there for a line" printed "a line"
vm exec --no-module --qemu -nonsense -- true
expect "--qemu: what QEMU does not know is wrong usage" ended 64

vm exec --no-module -- 'sleep 1000 & echo done'
expect "a process left in the background doesn't hold up the end" printed "done"

# Under memory pressure the kernel prints stack traces that are no complaint.
vm exec --no-module --mem 200M -- 'tail /dev/zero; dmesg | grep -c "invoked oom-killer"'
expect "the OOM killer is no complaint" test "$status-$(cat "$work/out")" = 0-1

vm exec --no-module -- 'poweroff -f'
expect "a guest that powers itself off is one that died" ended 71
expect "and that is said" complained "went down before the command ended"

# The set-up in a cache of its own, with a module that is none.
mkdir -p "$work/cache"
kernel=$(scripts/setup/paths kernel)
module=$(XDG_CACHE_HOME=$work/cache KDIR=$kernel scripts/setup/paths module)
mkdir -p "$(dirname "$module")"
echo "no module" >"$module"
XDG_CACHE_HOME=$work/cache vm exec --kernel "$kernel" -- 'echo not reached'
expect "a module that does not load" ended 72
expect "keeps the command from running" printed ""

# A reader that goes away ends it; killing it takes QEMU along.
scripts/vm exec --no-module -- yes 2>"$work/err" | head -n 1 >"$work/out"
status=${PIPESTATUS[0]}
expect "a reader that goes away ends the run" ended 141
mkdir "$work/killed"
TMPDIR=$work/killed scripts/vm exec --no-module -- 'echo up; sleep 1000' >"$work/out" &
pid=$!
while ! grep -q up "$work/out"; do sleep 0.2; done
kill -TERM $pid
wait $pid
status=$?
# QEMU has the path of its channels on its command line; [k] keeps grep from
# finding itself.
left() { grep -al "$work/[k]illed" /proc/[0-9]*/cmdline 2>/dev/null; }
expect "a killed run leaves no QEMU" test -z "$(left)"
expect "and no files" test -z "$(ls "$work/killed")"

wait
for what in warn oops softlockup irqs-off; do
	cp "$work/$what.out" "$work/out"
	cp "$work/$what.err" "$work/err"
	status=$(cat "$work/$what.status")
	case $what in
	warn)
		expect "WARN: 70, complaint shown, command carried on" test \
			"$status $(grep -c '^WARNING: ' "$work/err") $(tail -n 1 "$work/out")" = "70 1 after" ;;
	oops) expect "oops: 70" ended 70 ;;
	softlockup) expect "soft lockup: 70" ended 70 ;;
	irqs-off) expect "hang with interrupts off: 71" ended 71 ;;
	esac
done
ktap_end
