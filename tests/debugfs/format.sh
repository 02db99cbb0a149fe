#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Names, modes and formats of the files; with the hooks off, so that what is
# read does not change meanwhile.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
cd "$trapscope" || exit 1

classes="anon-zero anon-alloc anon-huge file-read file-write hugetlb special
cow-file cow-copy cow-reuse cow-zero cow-huge cow-hugetlb cow-unshare write-notify
swap-in swap-cache stack-growth
numa-hint uffd-missing uffd-wp uffd-minor uffd-rwp migration-wait device-private spurious
sigsegv sigbus oom hwpoison"

enabled=$(cat enable)
work=$(mktemp -d)
trap 'rm -rf "$work"; echo "$enabled" >"$trapscope/enable"' EXIT
echo 0 >enable

ktap_plan 34

files_are() {
	# shellcheck disable=SC2012 # names without blanks
	set -- "$(ls | sort | tr '\n' ' ')" "$(printf '%s\n' "$@" | sort | tr '\n' ' ')"
	[ "$1" = "$2" ] || { diag "files: $1"; false; }
}
check "the files" files_are README status enable reset filter faults latency \
	vmas processes kernel async_pf idt trace_idt

modes_are() {
	wanted=$1
	shift
	for file in "$@"; do
		mode=$(stat -c '%a %u' "$file")
		[ "$mode" = "$wanted 0" ] || { diag "$file: $mode"; return 1; }
	done
}
check "what can be read only is 0400, root's" modes_are 400 README status \
	faults latency vmas processes kernel async_pf
check "what can be written is 0600, root's" modes_are 600 enable reset filter

# header FILE: the names of its columns, as documented
header() {
	case $1 in
	faults) echo "# family class completed major retries share p50_ns p99_ns" \
		"user kernel remote read write exec vma_lock" ;;
	latency) echo "# class from_ns to_ns count" ;;
	vmas) echo "# pid state start-end perms offset dev inode faults major retries" \
		"classes comm path" ;;
	processes) echo "# pid state faults major retries rows comm" ;;
	kernel) echo "# kind name kernel user" ;;
	status) echo "# item value detail" ;;
	esac
}
tables="faults latency vmas processes kernel status"

header_is() {
	line=$(head -n 1 "$1")
	[ "$line" = "$(header "$1")" ] || { diag "$1: $line"; false; }
}

# one_blank FILE COLUMNS [LAST]: between columns; LAST is what the rest may be
one_blank() {
	! grep -v '^#' "$1" | grep -vE "^([^ ]+ ){$(($2 - 1))}${3:-[^ ]+}\$" >"$work/lines" ||
		{ sed "s/^/# $1: /" "$work/lines"; return 1; }
}

for file in $tables; do
	check "$file: names its columns" header_is "$file"
done
check "faults: one blank between columns" one_blank faults 15
check "latency: one blank between columns" one_blank latency 4
# A path may begin with anything, and hold blanks.
check "vmas: one blank between columns" one_blank vmas 13 '.+'
check "processes: one blank between columns" one_blank processes 7
check "kernel: one blank between columns" one_blank kernel 4
check "status: one blank between columns" one_blank status 2 '[^ ]+( [^ ].*)?'

# same FILE FOUND WANTED: lists of words
same() {
	# shellcheck disable=SC2086 # words
	set -- "$1" "$(printf '%s ' $2)" "$(printf '%s ' $3)"
	[ "$2" = "$3" ] || { diag "$1: $2"; false; }
}

every_class() {
	same faults "$(awk '!/^#/ && $2 != "*" { print $2 }' faults)" "$classes"
}
check "faults: every class once, in order" every_class

