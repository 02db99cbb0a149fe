# SPDX-License-Identifier: GPL-2.0
# docs/bench.svg from the records that bench/guest.sh prints: what each adds to an
# anonymous write fault, as bars, least first.

BEGIN {
	text["trapscope"] = "trapscope: class, row, latency, origin"
	text["floor-kprobe"] = "empty kprobe"
	text["floor-kretprobe"] = "empty kretprobe"
	text["floor-fprobe"] = "empty fprobe"
	text["perf-stat"] = "perf stat: one count"
	text["exceptions"] = "exceptions tracepoint, ring buffer"
	text["kprobe-event"] = "kprobe event, ring buffer"
	text["kprobe-hist"] = "kprobe event, hist trigger"
	text["perf-record"] = "perf record -c 1 -d"
	text["perf-trace"] = "perf trace -F all"
	text["bpftrace-kprobe"] = "bpftrace kprobe: one count"
	text["bpftrace-fexit"] = "bpftrace fexit: count per VMA"
	text["bpftrace-fentry-fexit"] = "bpftrace fentry+fexit: per VMA, latency"
	text["bpftrace-kprobe-kretprobe"] = "bpftrace kprobe+kretprobe: same"
}

$1 == "loop" && $3 == "anon-write" {
	least[$2] = $5 / $4
	all[$2] = $6
	whole[$2] = $7
}

function added(peer) {
	if (peer == "perf-record" || peer == "perf-trace")
		return (whole[peer] - whole["none"]) / all["none"]
	return least[peer] - least["none"]
}

END {
	for (peer in text) {
		if (!(peer in least))
			continue
		cost[peer] = added(peer)
		most = cost[peer] > most ? cost[peer] : most
		# Into its place among those so far.
		for (i = ++count; i > 1 && cost[order[i - 1]] > cost[peer]; i--)
			order[i] = order[i - 1]
		order[i] = peer
	}
	row = 26
	left = 300
	width = 520
	height = 70 + count * row
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">\n",
		left + width + 80, height, left + width + 80, height
	print "<title>Instructions added to an anonymous write fault</title>"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	printf "<text x=\"16\" y=\"28\" font-size=\"16\" fill=\"#222222\">Instructions added to an anonymous write fault of %d</text>\n", least["none"]
	for (i = 1; i <= count; i++) {
		peer = order[i]
		y = 44 + (i - 1) * row
		ours = peer == "trapscope"
		bare = peer ~ /^floor-/
		printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#222222\"%s>%s</text>\n", left - 10, y + 15,
			ours ? " font-weight=\"bold\"" : "", text[peer]
		printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, width * cost[peer] / most,
			row - 8, ours ? "#c0392b" : bare ? "#b0b7bd" : "#4a78a8"
		printf "<text x=\"%.1f\" y=\"%d\" fill=\"#222222\"%s>%d</text>\n", left + width * cost[peer] / most + 6, y + 15,
			ours ? " font-weight=\"bold\"" : "", cost[peer] + 0.5
	}
	print "</svg>"
}
