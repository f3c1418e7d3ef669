#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each export, read by programs nobody here wrote: do they see the numbers that
# tests/unit/test_costs.c works out?  usage: export.sh [BUILD]
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
pycost=$build/pycost
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pycost}
npm=$cache/export-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

pass() { echo "PASS $1"; passed=$((passed + 1)); }
fail() { echo "FAIL $1"; failed=$((failed + 1)); sed 's/^/    /' "$work/log" | tail -n 20; }
skip() { echo "SKIP $1: $2"; skipped=$((skipped + 1)); }
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$work/log" 2>&1; then pass "$name"; else fail "$name"; fi
}
# Lines of FILE that match all of the patterns (spaces stand for any space).
has() { # FILE PATTERN...
	local file=$1 pattern
	shift
	for pattern in "$@"; do
		tr -s ' \t' ' ' <"$file" | grep -qF -- "$pattern" ||
			{ echo "no '$pattern' in:"; cat "$file"; return 1; }
	done
}
apt_install() { # PACKAGE
	local install="apt-get install -y --no-install-recommends $1"
	$install || { apt-get update && $install; }
} >"$work/log" 2>&1
npm_need() {
	[ -e "$npm/done" ] && return
	command -v npm >/dev/null || return
	mkdir -p "$npm" && (
		flock 9
		[ -e "$npm/done" ] || npm install --prefix "$npm" --no-audit --no-fund --silent \
			speedscope@1.25.0 ajv@8.20.0 @elg/speedscope@1.9.0-c46bbab && touch "$npm/done"
	) 9>"$npm.lock" >"$work/log" 2>&1
}

make -s BUILD="$build" "$build/pycost" "$build/unit" >/dev/null || { echo "FAIL build"; exit 1; }
"$build/unit" --write-sample shop "$work/shop" && "$build/unit" --write-sample shop-clock "$work/clock" &&
	"$build/unit" --write-sample shop-kernel "$work/kernel" &&
	"$build/unit" --write-sample shop-sampled "$work/sampled" &&
	"$build/unit" --write-sample 100000 "$work/large" || exit 1
for format in pprof callgrind folded-kernel; do
	"$pycost" report "$work/kernel" -f $format -o "$work/kernel.$format" || exit 1
done
for format in json folded speedscope pprof callgrind; do
	"$pycost" report "$work/sampled" -f $format -o "$work/sampled.$format" || exit 1
done
"$pycost" report "$work/sampled" --natives -f folded -o "$work/natives.folded" || exit 1
for format in json folded speedscope pprof callgrind pstats; do
	"$pycost" report "$work/shop" -f $format -o "$work/shop.$format" || exit 1
	"$pycost" report "$work/clock" -f $format -o "$work/clock.$format" || exit 1
done

