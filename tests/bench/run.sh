#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What pycost costs, as ratios within one run: make bench
#
#   tests/bench/run.sh [--strict] [CRITERION]...     see --help
#
# Needs root, and for the comparisons bpftrace, bcc, perf and austin: those that are
# not to be had are left out.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "bench: attaches to processes: please run it as root" >&2; exit 1; }
for tool in bpftrace perf:linux-perf profile-bpfcc:bpfcc-tools; do
    command -v "${tool%%:*}" >/dev/null || deploy/install-deps.sh "${tool##*:}" ||
        echo "bench: goes on without ${tool##*:}" >&2
done
py39=$(tests/fetch.sh py39)
py315=$(tests/fetch.sh py315)
# With austin, which knows no 3.15.
py313=$(tests/fetch.sh py313) || py313=
py311=$(tests/fetch.sh py311) || py311=
austin=$py313/usr/bin/austin
[ -x "$austin" ] || austin=
export PYTHONDONTWRITEBYTECODE=1
exec "$py39/usr/bin/python3.9" tests/bench/bench.py --build "${BUILD:-build}" \
    --py39 "$py39" --py315 "$py315" --py311 "$py311" --py313 "$py313" --austin "$austin" "$@"
