#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a collector with a store on this machine takes as hosts double: a bench, run by hand.
#
#	tests/fleet/scale.sh [HOSTS...]    default: 125 250 500 1000
#
# PYCOST_SCALE_MINUTES of each host, as fast as they are taken (default 2); 100 workers a
# host, 20,000 functions a service. What makes the batches runs beside the collector: its
# CPU time is its own, the rates are of both.
set -eu
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build} minutes=${PYCOST_SCALE_MINUTES:-2}
make -s BUILD="$build" all "$build/simulator"
work=$(mktemp -d) collector=
clean_up() {
	[ -z "$collector" ] || kill -9 "$collector" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
[ $# -gt 0 ] || set -- 125 250 500 1000

value() { python3 -c 'import json, sys; t = json.load(open(sys.argv[1])); print(eval(sys.argv[2], t))' "$@"; }
seconds() { # COMMAND...: how long it takes
	local TIMEFORMAT=%R
	{ time "$@" >"$work/answer" 2>"$work/error"; } 2>&1
}
cpu_s() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$1/stat"; }

run() { # HOSTS
	local hosts=$1 store=$work/store-$1 log=$work/log-$1 port url cpu rss kept functions requests
	"$build/pycost" serve --quiet --store "$store" --listen 127.0.0.1:0 \
		--set limits.sender-batches=1000000 >"$log" 2>&1 &
	collector=$!
	until port=$(grep -o ' port=[0-9]*' "$log"); do
		sleep 0.1
		kill -0 "$collector" || { cat "$log"; return 1; }
	done
	url=http://127.0.0.1:${port#*=}
	"$build/simulator" --url "$url" --hosts "$hosts" --workers 100 --functions 20000 --threads 64 \
		--minutes "$minutes" >"$work/sent" 2>>"$log"
	cpu=$(cpu_s $collector)
	rss=$(awk '/VmHWM/ { print int($2 / 1024) }' /proc/$collector/status)
	functions=$(seconds "$build/pycost" query functions --url "$url" --since 2h -n 50 -f json)
	requests=$(seconds "$build/pycost" query requests --url "$url" --since 2h --by service,endpoint -f json)
	kill $collector
	wait $collector
	collector=
	kept=$(du -sk "$store" | cut -f 1)
	printf '%6d %8d %9.0f %9.2f %7d %8.1f %10.2f %9d %11.1f %9.2f %9.2f\n' "$hosts" \
		"$(value "$work/sent" batches)" \
		"$(value "$work/sent" '(cost_rows + path_rows + request_rows + bins) / seconds')" \
		"$(value "$work/sent" 'bytes / seconds / 1e6')" \
		"$(value "$work/sent" 'bytes // batches')" \
		"$(value "$work/sent" seconds)" \
		"$(value "$work/sent" "$cpu / batches * 1000")" "$rss" \
		"$(value "$work/sent" "$kept * 1024 / batches * 1440 / 1e6")" "$functions" "$requests"
}

echo "# $(nproc) processors, load $(cut -d ' ' -f 1-3 /proc/loadavg), $minutes minutes of each host"
printf '%6s %8s %9s %9s %7s %8s %10s %9s %11s %9s %9s\n' hosts batches rows/s MB/s B/batch seconds \
	ms-CPU/bat RSS-MiB MB/host/day functions requests
for hosts in "$@"; do run "$hosts"; done
