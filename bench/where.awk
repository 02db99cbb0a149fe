# SPDX-License-Identifier: GPL-2.0
# Instructions per fault by function, without and with a hook; see bench/where.
# The loop that was watched has 100 faults between two marks.

$1 == "windows" { faults[file] = $2 * 100 }
$1 == "ran" {
	name = function_at($2)
	ran[file, name] += $3
	functions[name] = 1
	# What runs less than once in two faults is no part of them, but an interrupt.
	if ($3 > most[file, name])
		most[file, name] = $3
}

function per_fault(file, name) {
	return most[file, name] > faults[file] / 2 ? ran[file, name] / faults[file] : 0
}

END {
	printf "%9s %9s %9s  %s\n", "without", "with", "added", "function"
	for (name in functions) {
		without = per_fault(2, name)
		with = per_fault(4, name)
		if (without + with < 0.5)
			continue
		sum_without += without
		sum_with += with
		printf "%9.1f %9.1f %9.1f  %s\n", without, with, with - without, name | "sort -k3,3rn -k2,2rn"
	}
	close("sort -k3,3rn -k2,2rn")
	printf "%9.1f %9.1f %9.1f  %s\n", sum_without, sum_with, sum_with - sum_without, "all"
}
