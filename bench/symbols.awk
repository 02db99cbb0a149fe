# SPDX-License-Identifier: GPL-2.0
# What both awk programs for bench/watched share: their files, which are none.symbols,
# none.watch, HOOK.symbols and HOOK.watch, and addresses to functions.
#
# Addresses are 16 digits of equal case: they compare as text does.

function load_symbol(address, name, module) {
	if (address < "8000000000000000")
		return
	starts[++symbols] = address
	names[address] = name (module != "" ? " " module : "")
}

function sort_symbols(    command, i, line) {
	# Kallsyms has the kernel's own in order, but not those of modules.
	command = "sort -u >" scratch
	for (i = 1; i <= symbols; i++)
		print starts[i] | command
	close(command)
	symbols = 0
	while ((getline line <scratch) > 0)
		starts[++symbols] = line
	close(scratch)
}

function function_at(pc,    low, high, middle) {
	if (pc in known)
		return known[pc]
	low = 1
	high = symbols
	while (low < high) {
		middle = int((low + high + 1) / 2)
		if ("" starts[middle] <= "" pc)
			low = middle
		else
			high = middle - 1
	}
	return known[pc] = names[starts[low]]
}

FNR == 1 {
	file++
	if (file == 1 || file == 3) {
		symbols = 0
		split("", names)
		split("", known)
	} else
		sort_symbols()
}
file == 1 || file == 3 { load_symbol($1, $3, $4); next }
