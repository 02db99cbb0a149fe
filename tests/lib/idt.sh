# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # $trapscope, of ktap.sh
# What scripts of the IDT share. Sourced, after ktap.sh. Each process takes a fifth of a
# second on the kernel of 'make test-debug': what is asked often starts none.

# irq_entry VECTOR: the handler of a device's vector, from 32 on. From one to the next it is
# twice as far with IBT (IDT_ALIGN); some more than 200 of them are before the next symbol.
irq_entry() {
	# shellcheck disable=SC2046 # words
	set -- "$1" $(awk '$3 == "irq_entries_start" { start = $1 } $3 == "spurious_entries_start" { end = $1 }
		END { print "0x" start, "0x" end }' /proc/kallsyms)
	printf 'irq_entries_start+0x%x\n' $((($1 - 32) * (($3 - $2) / 200)))
}

# place CPU: of its table, as check writes it: base, limit and page
place() {
	awk -v cpu="$1" '$1 == cpu { print $3 ":" $4 ":" $5 }' "$trapscope/idt/idtr"
}

# check_says LINE...: the whole of idt/check, but for the line that names its columns
check_says() {
	check_wanted=
	for check_line; do
		check_wanted="$check_wanted$check_line
"
	done
	check_found=
	check_row=0
	while IFS= read -r check_line; do
		check_row=$((check_row + 1))
		[ "$check_row" -eq 2 ] || check_found="$check_found$check_line
"
	done <"$trapscope/idt/check"
	# What is left without a newline.
	check_found=$check_found$check_line
	[ "$check_wanted" != "$check_found" ] || return 0
	printf '%s' "$check_wanted" | sed 's/^/# wanted: /'
	printf '%s' "$check_found" | sed 's/^/# found: /'
	return 1
}
