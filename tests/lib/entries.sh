# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Where the kernel's own gates lead to. Sourced.

# irq_entry VECTOR: the handler of a device's vector, from 32 on. From one to the next it is
# twice as far with IBT (IDT_ALIGN); some more than 200 of them are before the next symbol.
irq_entry() {
	start=0x$(awk '$3 == "irq_entries_start" { print $1 }' /proc/kallsyms)
	end=0x$(awk '$3 == "spurious_entries_start" { print $1 }' /proc/kallsyms)
	printf 'irq_entries_start+0x%x\n' $((($1 - 32) * ((end - start) / 200)))
}
