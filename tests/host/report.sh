#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2317 # conditions are called by way of check
# scripts/report: what it makes of sample files, with busybox as in the guest.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=tests/lib/ktap.sh
. tests/lib/ktap.sh

ktap_work report-test

# Every class with a count: the longest report there can be.
awk 'BEGIN {
	print "# family class completed major retries share p50_ns p99_ns user kernel remote read write exec vma_lock"
	n = split("demand:anon-zero anon-alloc anon-huge file-read file-write hugetlb special|" \
		"cow:cow-file cow-copy cow-reuse cow-zero cow-huge cow-hugetlb cow-unshare write-notify|" \
		"swap:swap-in swap-cache|stack:stack-growth|" \
		"other:numa-hint uffd-missing uffd-wp uffd-minor uffd-rwp migration-wait device-private spurious|" \
		"failed:sigsegv sigbus oom hwpoison", family, "|")
	for (i = 1; i <= n; i++) {
		split(family[i], part, ":")
		m = split(part[2], class, " ")
		for (j = 1; j <= m; j++)
			print part[1], class[j], 1234567, 12345, 0, "100.0%", 65536, 2147483648, 0, 0, 0, 0, 0, 0, 0
		print part[1], "*", 7654321, 0, 0, "12.3%", 512, "-", 0, 0, 0, 0, 0, 0, 0
	}
	print "total", "*", 99999999, 54321, 17, "100.0%", 512, 1024, 90000000, 9999999, 11, 0, 0, 0, 80000000
}' >"$work/faults"
awk 'BEGIN {
	print "# pid state start-end perms offset dev inode faults major retries classes comm path"
	for (i = 1; i <= 30; i++)
		printf "%d live 7f86c091%04d000-7f86c099%04d000 rw-p 00000000 00:00 0 %d 7 0 %s %s %s\n",
			1000 + i, i, i, i * 100, "cow-copy:2,anon-alloc:" i * 100 - 2, "a\\040long\\040name",
			i == 29 ? "-" : "/usr/lib/some thing/very/long/" i
}' >"$work/vmas"
cat >"$work/kernel" <<'END'
# kind name kernel user
region vmalloc 1 2
region modules 0 0
bad-area no-vma 0 4
error-code protection 5 0
total page-fault 6 7
END
cat >"$work/status" <<'END'
# item value detail
version 0.1 x
kernel 7.3.4 x
enabled 1 x
filter none x
hook:handle_mm_fault attached kretprobe
hook:copy_vma failed no such symbol
missed 3
retry_links_dropped 0
rows 65536
rows_used 30
rows_evicted 0
faults_without_row 0
memory_bytes 1048576
END

report() { busybox sh scripts/report "$work" >"$work/out"; }
fits() { [ "$(wc -l <"$work/out")" -le 42 ] && ! grep -qE '.{101}' "$work/out"; }
has() { grep -qE -- "$1" "$work/out"; }
busiest() { grep -A2 '^ *pid comm' "$work/out" | tail -n 2 | tr -s ' ' | cut -d' ' -f2,4 | paste -sd, | grep -qx '1030 3000,1029 2900'; }
no_folder() { ! busybox sh scripts/report "$work/nothing" 2>/dev/null; }

ktap_plan 10
check "prints a report" report
check "which fits a screen though every class has a count" fits
check "totals" has '^99999999 faults, 54321 major, 17 retries'
check "a class" has '^  anon-alloc +1234567 +12345 100\.0%  66us +2s'
check "the busiest mappings first" busiest
check "the largest class of a mapping first" has 'anon-alloc:2998 cow-copy:2'
check "a mapping without a name goes by its address" has '^  1029 .* 7f86c0910029000'
check "kernel addresses" has 'vmalloc 3; bad areas: no-vma 4'
check "a hook that failed, with its reason" has '^hook failed +copy_vma: no such symbol'
check "files that are missing are an error" no_folder
ktap_end
