#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds, and runs every test: make check.  The first run fetches interpreters.
#
#   tests/check.sh [-v] [SECTION...]    sections as below; -v shows what passed, too
#
# The whole output is kept in BUILD/check.log.  PYCOST_TEST_COSTS=1 adds the test of
# calibrated costs as time, which wants a quiet machine; as instructions, they are
# tested in the section "emulated". PYCOST_TEST_LONG=1 samples each Python in "stacks" as much
# as else all together, and sends a million requests in "request_truth".
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8
export BUILD=${BUILD:-build}
verbose=
[ "${1:-}" != -v ] || { verbose=1; shift; }
wanted=" $* "
log=$BUILD/check.log
mkdir -p "$BUILD" && : >"$log" || exit 1
passed=0 failed=0 skipped=0 began=$SECONDS
failures=()
again=	# set: a section that fails is run once more

# Tests that say so themselves, and those of CUnit, which tells numbers only.
count() { # NAME OUTPUT STATUS
	local name=$1 output=$2 status=$3 p f s line cunit
	p=$(grep -c '^PASS ' "$output") f=$(grep -c '^FAIL ' "$output") s=$(grep -c '^SKIP ' "$output")
	cunit=$(sed -n 's/^ *tests *[0-9]* *\([0-9]*\) *\([0-9]*\) *\([0-9]*\).*/\1 \2 \3/p' "$output")
	if [ -n "$cunit" ]; then
		read -r ran good bad <<<"$cunit"
		p=$((p + good)) f=$((f + bad))
		[ "$bad" = 0 ] || failures+=("$name: $bad of $ran unit tests")
	fi
	while IFS= read -r line; do failures+=("$name: ${line#FAIL }"); done < <(grep '^FAIL ' "$output")
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then
		f=1
		failures+=("$name: ended with status $status")
		tail -n 15 "$output"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	tally="$p passed, $f failed, $s skipped"
}

section() { # NAME COMMAND...
	local name=$1 start=$SECONDS output status tally
	shift
	[ "$wanted" = "  " ] || [[ $wanted = *" $name "* ]] || return 0
	output=$(mktemp)
	printf '== %s ==\n' "$name" | tee -a "$log"
	"$@" >"$output" 2>&1 </dev/null
	status=$?
	cat "$output" >>"$log"
	if [ $status != 0 ] && [ -n "$again" ]; then
		grep -E '^FAIL ' "$output" | cut -c1-300
		echo "   failed after $((SECONDS - start)) s; once more, as the machine may have been busy:"
		"$@" >"$output" 2>&1 </dev/null
		status=$?
		cat "$output" >>"$log"
	fi
	count "$name" "$output" $status
	if [ -n "$verbose" ]; then cat "$output"; else grep -E '^(FAIL|SKIP) ' "$output"; fi
	rm -f "$output"
	echo "   $tally, $((SECONDS - start)) s"
	[ "$status" = 0 ]
}

fuzzers() {
	make -s fuzz BUILD="$BUILD" FUZZ_SECONDS="${FUZZ_SECONDS:-5}" && for f in tests/fuzz/*.c; do
		echo "PASS $(basename "$f" .c)"
	done
}
sanitized_build() { make -s -j2 SANITIZE=address,undefined BUILD="$BUILD-asan" "$BUILD-asan/$1"; }
sanitized_unit() { sanitized_build unit && "$BUILD-asan/unit"; }
sanitized_record() {
	sanitized_build pycost || return
	PYCOST=$BUILD-asan/pycost tests/e2e/fork.py forks &&
		PYCOST=$BUILD-asan/pycost tests/e2e/threads.py per_thread
}
# The two emulated machines share nothing but the processors.
emulated() {
	local kernels status=0
	kernels=$(mktemp)
	tests/kernels.sh >"$kernels" 2>&1 &
	tests/pmu.sh || status=1
	wait $! || status=1
	cat "$kernels"
	rm -f "$kernels"
	return $status
}
privileged() { [ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ]; }

# What these change is needed by all: no section, and no test.
echo "== setup =="
{ tests/setup.sh && tests/fetch.sh all >/dev/null; } || {
	echo "FAIL setup: cannot get what the tests need"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
make -s -j2 BUILD="$BUILD" all "$BUILD/unit" "$BUILD/load" "$BUILD/served" "$BUILD/turner" || {
	echo "FAIL build"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
echo "   $((SECONDS - began)) s"

section unit "$BUILD/unit"
section asan-unit sanitized_unit
section fuzz fuzzers
section export tests/export.sh "$BUILD"
section layout tests/layout/check.sh
section opcodes tests/opcodes/check.sh
section qualname tests/qualname/check.sh
section lines tests/lines/check.sh
section middleware tests/marks/check.sh
! privileged || section walk tests/walk/check.sh
privileged || echo "No root, or no BPF here: the end-to-end tests are SKIPPED: they prove the most."
# These share processors with what they measure, and with whatever else runs here.
again=1
for test in tests/e2e/*.py tests/e2e/*.sh; do
	name=$(basename "${test%.*}")
	case $name in
	lib | pprof | rig | samples | server | watched) continue ;;
	costs) [ "${PYCOST_TEST_COSTS:-}" = 1 ] || continue ;;
	esac
	section "$name" "$test"
done
section asan-record sanitized_record
section emulated emulated

echo
if [ "${#failures[@]}" -gt 0 ]; then
	echo "Failed:"
	printf '  %s\n' "${failures[@]}"
fi
echo "All of it: $log ($((SECONDS - began)) s)"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
