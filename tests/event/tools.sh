#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The events in perf, trace-cmd and bpftrace: names, stacks, and for one process as
# many as the module counts. Each tool that the guest has not is skipped.
# shellcheck disable=SC2317,SC2016 # functions that check calls; $1 is for the tool
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

export PATH="/usr/bin:/usr/sbin:$PATH"
tracing=/sys/kernel/tracing
[ -d $tracing/events/trapscope ] || ktap_skip_all "no $tracing/events/trapscope: load trapscope"
[ -e "$module" ] || ktap_skip_all "no $module to load again"

has() {
	command -v "$1" >/dev/null
}
has perf || has trace-cmd || has bpftrace ||
	ktap_skip_all "neither perf, trace-cmd nor bpftrace is in the guest: see docs/tests.md"

work=$(mktemp -d)
session=
restore() {
	[ -z "$session" ] || kill "$session" 2>/dev/null
	rm -rf "$work"
	[ -d "$trapscope" ] || insmod "$module"
}
trap restore EXIT
cd "$work" || exit 1

ktap_plan 9

# What the tools watch: its process is known, and all of its life is in between.
cat >"$work/load" <<END
ls -l /bin /proc/self >/dev/null &
echo \$! >$work/pid
wait
END

# counted: the faults of that process, as the module has them
counted() {
	awk -v pid="$(cat "$work/pid")" '$1 == pid { print $3 }' "$trapscope/processes"
}

# as_many EVENTS
as_many() {
	wanted=$(counted)
	[ "$1" = "$wanted" ] || { diag "$1 events of ${wanted:-no} faults"; return 1; }
}

# quietly OUTPUT COMMAND...: what it has to say besides is shown if it fails
quietly() {
	output=$1
	shift
	"$@" >"$output" 2>log || { sed 's/^/# /' log; return 1; }
}

# all_named FILE: every event has the names of its class, flags and result
all_named() {
	! grep 'class=' "$1" | grep -vE 'class=[a-z][a-z-]+ address=0x[0-9a-f]+ ip=0x[0-9a-f]+ flags=[A-Z_|]+ result=([A-Z_|]+|none) ' |
		sed 's/^/# /' | grep .
}

perf_record() {
	quietly output perf record -q -a -c 1 -g -m 1024 -e trapscope:fault -o data -- \
		sh "$work/load" && quietly script perf script -i data &&
		as_many "$(grep -c "trapscope:fault: .* tgid=$(cat pid) " script)" &&
		all_named script
}

# A stack of the kernel's part: the fault, then the program.
perf_stack() {
	awk '
		/trapscope:fault:/ { if (entry && !below) bad++; entry = below = 0; user = / flags=[^ ]*USER/ }
		entry && NF { below = 1 }
		user && /asm_exc_page_fault/ { entry = 1; n++ }
		END { exit !(n > 0 && bad == 0) }' script || { sed -n '1,15s/^/# /p' script; false; }
}

perf_stat() {
	quietly output perf stat -a -x , -o counts -e trapscope:fault -- sh "$work/load" &&
		awk -F , -v least="$(counted)" '$3 == "trapscope:fault" { n = $1 } END { exit !(n >= least) }' counts
}

perf_trace() {
	quietly output perf trace --libtraceevent_print -e trapscope:fault -o traced ls / &&
		grep -q 'trapscope:fault(class=[a-z-]* address=' traced && all_named traced
}

if has perf; then
	check "perf record, perf script: names, and one for each fault" perf_record
	check "perf record -g: from the fault to the program" perf_stack
	check "perf stat" perf_stat
	check "perf trace" perf_trace
else
	for case in "perf record, perf script" "perf record -g" "perf stat" "perf trace"; do
		skip "$case" "no perf in the guest"
	done
fi

trace_cmd() {
	quietly output trace-cmd record -q -b 16384 -e trapscope:fault \
		-e trapscope:kernel_fault -o data.dat sh "$work/load" &&
		quietly report trace-cmd report -i data.dat &&
		as_many "$(grep -c " fault: .* tgid=$(cat pid) " report)" && all_named report
}

if has trace-cmd; then
	check "trace-cmd record, trace-cmd report: names, and one for each fault" trace_cmd
else
	skip "trace-cmd record, trace-cmd report" "no trace-cmd in the guest"
fi

bpftrace_counts() {
	quietly output bpftrace -e 'tracepoint:trapscope:fault { @[args->tgid] = count(); }' \
		-c "/bin/sh $work/load" &&
		as_many "$(awk -v key="@[$(cat pid)]:" '$1 == key { print $2 }' output)"
}

bpftrace_classes() {
	quietly output bpftrace -e 'tracepoint:trapscope:fault { @[args->class] = hist(args->latency_ns); }
		tracepoint:trapscope:kernel_fault { @refused[args->place] = count(); }' \
		-c "/bin/sh $work/load" && grep -q '^@\[[0-9]*\]:' output
}

atomic() {
	awk '$2 == "atomic" { print $3 }' "$trapscope/kernel"
}

# Each read of what was refused is refused as well.
bpftrace_reads() {
	before=$(atomic)
	quietly output bpftrace -e 'tracepoint:trapscope:kernel_fault /args->place == 8/ {
			@read = *(uint8 *)uptr(args->address); @reads = count(); }
		tracepoint:trapscope:kernel_fault /args->place == 10/ { @others = count(); }' \
		-c "$here/../kernel/bad_area"
	reads=$(awk '$1 == "@reads:" { print $2 }' output)
	others=$(awk '$1 == "@others:" { print $2 }' output)
	grown=$(($(atomic) - before))
	[ "${reads:-0}" -gt 0 ] && [ "$grown" -ge $((reads + others)) ] && return
	diag "${reads:-no} reads, ${others:-no} others, atomic grew by $grown"
	return 1
}

if ! has bpftrace; then
	why="no bpftrace in the guest"
elif [ ! -e /proc/sys/kernel/unprivileged_bpf_disabled ]; then
	why="this kernel has no BPF: FLAVOUR=bench has"
else
	why=
fi
if [ -z "$why" ]; then
	check "bpftrace: one for each fault" bpftrace_counts
	check "bpftrace: both events, by number" bpftrace_classes
	check "bpftrace: a kernel_fault whose program reads bad memory" bpftrace_reads
else
	skip "bpftrace: one for each fault" "$why"
	skip "bpftrace: both events, by number" "$why"
	skip "bpftrace: a kernel_fault whose program reads bad memory" "$why"
fi

# A session of any tool keeps the module.
in_session() {
	perf record -q -a -c 1 -e trapscope:fault -o data -- sleep 60 >log 2>&1 &
	session=$!
	for i in $(seq 100); do
		[ "$(cat /sys/module/trapscope/refcnt)" -eq 0 ] || break
		sleep 0.1
	done
	if rmmod trapscope 2>error; then
		diag "rmmod took it away from a session ($i)"
		return 1
	fi
	kill -INT "$session"
	wait "$session"
	session=
	grep -q 'temporarily unavailable' error && rmmod trapscope && insmod "$module"
}
if has perf; then
	check "rmmod says that a session is open, and works when it is closed" in_session
else
	skip "rmmod while a session is open" "no perf in the guest"
fi

ktap_end