# What holds in each row: origins, accesses; families and total as sums.
faults_add_up() {
	awk '
		/^#/ { next }
		NF != 15 { print "# " NF " columns: " $0; bad = 1 }
		$9 + $10 + $11 != $3 { print "# user, kernel, remote: " $0; bad = 1 }
		$12 + $13 + $14 != $3 { print "# read, write, exec: " $0; bad = 1 }
		$15 > $3 || $4 > $3 { print "# more than completed: " $0; bad = 1 }
		$3 == 0 && ($7 != "-" || $8 != "-") { print "# latency of nothing: " $0; bad = 1 }
		$3 > 0 && ($7 !~ /^[0-9]+$/ || $8 !~ /^[0-9]+$/ || $7 > $8) { print "# latency: " $0; bad = 1 }
		$6 !~ /^[0-9]+\.[0-9]%$/ { print "# share: " $0; bad = 1 }
		$1 == "total" {
			for (i = 3; i <= 15; i++)
				if (i < 6 || i > 8)
					if ($i != all[i]) { print "# total, column " i ": " $i " " all[i]; bad = 1 }
			totals++
			next
		}
		$2 == "*" {
			for (i = 3; i <= 15; i++)
				if (i < 6 || i > 8) {
					if ($i != sum[$1, i]) { print "# family " $1 ", column " i; bad = 1 }
					all[i] += $i
				}
			families++
			next
		}
		{ for (i = 3; i <= 15; i++) sum[$1, i] += $i }
		END { exit bad || totals != 1 || families != 6 }' faults
}
check "faults: rows, families and the total add up" faults_add_up

latency_adds_up() {
	awk '
		/^#/ { next }
		FNR == NR { if ($2 != "*") completed[$2] = $3; next }
		NF != 4 || !($1 in completed) { print "# " $0; bad = 1 }
		$4 == 0 || $2 >= $3 { print "# " $0; bad = 1 }
		{ sum[$1] += $4 }
		END {
			for (class in completed)
				if (class != "*" && sum[class] + 0 != completed[class]) {
					print "# " class ": " sum[class] + 0 " of " completed[class]
					bad = 1
				}
			exit bad
		}' faults latency
}
check "latency: as many as completed, in each class" latency_adds_up

vmas_rows() {
	awk -v classes="$classes" '
		BEGIN {
			n = split(classes, list)
			for (i = 1; i <= n; i++)
				known[list[i]] = 1
			# A row names seven classes; the faults of others are these.
			known["unnamed"] = 1
		}
		/^#/ { next }
		{ line = "# " $0 }
		NF < 13 { print line; bad = 1; next }
		$1 !~ /^[0-9]+$/ || $2 !~ /^(live|gone)$/ { print line; bad = 1 }
		$3 !~ /^[0-9a-f]+-[0-9a-f]+$/ || $4 !~ /^[r-][w-][x-][ps]$/ { print line; bad = 1 }
		$5 !~ /^[0-9a-f]+$/ || $6 !~ /^[0-9a-f]+:[0-9a-f]+$/ || $7 !~ /^[0-9]+$/ { print line; bad = 1 }
		{
			sum = 0
			if ($11 != "-") {
				n = split($11, pairs, ",")
				for (i = 1; i <= n; i++) {
					split(pairs[i], pair, ":")
					if (!(pair[1] in known) || pair[2] == 0) { print line; bad = 1 }
					sum += pair[2]
				}
			}
			if (sum != $8 || $9 > $8) { print line; bad = 1 }
			rows++
		}
		END { exit bad || rows == 0 }' vmas
}
check "vmas: form of each row, and its classes are its faults" vmas_rows

# value ITEM: of status
value() {
	awk -v item="$1" '$1 == item { print $2 }' status
}

all_rows() {
	total=$(awk '$1 == "total" { print $3 }' faults)
	rows=$(awk '!/^#/ { sum += $8 } END { print sum + 0 }' vmas)
	without=$(value faults_without_row)
	evicted=$(value faults_evicted)
	[ "$((rows + without + evicted))" -eq "$total" ] || {
		diag "$rows in rows, $without without, $evicted evicted: not $total"
		false
	}
}
check "vmas: all rows and what has none are the total" all_rows

