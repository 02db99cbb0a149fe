#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # $args and the like are for bpftrace and tracefs
# What 'make bench' runs in the guest: the fault loops under each peer, then what else
# docs/bench.md shows. Prints records for bench/report.awk:
#
#   loop PEER LOOP FAULTS LEAST ALL WHOLE   as bench/loops.c says
#   loop PEER total FAULTS
#   seen PEER FAULTS                  how many faults the peer itself reports
#   failed PEER REASON
#   rows PARAMETER BYTES                 memory_bytes in status
#   read FILE LINES BYTES INSTRUCTIONS
#   wait FILE LEAST MOST
#   status ITEM VALUE                 of trapscope, after its loops
#   version TOOL VERSION
set -u

# programs, floor.ko and trapscope.ko
here=$(cd "$(dirname "$0")" && pwd)
debug=/sys/kernel/debug/trapscope
tracing=/sys/kernel/tracing
export PATH="/usr/bin:/usr/sbin:$PATH"
# What the tools write has to fit, beside what the storm needs.
work=/tmp/bench
mkdir -p $work

say() {
	echo "bench: $*" >&2
}

failed() {
	say "$1 failed: $2"
	echo "failed $1 $2"
}

# What the log gives as reason: an error if it names one, else its last line.
reason() {
	grep -E 'ERROR|[Ee]rror:' $work/log | head -n 1 | cut -c 1-200 | grep . ||
		grep -v '^$' $work/log | tail -n 1 | cut -c 1-200
}

# under PEER COMMAND...: the loops, started by a tool that follows a command; what it
# prints goes to $work/log
under() {
	peer=$1
	shift
	say "$peer"
	rm -f $work/result
	if "$@" "$here/loops" $work/result >$work/log 2>&1 && [ -s $work/result ]; then
		sed "s/^/loop $peer /" $work/result
		return 0
	fi
	failed "$peer" "$(reason)"
	return 1
}

# apart PEER LOOP...: loops that are not among those for every peer
apart() {
	peer=$1
	shift
	rm -f $work/result
	"$here/loops" $work/result "$@" >$work/log 2>&1 || failed "$peer" "$(tail -n 1 $work/log)"
	sed "s/^/loop $peer /" $work/result
}

say "swap on zram, 70,000 mappings, the same addresses, files page by page"
echo 96M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
echo 0 >/proc/sys/vm/page-cluster
echo 70000 >/proc/sys/vm/max_map_count
# The same addresses in each run: some kernel structures are of another shape otherwise.
echo 0 >/proc/sys/kernel/randomize_va_space
# A fault on a file maps one page.
echo 4096 >/sys/kernel/debug/fault_around_bytes

under none env
apart none storm-1 storm-60000

# ---- trapscope ----

# item NAME: its value in status
item() {
	awk -v name="$1" '$1 == name { print $2 }' $debug/status
}

faults() {
	awk '$1 == "total" { print $3 }' $debug/faults
}

insmod "$here/trapscope.ko" rows=16384
echo "rows 16384 $(item memory_bytes)"
rmmod trapscope
insmod "$here/trapscope.ko" rows=131072
echo "rows 131072 $(item memory_bytes)"
before=$(faults)
under trapscope env
echo "seen trapscope $(($(faults) - before))"
apart trapscope storm-1 storm-60000
echo "status faults_without_row $(item faults_without_row)"
echo "status missed $(item missed)"
echo 1 >$debug/reset
say "reading vmas and smaps with 60,000 mappings"
rm -f $work/result
"$here/read" $work/result 60000 $debug/vmas /proc/self/smaps && sed 's/^/read /' $work/result
say "faults while vmas is read"
rm -f $work/result
"$here/wait" $work/result /proc/version && "$here/wait" $work/result $debug/vmas &&
	sed 's/^/wait /' $work/result
echo 0 >$debug/enable
under disabled env
rmmod trapscope
under unloaded env

# ---- the floors ----

for kind in kprobe kretprobe fprobe; do
	if insmod "$here/floor.ko" kind=$kind; then
		under floor-$kind env
		rmmod floor
	else
		failed floor-$kind "the module did not load: $(dmesg | tail -n 1)"
	fi
done

# ---- perf ----

if [ -e /sys/kernel/btf/vmlinux ]; then
	echo "version btf yes"
