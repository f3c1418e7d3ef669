#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What pycost costs, as ratios within one run: make bench
#
#   tests/bench/run.sh [--strict] [CRITERION]...     see --help
#
# Needs root, and bpftrace for one of the comparisons.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "bench: attaches to processes: please run it as root" >&2; exit 1; }
command -v bpftrace >/dev/null || deploy/install-deps.sh bpftrace
py39=$(tests/fetch.sh py39)
py315=$(tests/fetch.sh py315)
export PYTHONDONTWRITEBYTECODE=1
exec "$py39/usr/bin/python3.9" tests/bench/bench.py --build "${BUILD:-build}" \
    --py39 "$py39" --py315 "$py315" "$@"