row_count() {
	used=$(value rows_used)
	rows=$(grep -vc '^#' vmas)
	live=$(awk '$2 == "live"' vmas | wc -l)
	[ "$used $(value rows_live)" = "$rows $live" ] || {
		diag "status: $used rows, $(value rows_live) live; vmas: $rows, $live"
		false
	}
}
check "status: counts the rows that vmas has" row_count

processes_add_up() {
	awk '
		/^#/ { next }
		FNR == NR { faults[$1] += $8; major[$1] += $9; retries[$1] += $10; rows[$1]++; next }
		NF < 7 || $2 !~ /^(live|gone)$/ { print "# " $0; bad = 1 }
		$3 < faults[$1] || $6 != rows[$1] + 0 { print "# " $0 ": " faults[$1] " faults in " rows[$1] + 0 " rows"; bad = 1 }
		{ seen[$1] = 1 }
		END {
			for (pid in faults)
				if (!(pid in seen)) { print "# no process " pid; bad = 1 }
			exit bad
		}' vmas processes
}
check "processes: hold what their rows hold" processes_add_up

items="version kernel enabled filter
hook:handle_mm_fault hook:vm_area_free hook:copy_vma hook:expand_downwards
hook:bad_area_nosemaphore hook:bad_area_access_error hook:emulate_vsyscall_pf
hook:page_fault_kernel hook:kvm_async_pf_task_wait_schedule
hook:__sysvec_kvm_asyncpf_interrupt
missed unfinished in_flight filtered retry_links_dropped retries_vma_lock
rows rows_used rows_free rows_live rows_evicted faults_evicted faults_without_row
paths_used paths_dropped memory_bytes"
lines="region:vmalloc region:modules region:direct-map region:vmemmap
region:kernel-image region:cpu-entry-area region:vsyscall region:other
bad-area:no-vma bad-area:access bad-area:atomic bad-area:signal
error-code:protection error-code:write error-code:user error-code:reserved
error-code:instr error-code:pkey error-code:shstk error-code:sgx error-code:rmp
total:page-fault"

kernel_lines() {
	same kernel "$(awk '!/^#/ { print $1 ":" $2 }' kernel)" "$lines"
}
check "kernel: every line, in order" kernel_lines

status_items() {
	same status "$(awk '!/^#/ { print $1 }' status)" "$items"
}
check "status: every item, in order" status_items

hooks_are() {
	awk -v state="$1" '/^hook:/ && $2 != state { print "# " $0; bad = 1 } END { exit bad }' status
}
check "status: all hooks are detached after 0 to enable" hooks_are detached
echo 1 >enable
check "status: all hooks are attached after 1 to enable" hooks_are attached

# in_readme WORD...: each of them, as a word
in_readme() {
	absent=
	for word in "$@"; do
		awk -v word="$word" '
			{
				line = " " $0 " "
				while ((at = index(line, word)) > 0) {
					around = substr(line, at - 1, 1) substr(line, at + length(word), 1)
					if (around !~ /[A-Za-z0-9_-]/) { found = 1; exit }
					line = substr(line, at + 1)
				}
			}
			END { exit !found }' README || absent="$absent $word"
	done
	[ -z "$absent" ] || { diag "not in README:$absent"; false; }
}

# shellcheck disable=SC2086 # words
check "README: has every file and class" in_readme $classes $tables \
	enable reset filter async_pf
for file in $tables; do
	# shellcheck disable=SC2046 # words
	check "README: has the columns of $file" in_readme $(header "$file" | tr -d '#')
done
# The hooks share an entry.
# shellcheck disable=SC2046 # words
check "README: has every item of status" \
	in_readme $(echo "$items" | tr ' ' '\n' | sed 's/^hook:.*/hook:NAME/' | uniq)

ktap_end