read_json() {
	python3 - "$work/shop.json" <<-'PYTHON'
	import json, sys
	d = json.load(open(sys.argv[1]))
	rows = {f["qualname"]: f for f in d["functions"]}
	assert d["metric"] == "instructions:u" and d["exact"] is True
	assert rows["fib"]["calls"] == 9 and rows["fib"]["cumulative"] == 60003100
	assert sum(f["self"] for f in d["functions"]) + d["outside"]["self"] == 60060280 == d["total"]
	assert {e["caller"] for e in d["edges"]} <= {f["id"] for f in d["functions"]}
	PYTHON
}
# What tests/unit/test_sampled_views.c and its neighbours know of the same samples.
read_json_sampled() {
	python3 - "$work/sampled.json" <<-'PYTHON'
	import json, math, sys
	d = json.load(open(sys.argv[1]))
	rows = {f["qualname"]: f for f in d["functions"]}
	fib, checkout = rows["fib"], rows["Shop.checkout"]
	assert d["mode"] == "sampled" and d["exact"] is False
	assert d["period"] == 1000 and d["samples"] == 120 == sum(
	    f["samples"] for f in d["functions"]) + d["outside"]["samples"]
	assert fib["calls"] is None and fib["self"] == 15000 and fib["cumulative"] == 30000
	p = 71 / 122
	assert math.isclose(checkout["self_error"], 1000 * math.sqrt(120 * p * (1 - p)))
	assert checkout["states"]["gil"] == 6 and d["states"]["import"] == 7
	assert {n["symbol"]: n["samples"] for n in checkout["natives"]}["sha256_compress"] == 30
	PYTHON
	for view in "--opcodes" "--opcodes=fib" "--natives=fib" "--lines=fib"; do
		"$pycost" report "$work/sampled" "$view" -f json | python3 -c '
import json, sys
d = json.load(sys.stdin)
part = d if "functions" not in d else d["functions"][0]
found = next(part[k] for k in ("opcodes", "natives", "lines") if k in part)
assert found and sum(x["samples"] for x in found) == part["samples"]' || return 1
	done
}
refuse_pstats_sampled() {
	"$pycost" report "$work/sampled" -f pstats -o "$work/none.pstats" 2>"$work/err" && return 1
	has "$work/err" "it is sampled, and pstats cannot do without numbers of calls" &&
		[ ! -e "$work/none.pstats" ]
}
read_callgrind_sampled() {
	callgrind_annotate --threshold=100 --auto=no "$work/sampled.callgrind" >"$work/out" &&
		has "$work/out" "120,000 (100.0%) PROGRAM TOTALS" \
			"70,000 (58.33%) /srv/shop/shop/cart.py:shop.cart.Shop.checkout" \
			"15,000 (12.50%) /srv/shop/shop/maths.py:shop.maths.fib"
}
read_pprof_sampled() {
	"$pprof" -top -nodefraction=0 "$work/sampled.pprof" >"$work/out" && has "$work/out" \
		"sampled, 1 sample per 1.000 k instructions" "Total samples = 120000instructions" \
		"15000instructions 12.50% 70.83% 30000instructions 25.00% shop.maths.fib" &&
		"$pprof" -top -lines -sample_index=samples -nodefraction=0 "$work/sampled.pprof" >"$work/out" &&
		has "$work/out" "Total samples = 120" \
			"60 50.00% 50.00% 60 50.00% shop.cart.Shop.checkout /srv/shop/shop/cart.py:12" \
			"70 58.33% shop.tools.timed.<locals>.wrapper → Shop.checkout /srv/shop/shop/tools.py:9" &&
		"$pprof" -tags "$work/sampled.pprof" >"$work/out" &&
		has "$work/out" "7000.0 (41.18%): import" "6000.0 (35.29%): gil" "4000.0 (23.53%): gc" &&
		"$pprof" -raw "$work/sampled.pprof" >"$work/out" &&
		has "$work/out" "PeriodType: instructions:u instructions" "Period: 1000"
}
read_speedscope_sampled() {
	speedscope import "$work/sampled.speedscope" >"$work/out" && has "$work/out" \
		"python3 (pid 100): instructions:u shop.cart.Shop.checkout 70000 70000" \
		"python3 (pid 100): instructions:u __main__.main 8000 93000"
}
read_folded_sampled() {
	speedscope import "$work/natives.folded" >"$work/out" && has "$work/out" \
		"natives.folded [libcrypto.so.3] sha256_compress 30000 30000" \
		"natives.folded shop.cart.Shop.checkout 6000 70000"
}
read_pstats() {
	printf 'sort cumulative\nstats\ncallers fib\n' | python3 -m pstats "$work/shop.pstats" >"$work/out"
	has "$work/out" "32 function calls (26 primitive calls) in 60058800.000" \
		"9/3 3100.000 344.444 60003100.000" "maths.py:3(shop.maths.fib)" \
		"6/2 2000.000 2000.000" "1 200.000 2200.000 /srv/shop/app.py:40(__main__.main)"
}
read_pstats_seconds() {
	echo stats | python3 -m pstats "$work/clock.pstats" >"$work/out"
	has "$work/out" "in 0.060 seconds" "0.060 0.060 0.060 0.060 /srv/shop/shop/"
}
read_snakeviz() {
	python3 -m snakeviz --version &&
		python3 -c 'import sys, pstats; from snakeviz.stats import table_rows
assert len(table_rows(pstats.Stats(sys.argv[1]))) == 6' "$work/shop.pstats"
}
read_callgrind() {
	callgrind_annotate --inclusive=yes --tree=both --threshold=100 --auto=no "$work/shop.callgrind" \
		>"$work/out" && has "$work/out" "60,060,280 (100.0%) PROGRAM TOTALS" \
		"* /srv/shop/shop/maths.py:shop.maths.fib" "2,200 ( 0.00%) < /srv/shop/app.py:__main__.main (1x)" \
		"> /srv/shop/shop/cart.py:shop.cart.Shop.checkout (10x)"
}
read_callgrind_kernel() {
	callgrind_annotate --threshold=100 --auto=no "$work/kernel.callgrind" >"$work/out" &&
		has "$work/out" "Events recorded: instructions_u instructions_k" \
			"60,060,280 (100.0%) 14,127 (100.0%) PROGRAM TOTALS" \
			"50,200 ( 0.08%) 8,000 (56.63%) /srv/shop/shop/cart.py:shop.cart.Shop.checkout"
}
read_callgrind_self() {
	callgrind_annotate --threshold=100 --auto=no "$work/clock.callgrind" >"$work/out" &&
		has "$work/out" "Events recorded: task_clock_ns" \
		"50,200 ( 0.08%) /srv/shop/shop/cart.py:shop.cart.Shop.checkout" \
		"3,100 ( 0.01%) /srv/shop/shop/maths.py:shop.maths.fib"
}
read_pprof() {
	"$pprof" -top -nodefraction=0 "$work/shop.pprof" >"$work/out" && has "$work/out" \
		"Type: instructions:u" "Total samples = 60060280instructions" \
		"3100instructions 0.0052% 100% 60003100instructions 99.90% shop.maths.fib" "<module>" &&
		"$pprof" -top -sample_index=calls "$work/clock.pprof" >"$work/out" &&
		has "$work/out" "Total samples = 32" "9 28.12% 90.62% 10 31.25% shop.maths.fib" &&
		"$pprof" -top -nodefraction=0 -tagfocus=pid=101 "$work/clock.pprof" >"$work/out" &&
		has "$work/out" "Type: task-clock" "0.90us 0.0015% 99.90% 60000.90us 99.90% shop.maths.fib"
}
speedscope() { node tests/export/speedscope.js "$npm/node_modules" "$@"; }
read_pprof_kernel() {
	"$pprof" -top -nodefraction=0 -sample_index=instructions:k "$work/kernel.pprof" >"$work/out" &&
		has "$work/out" "Type: instructions:k" "Total samples = 14127instructions" \
			"8000instructions 56.63%" "shop.cart.Shop.checkout" &&
		"$pprof" -top -nodefraction=0 "$work/kernel.pprof" >"$work/out" &&
		has "$work/out" "Type: instructions:u" "Total samples = 60060280instructions"
}
read_speedscope() {
	speedscope import "$work/shop.speedscope" >"$work/out" && has "$work/out" \
		"python3 (pid 101): instructions:u shop.maths.fib 900 60000900" \
		"python3 (pid 100): instructions:u __main__.main 2020 57420" \
		"shop.tools.timed.<locals>.wrapper → Shop.checkout 3000 53200"
}
read_folded() {
	speedscope import "$work/shop.folded" >"$work/out" && has "$work/out" \
		"shop.folded shop.maths.fib 3100 60003100" "shop.folded python3 (100) 980 58880" \
		"shop.folded shop.cart.Shop.checkout 50200 50200"
}
# A disk that is full fails the report, and leaves what was there before.
full_disk() {
	local format
	for format in table json folded speedscope pprof callgrind pstats; do
		"$pycost" report "$work/shop" -f $format -o /dev/full 2>"$work/err" && return 1
		has "$work/err" "No space left on device" || return 1
		echo before >"$work/kept"
		(trap '' XFSZ; ulimit -f 4; "$pycost" report "$work/large" -n 0 -f $format -o "$work/kept") &&
			return 1
		[ "$(cat "$work/kept")" = before ] && [ "$(ls "$work"/kept*)" = "$work/kept" ] || return 1
	done
}
broken_pipe() {
	local status
	"$pycost" report "$work/large" --limit 0 2>"$work/err" | head -n 1 >/dev/null
	(trap '' PIPE; "$pycost" report "$work/large" --limit 0 2>>"$work/err"; echo $? >"$work/status") |
		head -n 1 >/dev/null
	status=$(cat "$work/status")
	[ ! -s "$work/err" ] && [ "$status" = 0 ]
}
exit_codes() {
	local status
	"$pycost" report "$work/none" && return 1
	[ $? = 1 ] || return 1
	"$pycost" report; status=$?
	[ $status = 2 ] || return 1
	"$pycost" report "$work/shop" --sort name; status=$?
	[ $status = 2 ] || return 1
	"$pycost" nonsense; status=$?
	[ $status = 2 ] || return 1
	"$pycost" report - <"$work/shop" && "$pycost" report --help >/dev/null
}
fast_enough() { # 100,000 call paths within half a second
	local start end
	start=$(date +%s%N)
	"$pycost" report "$work/large" >/dev/null || return 1
	end=$(date +%s%N)
	echo "took $(((end - start) / 1000000)) ms"
	[ $((end - start)) -lt 500000000 ]
}

