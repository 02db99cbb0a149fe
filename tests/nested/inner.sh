#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# First process of the inner guest: does what the outer one tells it on the second
# serial port. Each answer ends in a line "done STATUS".
set -u

export PATH=/bin
trapscope=/sys/kernel/debug/trapscope
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
dmesg -n 8
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo

# Two programs, so that one can run while the other waits; they have SIZE MiB each.
touchers=
begin() {
	for seed in 1 2; do
		/touch "$1" "$seed" >"/tmp/$seed" 2>&1 &
		touchers="$touchers $!"
	done
	for seed in 1 2; do
		while ! grep -q filled "/tmp/$seed"; do usleep 100000; done
	done
}

end() {
	# shellcheck disable=SC2086 # a list
	kill $touchers
	bad=0
	for pid in $touchers; do
		wait "$pid" || bad=1
	done
	touchers=
	cat /tmp/1 /tmp/2
	return "$bad"
}

show() {
	sed "s|^|$1: |" "$trapscope/$1"
}

interrupts() {
	awk '$1 == "HYP:" { for (i = 2; $i ~ /^[0-9]+$/; i++) sum += $i; print "hyp " sum + 0 }' /proc/interrupts
}

load() {
	mkdir -p /tmp
	interrupts
	insmod /trapscope.ko
}

status=0
while echo "done $status" && read -r word argument; do
	status=0
	case $word in
	load) load ;;
	begin) begin "$argument" ;;
	end) end ;;
	make) insmod /kvm.ko "$argument" ;;
	unmake) rmmod kvm ;;
	show) show "$argument" ;;
	interrupts) interrupts ;;
	write) echo "${argument#* }" >"$trapscope/${argument%% *}" ;;
	unload) rmmod trapscope ;;
	off) poweroff -f ;;
	*) false ;;
	esac || status=$?
done
