#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The files of idt/: names, modes, columns, what each column may say, and what it has
# to say where the SDM or the kernel's own names leave no choice.
# shellcheck disable=SC2317 # functions that check calls
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib/ktap.sh"

[ -d "$trapscope" ] || ktap_skip_all "trapscope is not loaded"
cd "$trapscope/idt" || exit 1

restrict=/proc/sys/kernel/kptr_restrict
restricted=$(cat $restrict)
work=$(mktemp -d)
trap 'rm -rf "$work"; echo "$restricted" >"$restrict"' EXIT
echo 0 >"$restrict"

ktap_plan 25

# complain < LINES: fails if there are any
complain() {
	! grep . >"$work/lines" || { sed 's/^/# /' "$work/lines"; false; }
}

files_are() {
	# shellcheck disable=SC2012 # names without blanks
	[ "$(ls | sort | tr '\n' ' ')" = "check idtr raw table " ] || { diag "$(ls)"; false; }
}
check "the files" files_are

modes_are() {
	stat -c '%n %a %u %g' ./* | grep -v ' 400 0 0$' | complain
}
check "0400, root's" modes_are

# header FILE: the line that names its columns
header() {
	case $1 in
	table) echo "# vector hex mnemonic name kind error_code type class dpl present" \
		"ist stack selector stage address handler" ;;
	idtr) echo "# cpu state base limit page same symbol" ;;
	check) echo "# what cpu vector reasons before after" ;;
	esac
}

# header_is FILE [LINE]
header_is() {
	line=$(sed -n "${2:-1}p" "$1")
	[ "$line" = "$(header "$1")" ] || { diag "$1: $line"; false; }
}
check "table: names its columns" header_is table
check "idtr: names its columns" header_is idtr
check "check: names its columns, after the result" header_is check 2

check_is_ok() {
	[ "$(sed 2d check)" = OK ] || { sed 's/^/# /' check; false; }
}
check "check: OK, and no findings" check_is_ok

# No column but the last holds blanks, and between two there is one.
one_blank() {
	grep -v '^#' table | grep -vE '^([^ ]+ ){15}[^ ]+( \[[^] ]+\])?$' | complain
}
check "table: one blank between columns" one_blank

rows() {
	awk '/^#/ { next }
		$1 != n || $2 != sprintf("0x%02x", n) { print }
		{ n++ }
		END { if (n != 256) print n " rows" }' table | complain
}
check "table: 256 rows in the order of vectors, decimal and hex" rows

values() {
	awk '/^#/ { next }
		$3 !~ /^(-|#[A-Z]+|[A-Z]+)$/ ||
		$5 !~ /^(fault|trap|abort|nmi|external|syscall|local-apic|ipi|hypervisor|spurious|unused)$/ ||
		$6 !~ /^(yes|no)$/ || $7 !~ /^(interrupt|trap|task|0x[0-9a-f]+)$/ ||
		$8 !~ /^((system-)?interrupt-gate|trap-gate|system-gate|task-gate|-)$/ ||
		$9 !~ /^[0-3]$/ || $10 !~ /^[01]$/ || $11 !~ /^[0-7]$/ ||
		$12 !~ /^(-|DF|NMI|DB|MCE|VC|\?)$/ || $13 !~ /^0x[0-9a-f]+$/ ||
		$14 !~ /^(early-handler|early|early-pf|default|apic|irq|spurious|system-vector|-)$/ ||
		$15 !~ /^0x[0-9a-f]+$/ || length($15) != 18 ||
		$16 !~ /^[^+]+\+0x[0-9a-f]+$/' table | complain
}
check "table: what columns may say" values

# Intel SDM, volume 3, "Protected-mode exceptions and interrupts". #DB is a fault or
# a trap; 15 and 20 to 31 differ between makers.
exceptions='0 #DE fault no
2 NMI nmi no
3 #BP trap no
4 #OF trap no
5 #BR fault no
6 #UD fault no
7 #NM fault no
8 #DF abort yes
10 #TS fault yes
11 #NP fault yes
12 #SS fault yes
13 #GP fault yes
14 #PF fault yes
16 #MF fault no
17 #AC fault yes
18 #MC abort no
19 #XM fault no
21 #CP fault yes'
exceptions_are() {
	echo "$exceptions" >"$work/exceptions"
	awk 'FNR == NR { wanted[$1] = $0; next }
		$1 in wanted && $1 " " $3 " " $5 " " $6 != wanted[$1] { print $0 ": wanted " wanted[$1] }' \
		"$work/exceptions" table | complain
}
check "table: exceptions as in the SDM" exceptions_are

only_these_push() {
	awk '$6 == "yes" && $1 !~ /^(8|10|11|12|13|14|17|21|29|30)$/' table | complain
}
check "table: no other vector pushes an error code" only_these_push

fault_14() {
	awk '$1 == 14 && !($3 == "#PF" && $4 == "page-fault" && $7 == "interrupt" &&
		$8 == "interrupt-gate" && $9 == 0 && $10 == 1 && $11 == 0 && $12 == "-" &&
		$14 == "early-pf" && $16 == "asm_exc_page_fault+0x0")' table | complain
}
check "table: vector 14 is the page fault" fault_14

system_call() {
	awk '$1 == 128 && !($5 == "syscall" && $8 == "system-interrupt-gate" && $9 == 3 &&
		$14 == "default" && $16 == "asm_int80_emulation+0x0")' table | complain
}
check "table: vector 0x80 is the system call of 32 bits" system_call

# Vectors that user mode may raise by an instruction: #BP, #OF, int 0x80.
user_mode() {
	[ "$(awk '!/^#/ && $9 == 3 { printf "%s ", $1 }' table)" = "3 4 128 " ] ||
		{ awk '$9 == 3' table | complain; }
}
check "table: DPL 3 for 3, 4 and 128 alone" user_mode

by_type_and_dpl() {
	awk '/^#/ { next }
		{ wanted = "-" }
		$7 == "interrupt" { wanted = $9 == 0 ? "interrupt-gate" : $9 == 3 ? "system-interrupt-gate" : "-" }
		$7 == "trap" { wanted = $9 == 0 ? "trap-gate" : $9 == 3 ? "system-gate" : "-" }
		$7 == "task" { wanted = "task-gate" }
		$8 != wanted { print }' table | complain
}
check "table: class by type and DPL" by_type_and_dpl

# asm/page_64_types.h and cpu_init_exception_handling(): which stack has which index.
stacks() {
	[ "$(awk '!/^#/ && $11 > 0 && $1 != 29 { printf "%s:%s:%s ", $1, $11, $12 }' table)" = \
		"1:3:DB 2:2:NMI 8:1:DF 18:4:MCE " ] || { awk '$11 != 0' table | complain; }
}
check "table: the stacks of #DB, NMI, #DF and #MC" stacks

# Whose entry it is tells who installed it (arch/x86/kernel/idt.c).
stages() {
	awk '/^#/ { next }
		{ wanted = "" }
		$16 ~ /^asm_exc_|^asm_int80_/ { wanted = "default" }
		$16 ~ /^asm_exc_int3\+/ { wanted = "early" }
		$16 ~ /^asm_exc_page_fault\+/ { wanted = "early-pf" }
		$16 ~ /^early_idt_handler_array\+/ { wanted = "early-handler" }
		$16 ~ /^irq_entries_start\+/ { wanted = "irq" }
		$16 ~ /^spurious_entries_start\+/ { wanted = "spurious" }
		$16 ~ /^asm_sysvec_/ { wanted = "apic" }
		$16 ~ /^asm_sysvec_kvm_asyncpf_interrupt\+/ { wanted = "system-vector" }
		$14 != wanted { print $0 ": wanted " wanted }' table | complain
}
check "table: the stage that installs it" stages

# #VE (20) and #CP (21) are exceptions on a kernel without TDX or CET, too.
kinds() {
	awk '$16 ~ /^irq_entries_start\+/ { wanted[$1] = "external" }
		$16 ~ /^early_idt_handler_array\+/ && $1 != 20 && $1 != 21 && $1 < 28 { wanted[$1] = "unused" }
		$16 ~ /^asm_sysvec_(reschedule_ipi|call_function|call_function_single|reboot)\+/ { wanted[$1] = "ipi" }
		$16 ~ /^asm_sysvec_(apic_timer_interrupt|error_interrupt|thermal)\+/ { wanted[$1] = "local-apic" }
		$1 in wanted && $5 != wanted[$1] { print $0 ": wanted " wanted[$1] }' table | complain
}
check "table: the kind of external interrupts, IPIs and the local APIC's" kinds

# Some have a row there only once there was one, or where it is used.
mnemonics() {
	awk 'FNR == NR { known[$1] = 1; next }
		$16 !~ /^asm_sysvec_/ || $16 ~ /^asm_sysvec_reboot\+/ { next }
		$16 ~ /apic_timer_interrupt\+/ && $3 != "LOC" ||
		$16 ~ /reschedule_ipi\+/ && $3 != "RES" ||
		$16 ~ /call_function(_single)?\+/ && $3 != "CAL" ||
		$16 ~ /thermal\+/ && $3 != "TRM" ||
		$16 ~ /irq_work\+/ && $3 != "IWI" ||
		$16 ~ /spurious_apic_interrupt\+/ && $3 != "SPU" ||
		$16 ~ /x86_platform_ipi\+/ && $3 != "PLT" ||
		!($3 ":" in known) && $3 !~ /^(SPU|ERR|PLT)$/' /proc/interrupts table | complain
}
check "table: mnemonics as in /proc/interrupts" mnemonics

possible() {
	tr ',' '\n' </sys/devices/system/cpu/possible |
		awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) print cpu }'
}
cpus() {
	possible >"$work/possible"
	grep -v '^#' idtr | cut -d' ' -f1 | cmp -s - "$work/possible" || { sed 's/^/# /' idtr; false; }
}
check "idtr: a row per possible CPU" cpus

# What kallsyms says of the table, and where the kernel keeps its alias.
place=0x$(awk '$3 == "idt_table" { print $1 }' /proc/kallsyms)
alias_of() {
	sed -n '2p' idtr | grep -vxF '# FRED off, Xen PV off' | complain || return
	sed '1,2d' idtr | cut -d' ' -f2- |
		grep -vxF "online 0xfffffe0000000000 0x0fff $place yes idt_table+0x0" | complain
}
check "idtr: every CPU has the alias of idt_table in the cpu_entry_area" alias_of

# Read by pieces, it is the same as at once.
raw_bytes() {
	cat raw >"$work/whole"
	dd if=raw of="$work/pieces" bs=7 2>/dev/null
	[ "$(wc -c <"$work/whole")" -eq 4096 ] && cmp "$work/whole" "$work/pieces"
}
check "raw: 4096 bytes, however they are read" raw_bytes

# without_addresses: table, idtr and check as they are shown, but for addresses
without_addresses() {
	cat table idtr check | sed -E 's/0x[0-9a-f]{16}/ADDRESS/g'
}
shown() {
	echo "$1" >"$restrict"
	! grep -q ' 0x0000000000000000 ' table && ! grep -q ' 0x0000000000000000 ' idtr &&
		grep -qF " $place " idtr && cmp raw "$work/whole"
}
check "kptr_restrict 0: addresses" shown 0
check "kptr_restrict 1: root still has addresses" shown 1

hidden() {
	without_addresses >"$work/before"
	echo 2 >"$restrict"
	without_addresses >"$work/after"
	cmp "$work/before" "$work/after" || return
	cat table idtr check | grep -oE '0x[0-9a-f]{16}' | grep -v '^0x0*$' | complain || return
	! dd if=raw of=/dev/null 2>"$work/error" && grep -q 'Operation not permitted' "$work/error"
}
check "kptr_restrict 2: zeros instead, symbols as before, EPERM for raw" hidden
ktap_end
