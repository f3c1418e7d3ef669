#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds, and runs every test: make check.  The first run fetches interpreters.
#
#   tests/check.sh [-v] [SECTION...]    sections as below; -v shows what passed, too
#
# The whole output is kept in BUILD/check.log.  PYCOST_TEST_COSTS=1 adds the test of
# calibrated costs as time, which wants a quiet machine; as instructions, they are
# tested in the section "pmu". PYCOST_TEST_LONG=1 samples each Python in "stacks" as much
# as else all together, sends a million requests in "request_truth", kills oftener in "faults", and tries
# ClickHouse with replicas and of today.
#
# The emulated machines of "pmu" and "kernels", and what else no clock is looked at for, run
# from the beginning, with what the other sections leave of the processors. What fails beside them is tried once more when they are
# done: only the failed tests, where a line "# NAME: N s" follows what each of them says.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
export BUILD=${BUILD:-build}
verbose=
[ "${1:-}" != -v ] || { verbose=1; shift; }
wanted=" $* "
log=$BUILD/check.log
mkdir -p "$BUILD" && : >"$log" && outputs=$(mktemp -d) || exit 1
passed=0 failed=0 skipped=0 began=$SECONDS
failures=() durations=() retries=()
again=	# set: a section that fails is tried once more
declare -A command_of started behind

# What runs in the background is a session of its own: a machine is in a group of its own.
clean_up() {
	local session
	for session in "${behind[@]}"; do pkill -TERM -s "$session"; done
	rm -rf "$outputs"
}
trap clean_up EXIT
trap 'stopped; exit 143' TERM
trap 'exit 130' INT

is_wanted() { [ "$wanted" = "  " ] || [[ $wanted = *" $1 "* ]]; }
heading() { printf '== %s ==\n' "$1" | tee -a "$log"; }

# CUnit's table has a row "tests"; a compiler's message may begin with the same letters.
cunit_row() { # OUTPUT: how many ran, passed and failed
	sed -nE 's/^ *tests +[0-9]+ +([0-9]+) +([0-9]+) +([0-9]+) +[0-9]+$/\1 \2 \3/p' "$1" | tail -n 1
}

# Tests that say so themselves, and those of CUnit, which tells numbers only.
count() { # NAME OUTPUT STATUS
	local name=$1 output=$2 status=$3 p f s line cunit ran good bad
	p=$(grep -c '^PASS ' "$output") f=$(grep -c '^FAIL ' "$output") s=$(grep -c '^SKIP ' "$output")
	cunit=$(cunit_row "$output")
	if [ -n "$cunit" ]; then
		read -r ran good bad <<<"$cunit"
		p=$((p + good)) f=$((f + bad))
		[ "$bad" = 0 ] || failures+=("$name: $bad of $ran unit tests")
	fi
	while IFS= read -r line; do failures+=("$name: ${line#FAIL }"); done < <(grep '^FAIL ' "$output")
	if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ $((p + s)) = 0 ]; }; then
		f=1
		failures+=("$name: ended with status $status, after $p tests")
		tail -n 15 "$output"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	tally="$p passed, $f failed, $s skipped"
}

# What a section said and how it ended, the last time that it was run.
conclude() { # NAME OUTPUT STATUS SECONDS
	local tally
	count "$1" "$2" "$3"
	if [ -n "$verbose" ]; then cat "$2"; else grep -E '^(FAIL|SKIP) ' "$2"; fi
	echo "   $tally, $4 s"
	durations+=("$4 $1")
}

section() { # NAME COMMAND...
	local name=$1 start=$SECONDS output=$outputs/$1 status
	shift
	is_wanted "$name" || return 0
	heading "$name"
	"$@" >"$output" 2>&1 </dev/null
	status=$?
	cat "$output" >>"$log"
	if [ $status != 0 ] && [ -n "$again" ]; then
		command_of[$name]=$*
		later "$name" $status $((SECONDS - start))
	else
		conclude "$name" "$output" $status $((SECONDS - start))
	fi
}

