# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: GPL-2.0
# Long steps: a log each, progress while they run, the end of the log if they
# fail. Sourced after lib.sh.
#
#   start_step NAME COMMAND...     runs COMMAND in the background, output to its log
#   finish_step NAME TITLE TOTAL MEASURE
#       shows progress until it ends; MEASURE is a command that prints how much
#       of TOTAL is done (TOTAL 0: unknown). Fails if the step did.

declare -A step_pid=() step_begin=()

# A step has a process group of its own: whatever ends this script ends it too.
stop_steps()
{
	local pid
	# A second signal would end this.
	trap '' INT TERM HUP
	for pid in "${step_pid[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || true
	done
}
trap stop_steps EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start_step()
{
	local name=$1
	shift
	mkdir -p "$log"
	set -m
	"$@" >"$log/$name.log" 2>&1 </dev/null &
	step_pid[$name]=$!
	step_begin[$name]=$SECONDS
	set +m
}

# lines_in NAME PATTERN: a measure
lines_in() { grep -cE "$2" "$log/$1.log" || true; }

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# share_and_time DONE TOTAL SECONDS
share_and_time()
{
	local done=$1 total=$2 seconds=$3 left

	# Too early for a forecast.
	if [ "$total" -eq 0 ] || [ $((50 * done)) -lt "$total" ]; then
		echo "$(clock "$seconds") so far"
		return
	fi
	# The total is an estimate: never claim that all is done.
	[ "$done" -lt "$total" ] || done=$((total - 1))
	left=$((seconds * (total - done) / done))
	echo "$((100 * done / total))%, $(clock "$seconds") so far, about $(clock "$left") left"
}

finish_step()
{
	local name=$1 title=$2 total=$3 measure=$4 pid=${step_pid[$1]}
	local begin=${step_begin[$1]} last=$SECONDS ticks=0 amount share=0 shown=0 status=0

	say "$title ... (log: $log/$name.log)"
	while kill -0 "$pid" 2>/dev/null; do
		# Short steps should not wait for the next look.
		sleep "$((ticks < 10 ? 0 : 1)).1"
		ticks=$((ticks + 1))
		[ "$ticks" -ge 10 ] || continue
		amount=$($measure)
		if [ -t 2 ]; then
			printf '\r\033[K%.*s' "${COLUMNS:-$(tput cols 2>/dev/null || echo 80)}" \
				"trapscope: $title: $(share_and_time "$amount" "$total" $((SECONDS - begin)))" >&2
			continue
		fi
		[ "$total" -eq 0 ] || share=$((10 * amount / total))
		if [ "$share" -gt "$shown" ] || [ $((SECONDS - last)) -ge 30 ]; then
			shown=$share last=$SECONDS
			say "$title: $(share_and_time "$amount" "$total" $((SECONDS - begin)))"
		fi
	done
	wait "$pid" || status=$?
	unset "step_pid[$name]"
	[ ! -t 2 ] || printf '\r\033[K' >&2

	if [ "$status" -ne 0 ]; then
		say "$title: failed (status $status). The end of its log, $log/$name.log:"
		tail -n 20 -- "$log/$name.log" | sed 's/^/  | /' >&2
		return 1
	fi
	say "$title: done in $(clock $((SECONDS - begin)))"
}
