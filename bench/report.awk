# SPDX-License-Identifier: GPL-2.0
# The tables of docs/bench.md from the records that bench/guest.sh prints:
#   awk -v part=costs|notes|goals -f bench/report.awk RECORDS

BEGIN {
	split("anon-write anon-read shared-file file-cow fork-cow swap-in stack storm-1000", loops, " ")
	heading = "anonymous write|anonymous read|shared file|file COW|fork COW|swap-in|stack growth|1,000 VMAs"
	split(heading, head, "|")

	name("floor-kprobe", "empty kprobe")
	name("floor-kretprobe", "empty kretprobe")
	name("floor-fprobe", "empty fprobe")
	name("trapscope", "**trapscope**")
	name("disabled", "trapscope, enable=0")
	name("unloaded", "trapscope, unloaded")
	name("perf-stat", "perf stat")
	name("exceptions", "exceptions tracepoint")
	name("kprobe-event", "kprobe event")
	name("kprobe-hist", "kprobe event, hist trigger")
	name("perf-record", "perf record -c 1 -d")
	name("perf-trace", "perf trace -F all")
	name("bpftrace-kprobe", "bpftrace kprobe, count")
	name("bpftrace-fexit", "bpftrace fexit, count per VMA")
	name("bpftrace-fentry-fexit", "bpftrace fentry+fexit per VMA, latency")
	name("bpftrace-kprobe-kretprobe", "bpftrace kprobe+kretprobe per VMA, latency")
	name("none-again", "no probe, at the end")
}

function name(peer, text) {
	peers[++peer_count] = peer
	title[peer] = text
}

$1 == "loop" && $3 == "total" { total[$2] = $4; next }
$1 == "loop" { least[$2, $3] = $5 / $4; all[$2, $3] = $6; whole[$2, $3] = $7; next }
$1 == "seen" { seen[$2] = $3; next }
$1 == "failed" { peer = $2; sub(/^[^ ]+ [^ ]+ /, ""); reason[peer] = $0; next }
$1 == "rows" { memory[$2] = $3; next }
$1 == "read" { lines[$2] = $3; bytes[$2] = $4; read[$2] = $5; next }
$1 == "wait" { wait_least[$2] = $3; wait_most[$2] = $4; next }
$1 == "version" { version[$2] = $3; next }
$1 == "status" { status[$2] = $3; next }
$1 == "shared" { shared[$2] = $3; next }
$1 == "same" { same[$2] = $3; next }

END {
	if (part == "costs")
		costs()
	else if (part == "notes")
		notes()
	else
		goals()
}

function has(peer, loop) { return (peer, loop) in least }

# These write what they saw into a buffer that a program of theirs reads: only the whole
# time tells what that takes.
function reads(peer) { return peer == "perf-record" || peer == "perf-trace" }

function added_whole(peer, loop) { return (whole[peer, loop] - whole["none", loop]) / all["none", loop] }

function added(peer, loop) {
	return reads(peer) ? added_whole(peer, loop) : least[peer, loop] - least["none", loop]
}

# Thousands, as the text has them.
function number(n,    text) {
	text = sprintf("%.0f", n)
	while (text ~ /[0-9][0-9][0-9][0-9]($|,)/)
		text = gensub_thousands(text)
	return text
}

function gensub_thousands(text,    at) {
	match(text, /[0-9][0-9][0-9]($|,)/)
	at = RSTART
	return substr(text, 1, at - 1) "," substr(text, at)
}

function costs(    i, j, peer, loop, line, ratio) {
	line = sprintf("| %-42s |", "instructions added per fault")
	for (j = 1; j in head; j++)
		line = line sprintf(" %15s |", head[j])
	print line
	line = "| --- |"
	for (j = 1; j in head; j++)
		line = line " ---: |"
	print line
	line = sprintf("| %-42s |", "a fault without any probe")
	for (j = 1; j in loops; j++)
		line = line sprintf(" %15s |", number(least["none", loops[j]]))
	print line
	for (i = 1; i <= peer_count; i++) {
		peer = peers[i]
		if (!has(peer, "anon-write"))
			continue
		line = sprintf("| %-42s |", title[peer])
		for (j = 1; j in loops; j++) {
			loop = loops[j]
			if (!has(peer, loop)) {
				line = line sprintf(" %15s |", "-")
				continue
			}
			ratio = added(peer, loop) / added("trapscope", loop)
			if (peer == "trapscope")
				line = line sprintf(" %15s |", "**" number(added(peer, loop)) "**")
			else if (ratio < 0.02 && ratio > -0.02)
				line = line sprintf(" %15s |", sprintf("%.1f", added(peer, loop)))
			else
				line = line sprintf(" %15s |", sprintf("%s (%.2f x)", number(added(peer, loop)), ratio))
		}
		print line
	}
	print ""
}

function notes(    i, peer, share) {
	if (version["btf"] == "no")
		print "- **Not complete**: measured on a kernel without BTF and BPF, which some of the peers need. `make bench` builds one that has them."
	for (i = 1; i <= peer_count; i++) {
		peer = peers[i]
		if (peer in reason)
			printf "- %s could not be run: %s\n", title[peer], reason[peer]
		else if (!has(peer, "anon-write"))
			printf "- %s was not run.\n", title[peer]
	}
	for (i = 1; i <= peer_count; i++) {
		peer = peers[i]
		if (!(peer in seen) || !(peer in total) || !total[peer])
			continue
		if (seen[peer] + 0 >= total[peer] + 0)
			continue
		share = 100 * (1 - seen[peer] / total[peer])
		printf "- %s reported %s faults; the loops alone had %s, so %.0f %% are missing at least.\n",
			title[peer], number(seen[peer]), number(total[peer]), share
	}
	printf "- Over the whole time, with what the kernel does between the repeats, trapscope adds %s to an anonymous write, an empty kretprobe %s.\n",
		number(added_whole("trapscope", "anon-write")), number(added_whole("floor-kretprobe", "anon-write"))
	printf "- Tools: perf %s, trace-cmd %s, bpftrace %s.\n\n", version["perf"], version["trace-cmd"], version["bpftrace"]
}