else
	echo "version btf no"
fi
echo "version perf $(perf --version 2>/dev/null | awk '{ print $NF }')"
echo "version bpftrace $(bpftrace --version 2>/dev/null | awk '{ print $NF }')"
echo "version trace-cmd $(trace-cmd --help 2>/dev/null | awk '/version/ { print $3; exit }')"

if under perf-stat perf stat -e minor-faults --; then
	echo "seen perf-stat $(tr -d , <$work/log | awk '/minor-faults/ { print $1; exit }')"
fi
if under perf-record perf record -q -c 1 -d -e page-faults -o $work/data --; then
	echo "seen perf-record $(perf report -i $work/data --stats 2>/dev/null |
		awk '/SAMPLE events:/ { print $3; exit }')"
fi
rm -f $work/data
if under perf-trace perf trace -F all --no-syscalls -o $work/data --; then
	echo "seen perf-trace $(grep -c 'fault \[' $work/data)"
fi
rm -f $work/data

# ---- ftrace ----

# events PEER: how many events the ring buffer took
events() {
	echo "seen $1 $(awk '/^(entries|overrun):/ { sum += $2 } END { print sum }' \
		$tracing/per_cpu/cpu0/stats)"
}

if trace-cmd start -e exceptions:page_fault_user >$work/log 2>&1; then
	under exceptions env && events exceptions
else
	failed exceptions "$(tail -n 1 $work/log)"
fi
trace-cmd reset >/dev/null 2>&1

probe='p:bench/fault handle_mm_fault start=vma->vm_start:x64 address=address:x64 flags=flags:x32'
if echo "$probe" 2>$work/log >$tracing/kprobe_events &&
   trace-cmd start -e bench:fault >$work/log 2>&1; then
	under kprobe-event env && events kprobe-event
	trace-cmd stop >/dev/null 2>&1
	echo 0 >$tracing/events/bench/enable
	if echo 'hist:keys=common_pid,start' 2>$work/log >$tracing/events/bench/fault/trigger; then
		under kprobe-hist env && echo "seen kprobe-hist $(awk '/Hits:/ { print $2 }' \
			$tracing/events/bench/fault/hist)"
	else
		failed kprobe-hist "$(tail -n 1 $work/log)"
	fi
else
	failed kprobe-event "$(tail -n 1 $work/log)"
	failed kprobe-hist "the event is missing"
fi
trace-cmd reset >/dev/null 2>&1

# ---- bpftrace ----

# Older ones have other words for fentry and fexit.
fentry=fentry fexit=fexit
case $(bpftrace --version 2>/dev/null) in
*v0.[0-9].* | *v0.1[0-8].*) fentry=kfunc fexit=kretfunc ;;
esac

# bpf PEER PROGRAM
bpf() {
	if under "$1" bpf_run "$2"; then
		# The program's counts are printed when it ends; hists are not counted.
		echo "seen $1 $(awk '/^@(|rows\[.*\]): [0-9]+$/ { sum += $NF } END { print sum + 0 }' $work/log)"
	fi
}

bpf_run() {
	program=$1
	shift
	bpftrace -e "$program" -c "$*"
}

export BPFTRACE_MAP_KEYS_MAX=65536
bpf bpftrace-kprobe 'kprobe:handle_mm_fault { @ = count(); }'
bpf bpftrace-fexit "$fexit:handle_mm_fault
	{ @rows[pid, args->vma->vm_start, retval] = count(); }"
bpf bpftrace-fentry-fexit "$fentry:handle_mm_fault { @begin[tid] = nsecs; }
	$fexit:handle_mm_fault /@begin[tid]/ {
		@rows[pid, args->vma->vm_start] = count();
		@ns = hist(nsecs - @begin[tid]);
		delete(@begin[tid]);
	}"
bpf bpftrace-kprobe-kretprobe 'kprobe:handle_mm_fault {
		@begin[tid] = nsecs;
		@vma[tid] = ((struct vm_area_struct *)arg0)->vm_start;
	}
	kretprobe:handle_mm_fault /@begin[tid]/ {
		@rows[pid, @vma[tid]] = count();
		@ns = hist(nsecs - @begin[tid]);
		delete(@begin[tid]);
		delete(@vma[tid]);
	}'

# The same as at first, or something that a peer did is still there.
under none-again env
