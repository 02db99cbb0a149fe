#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What 'make run' looks at: ordinary programs that run out of memory and swap,
# and a tour of every family of faults. Runs in the guest, beside tour.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

step() {
	echo "workload: $1"
}

step "swap on zram, an ext2 file system in memory, huge pages, quick NUMA scans"
echo 96M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
mke2fs -q /dev/ram0 16384 >/dev/null
mkdir -p /tmp/disk /tmp/cgroup
mount -t ext2 /dev/ram0 /tmp/disk
echo 4 >/proc/sys/vm/nr_hugepages
# Linux switches these off by itself in less than 512 MiB.
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
if [ -d /sys/kernel/debug/sched/numa_balancing ]; then
	echo 20 >/sys/kernel/debug/sched/numa_balancing/scan_delay_ms
	echo 20 >/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms
fi
mount -t cgroup2 none /tmp/cgroup
echo +memory >/tmp/cgroup/cgroup.subtree_control
mkdir /tmp/cgroup/small
echo 8M >/tmp/cgroup/small/memory.max

step "sort 200,000 lines in 8 MiB of memory, then gzip"
(
	echo 0 >/tmp/cgroup/small/cgroup.procs
	# Numbers written backwards are in no order.
	seq 1000000000000001 1000000000200000 | rev >/tmp/disk/lines
	sort /tmp/disk/lines >/tmp/disk/sorted
	gzip -c /tmp/disk/sorted >/tmp/disk/sorted.gz
)
gunzip -c /tmp/disk/sorted.gz | cmp - /tmp/disk/sorted

step "a shell that starts programs"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	env true
	echo "$_" | sed s/1/2/ >/dev/null
done

step "a tour of every family"
"$here/tour" /tmp/disk

step "a kernel access to a vmalloc address that is not mapped"
cd /sys/kernel/tracing
# Where the vmalloc area begins is random; the kernel's own variable tells.
echo 'p:trapscope_base do_sys_openat2 base=@vmalloc_base:x64' >kprobe_events
echo 1 >events/kprobes/trapscope_base/enable
cat /dev/null
base=$(sed -n 's/.* base=0x\([0-9a-f]*\).*/\1/p' trace | head -n 1)
echo 0 >events/kprobes/trapscope_base/enable
# 16 TiB on there is nothing in a guest this small. The sum is done on the upper
# half, since the shell's numbers are signed.
upper=${base%????????}
address=$(printf '0x%x%s' $((0x$upper + 0x1000)) "${base#"$upper"}")
echo "p:trapscope_hole do_sys_openat2 hole=@$address:x64" >kprobe_events
echo 1 >events/kprobes/trapscope_hole/enable
cat /dev/null
echo 0 >events/kprobes/trapscope_hole/enable
echo >kprobe_events