# goal TEXT LIMIT FIGURE MET [VERDICT]
function goal(text, limit, figure, met, verdict) {
	if (verdict == "")
		verdict = met ? "met" : "**missed**"
	printf "| %-64s | %-16s | %-44s | %-11s |\n", text, limit, figure, verdict
}

function off(peer,    j, most, share) {
	most = 0
	for (j = 1; j in loops; j++) {
		share = 100 * added(peer, loops[j]) / least["none", loops[j]]
		if (share > most || -share > most)
			most = share < 0 ? -share : share
	}
	return most
}

function against(text, peer, limit, limit_text,    ratio) {
	if (!has(peer, "anon-write")) {
		goal(text, limit_text, "the peer could not be run", 0, "not shown")
		return
	}
	ratio = added("trapscope", "anon-write") / added(peer, "anon-write")
	goal(text, limit_text, sprintf("%.3f x (%s against %s)", ratio, number(added("trapscope", "anon-write")),
		number(added(peer, "anon-write"))), ratio <= limit)
}

function goals(    ratio, per, vmas, smaps, most) {
	vmas = "/sys/kernel/debug/trapscope/vmas"
	smaps = "/proc/self/smaps"
	printf "| %-64s | %-16s | %-44s | %-11s |\n", "goal", "limit", "figure", ""
	print "| --- | --- | --- | --- |"
	against("anonymous write against an empty kretprobe", "floor-kretprobe", 1.6, "1.6 x")
	against("anonymous write against bpftrace's fexit count per VMA", "bpftrace-fexit", 1, "below")
	goal("the aim for an anonymous write", "500 instructions", number(added("trapscope", "anon-write")) " instructions",
		added("trapscope", "anon-write") <= 500, added("trapscope", "anon-write") <= 500 ? "reached" : "not reached")
	ratio = added("trapscope", "shared-file") / added("floor-kretprobe", "shared-file")
	goal("shared file against an empty kretprobe", "1.6 x", sprintf("%.3f x (%s against %s)", ratio,
		number(added("trapscope", "shared-file")), number(added("floor-kretprobe", "shared-file"))), ratio <= 1.6)
	against("against bpftrace's fentry+fexit per VMA with latency", "bpftrace-fentry-fexit", 1 / 3, "1/3")
	against("against perf trace -F all", "perf-trace", 1 / 10, "1/10")
	goal("disabled: as never loaded, anonymous write", "0.1 %",
		sprintf("%.3f %%", 100 * added("disabled", "anon-write") / least["none", "anon-write"]),
		abs(added("disabled", "anon-write") / least["none", "anon-write"]) <= 0.001)
	goal("disabled: the worst of all loops", "0.1 %",
		sprintf("%.3f %% (no probe, measured twice: %.3f %%)", off("disabled"), off("none-again")), off("disabled") <= 0.1)
	goal("unloaded: as never loaded, anonymous write", "0.1 %",
		sprintf("%.3f %%", 100 * added("unloaded", "anon-write") / least["none", "anon-write"]),
		abs(added("unloaded", "anon-write") / least["none", "anon-write"]) <= 0.001)
	goal("unloaded: the worst of all loops", "0.1 %", sprintf("%.3f %%", off("unloaded")), off("unloaded") <= 0.1)
	growth("storm-1000", "1,000")
	growth("storm-60000", "60,000")
	if ("module_lines" in shared)
		goal("two CPUs, other VMAs: lines that trapscope has both of them write", "none",
			sprintf("%d lines (both in one mapping: %d)", shared["module_lines"], same["module_lines"]),
			shared["module_lines"] == 0 && same["module_lines"] > 0)
	else
		goal("two CPUs, other VMAs: lines that trapscope has both of them write", "none", "bench/shared was not run", 0, "not shown")
	per = (memory[131072] - memory[16384]) / (131072 - 16384)
	goal("memory per row", "192 bytes", sprintf("%.1f bytes", per), per <= 192)
	ratio = read[vmas] / read[smaps]
	goal("reading vmas against smaps, 60,000 mappings", "1/20", sprintf("1/%.1f (%s against %s million)",
		1 / ratio, number(read[vmas] / 1e6), number(read[smaps] / 1e6)), ratio <= 1 / 20 && lines[vmas] >= 60000)
	most = wait_most["/proc/version"] ? wait_most[vmas] / wait_most["/proc/version"] : 99
	goal("the longest of 500 faults that interrupt a reader of vmas", "no waiting", sprintf("%s (while /proc/version is read: %s)",
		number(wait_most[vmas]), number(wait_most["/proc/version"])), most <= 1.5)
	print ""
}

function abs(x) { return x < 0 ? -x : x }

function growth(loop, text,    one, many) {
	one = added("trapscope", "storm-1")
	many = added("trapscope", loop)
	goal("growth with rows: " text " VMAs against 1", "1.15 x", sprintf("%.3f x (%s against %s)", many / one,
		number(many), number(one)), many / one <= 1.15)
}