later() { # NAME STATUS SECONDS
	grep -E '^FAIL ' "$outputs/$1" | cut -c1-300
	echo "   failed after $3 s; once more in the end, as the machine may have been busy"
	retries+=("$1 $2 $3")
}

start_behind() { # NAME COMMAND...
	local name=$1
	shift
	is_wanted "$name" || return 0
	command_of[$name]=$* started[$name]=$SECONDS
	# The kernel shares processors out among sessions first, where it has autogroups.
	# shellcheck disable=SC2016 # the inner shell expands it
	setsid bash -c 'echo 19 2>/dev/null >/proc/self/autogroup; exec chrt --idle 0 "$@"' bash "$@" \
		>"$outputs/$name" 2>&1 </dev/null &
	behind[$name]=$!
}

join() { # NAME
	local name=$1 status took
	[ -n "${behind[$name]:-}" ] || return 0
	heading "$name"
	wait "${behind[$name]}"
	status=$?
	unset "behind[$name]"
	cat "$outputs/$name" >>"$log"
	took=$((SECONDS - started[$name]))
	if [ $status != 0 ]; then
		later "$name" $status "$took"
	else
		conclude "$name" "$outputs/$name" 0 "$took"
	fi
}

# Which tests failed, a line each: none unless that is said of every failure.
failed_tests() { # OUTPUT
	awk '/^FAIL / { bad = 1; said = "" }
		/^# [^ ]+: [0-9]+ s$/ { if (bad) names = names substr($2, 1, length($2) - 1) "\n"; bad = 0 }
		/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { said = 1 }
		END { if (!bad && said) printf "%s", names }' "$1"
}

# What the others said.
other_tests() { # OUTPUT NAME...
	local output=$1
	shift
	awk -v failed=" $* " '{ chunk = chunk $0 "\n" }
		/^# [^ ]+: [0-9]+ s$/ {
			if (!index(failed, " " substr($2, 1, length($2) - 1) " ")) printf "%s", chunk
			chunk = ""
		}' "$output"
}

retry() { # NAME STATUS SECONDS
	local name=$1 status=$2 took=$3 start=$SECONDS output=$outputs/$1 command names=()
	read -ra command <<<"${command_of[$name]}"
	heading "$name, once more"
	# Only files take names, and end with 1 when it is their tests that failed.
	[ ! -f "${command[0]}" ] || [ "$status" != 1 ] || mapfile -t names < <(failed_tests "$output")
	[ "${#names[@]}" = 0 ] || echo "   ${names[*]}"
	"${command[@]}" "${names[@]}" >"$output.again" 2>&1 </dev/null
	status=$?
	cat "$output.again" >>"$log"
	if [ "${#names[@]}" -gt 0 ]; then other_tests "$output" "${names[@]}"; fi >"$output.others"
	cat "$output.others" "$output.again" >"$output"
	conclude "$name" "$output" $status $((took + SECONDS - start))
}

