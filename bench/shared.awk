# SPDX-License-Identifier: GPL-2.0
# Cache lines that two processors share while both fault, and which of them trapscope is
# the reason for:
#   awk -v scratch=FILE -v faults=N -f bench/symbols.awk -f bench/shared.awk \
#       none.symbols none.watch trapscope.symbols trapscope.watch
# prints records for bench/report.awk: "shared ITEM VALUE", and each such line.
#
# Trapscope's part are the functions that are called for every fault with it, and are not
# without it: its own, and what they call in the kernel.

$1 == "ran" {
	# How often its first instruction ran.
	if ($2 in names)
		calls[file, function_at($2)] += $3
	next
}

$1 == "access" {
	name = function_at($2)
	line[file, $3] = 1
	if ($5 == "w")
		writers[file, $3] = writers[file, $3] " " $4
	if (file == 4)
		count[$3, $4, $5, name] += $6
}

function ours(name) {
	return name ~ /\[trapscope\]$/ || calls[4, name] - calls[2, name] > faults / 2
}

function both(file, address,    text) {
	text = writers[file, address]
	return text ~ / 0/ && text ~ / 1/
}

END {
	for (key in line) {
		split(key, part, SUBSEP)
		if (both(part[1], part[2]))
			written[part[1]]++
	}
	for (key in count) {
		split(key, part, SUBSEP)
		if (ours(part[4])) {
			own[part[1], part[2], part[3]] += count[key]
			text[part[1]] = text[part[1]] "; " part[4]
		} else
			other[part[1], part[2], part[3]] += count[key]
	}
	# A line counts if each of them uses it at one of ten of its faults at least. Now and
	# then the scheduler looks into the other one's data, and a process that ends leaves
	# its stack to one that begins elsewhere.
	rarely = faults / 2 / 10
	for (address in text)
		for (cpu = 0; cpu < 2; cpu++) {
			if (own[address, cpu, "w"] < rarely)
				continue
			far = 1 - cpu
			if (own[address, far, "w"] + other[address, far, "w"] >= rarely)
				bad_write[address] = 1
			else if (own[address, far, "r"] + other[address, far, "r"] >= rarely)
				bad_read[address] = 1
		}
	for (address in bad_write) {
		print "shared-line write " address substr(text[address], 2)
		module_lines++
	}
	for (address in bad_read) {
		if (address in bad_write)
			continue
		print "shared-line read " address substr(text[address], 2)
		read_lines++
	}
	print "shared none_lines " written[2] + 0
	print "shared trapscope_lines " written[4] + 0
	print "shared module_lines " module_lines + 0
	print "shared read_lines " read_lines + 0
}