check "json: python" read_json
check "json: python, of samples" read_json_sampled
check "pstats: refused of samples" refuse_pstats_sampled
check "pstats: python3 -m pstats" read_pstats
check "pstats: seconds for task-clock" read_pstats_seconds
if python3 -c 'import snakeviz' 2>/dev/null; then
	check "pstats: snakeviz" read_snakeviz
else
	skip "pstats: snakeviz" "not installed, and Debian has no package of it"
fi
command -v callgrind_annotate >/dev/null || apt_install valgrind
if command -v callgrind_annotate >/dev/null; then
	check "callgrind: callgrind_annotate --inclusive --tree" read_callgrind
	check "callgrind: callgrind_annotate" read_callgrind_self
	check "callgrind: callgrind_annotate of two events" read_callgrind_kernel
	check "callgrind: callgrind_annotate of samples" read_callgrind_sampled
else
	skip "callgrind: callgrind_annotate" "cannot install valgrind"
fi
find_pprof() { command -v pprof || ls /usr/lib/go-*/pkg/tool/*/pprof 2>/dev/null | head -n 1; }
pprof=$(find_pprof)
[ -n "$pprof" ] || { apt_install golang-1.19-go; pprof=$(find_pprof); }
if [ -n "$pprof" ]; then
	check "pprof: go tool pprof" read_pprof
	check "pprof: go tool pprof of three values" read_pprof_kernel
	check "pprof: go tool pprof of samples" read_pprof_sampled
else
	skip "pprof: go tool pprof" "cannot install golang-1.19-go"
fi
if command -v node >/dev/null && npm_need; then
	check "speedscope: its JSON schema" speedscope schema "$work/shop.speedscope"
	check "speedscope: its importer" read_speedscope
	check "folded: speedscope's importer" read_folded
	check "speedscope: its JSON schema, of samples" speedscope schema "$work/sampled.speedscope"
	check "speedscope: its importer, of samples" read_speedscope_sampled
	check "folded: speedscope's importer, of native functions" read_folded_sampled
else
	skip "speedscope and folded: speedscope" "needs node, and npm to reach its registry"
fi
check "full disk" full_disk
check "broken pipe" broken_pipe
check "exit codes" exit_codes
check "report of 100,000 call paths within 0.5 s" fast_enough

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