fuzzers() { make -s -k -j2 --output-sync=target fuzz BUILD="$BUILD" FUZZ_SECONDS="${FUZZ_SECONDS:-5}"; }
sanitized_build() { make -s -j2 SANITIZE=address,undefined BUILD="$BUILD-asan" "$BUILD-asan/$1"; }
sanitized_unit() { sanitized_build unit && "$BUILD-asan/unit"; }
export -f sanitized_build sanitized_unit
sanitized_record() {
	sanitized_build pycost || return
	PYCOST=$BUILD-asan/pycost tests/e2e/fork.py forks &&
		PYCOST=$BUILD-asan/pycost tests/e2e/threads.py per_thread
}
sum_up() {
	echo
	if [ "${#failures[@]}" -gt 0 ]; then
		echo "Failed:"
		printf '  %s\n' "${failures[@]}"
	fi
	echo "Seconds: $(printf '%s\n' "${durations[@]}" | sort -rn | awk '{ print $2, $1 }' | paste -sd, | sed 's/,/, /g')" |
		fold -s -w 100 | tee -a "$log"
	echo "All of it: $log ($((SECONDS - began)) s)"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
stopped() {
	local retry
	trap '' TERM # it comes to the process and to its group
	for retry in "${retries[@]}"; do failures+=("${retry%% *}: failed beside others"); done
	failures+=("stopped before the end")
	failed=$((failed + ${#retries[@]} + 1))
	sum_up
}
privileged() { [ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ]; }
give_up() { # WHY
	echo "FAIL $1"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

# What these change is needed by all: no section, and no test.  The mirror and the
# compiler need not wait for each other.
echo "== setup =="
tests/setup.sh || give_up "setup: cannot install what the tests need"
long=
[ "${PYCOST_TEST_LONG:-}" != 1 ] || long='zookeeper chdb'
# shellcheck disable=SC2086 # a list
tests/fetch.sh all $long >/dev/null &
fetch=$!
make -s -j2 BUILD="$BUILD" all "$BUILD/unit" "$BUILD/load" "$BUILD/served" "$BUILD/turner" \
	"$BUILD/store_json" "$BUILD/store-kills" "$BUILD/store-full" "$BUILD/batches" \
	"$BUILD/spooled" "$BUILD/simulator" "$BUILD/courier" "$BUILD/stores" || give_up build
wait "$fetch" || give_up "setup: cannot get the interpreters that the tests need"
durations+=("$((SECONDS - began)) setup")
echo "   $((SECONDS - began)) s"

start_behind pmu tests/pmu.sh
start_behind kernels tests/kernels.sh --untimed
start_behind asan-unit bash -c sanitized_unit
start_behind qualname tests/qualname/check.sh
start_behind clickhouse tests/fleet/clickhouse.py
start_behind otlp-others tests/fleet/otlp_others.py
if [ "${PYCOST_TEST_LONG:-}" = 1 ]; then
	start_behind clickhouse-today tests/fleet/clickhouse_today.py
	start_behind clickhouse-replicas tests/fleet/clickhouse_replicas.py
fi
! privileged || start_behind agent tests/fleet/agent.py # most of it waits for minutes to end
section unit "$BUILD/unit"
section fuzz fuzzers
section store-kills "$BUILD/store-kills" 40
! privileged || section store-full "$BUILD/store-full"
section export tests/export.sh "$BUILD"
section layout tests/layout/check.sh
section opcodes tests/opcodes/check.sh
section lines tests/lines/check.sh
section middleware tests/marks/check.sh
section query tests/fleet/query.py
section serve tests/fleet/serve.py
section serve-life tests/fleet/serve_life.py
section serve-exports tests/fleet/otlp.py
section serve-kills tests/fleet/serve_kills.py
! privileged || section faults tests/fleet/faults.py
section deploy tests/fleet/deploy.sh
! privileged || section walk tests/walk/check.sh
privileged || echo "No root, or no BPF here: the end-to-end tests are SKIPPED: they prove the most."
# These share processors with what they measure, and with whatever else runs here.
again=1
for test in tests/e2e/*.py tests/e2e/*.sh; do
	name=$(basename "${test%.*}")
	case $name in
	batch | lib | pprof | protobuf | rig | samples | server | watched) continue ;;
	costs) [ "${PYCOST_TEST_COSTS:-}" = 1 ] || continue ;;
	esac
	section "$name" "$test"
done
# As on kernels before 6.5.
! privileged || section requests-by-calls env PYCOST_TRACE_SYSCALLS=1 tests/e2e/requests.py
join qualname
join clickhouse
join otlp-others
if [ "${PYCOST_TEST_LONG:-}" = 1 ]; then
	join clickhouse-today
	join clickhouse-replicas
fi
join agent
join asan-unit
section asan-record sanitized_record
join kernels
join pmu
# On a machine that does nothing else.
section kernels-timed tests/kernels.sh --timed
while [ "${#retries[@]}" -gt 0 ]; do
	read -ra words <<<"${retries[0]}"
	retry "${words[@]}"
	retries=("${retries[@]:1}")
done

sum_up
