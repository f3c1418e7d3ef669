#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Compares pycost with a real instruction counter: an emulated arm64 machine has
# an exact one, whatever this machine has.  Counted without pycost, a function of
# many empty calls and one of a single long call of C cost the same; pycost must
# say so too, although its probes cost many times an empty call.
#
#   tests/pmu.sh [5.10|6.1|6.12|newest]...
#
# No argument means 6.1.  PMU_CALLS=N makes N empty calls (default 100000);
# RIG_LOGS=DIR keeps the consoles' output there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/rig/rig.sh
. tests/rig/rig.sh

skip_all() {
    local name
    for name; do result SKIP "arm64-$name: $why"; done
    rig_summary
    exit
}

# Prints a static busybox for arm64.
busybox() {
    local dir=$cache/busybox-arm64-$rig_recipe
    local work=$dir.part
    [ -e "$dir/bin/busybox" ] || (
        flock 9
        [ ! -e "$dir/bin/busybox" ] || exit 0
        rig_lists "$work" arm64 bookworm && rig_debs "$work" busybox-static || exit 1
        dpkg-deb -x "$work"/archives/busybox-static_*.deb "$work/out"
        mv "$work/out" "$dir"
        rm -rf "$work"
    ) 9>"$dir.lock" || return 1
    echo "$dir/bin/busybox"
}

pmu_run() {
    local suite kernel log=$logs/pmu-$1.log begin=$SECONDS
    suite=$(rig_suite "$1")
    kernel=$(rig_kernel arm64 "$suite") || {
        result SKIP "arm64-$1: $suite's kernel cannot be fetched"
        return 0
    }
    rig_boot arm64 "$kernel" "$work/initrd" "$log" 900
    rig_results "$log" "arm64-$1"
    echo "arm64-$1  took $((SECONDS - begin)) s"
}

[ $# -gt 0 ] || set -- 6.1
for version; do
    rig_suite "$version" >/dev/null || die "usage: tests/pmu.sh [5.10|6.1|6.12|newest]..."
done
why="cannot install qemu-system-arm and cpio"
rig_need qemu-system-aarch64:qemu-system-arm cpio:cpio || skip_all "$@"
why="cannot fetch Python 3.9 and busybox for arm64"
mkdir -p "$cache"
python=$(rig_python arm64) || skip_all "$@"
box=$(busybox) || skip_all "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${RIG_LOGS:-$work}
mkdir -p "$logs"
out=${BUILD:-build}/arm64
tests/cross.sh arm64 "$out/pycost" "$out/verifier" "$out/counted"
rig_tree "$work/tree" "$python" "$box"
mkdir "$work/tree/rig"
cp tests/rig/{costs,proof}.py "$out"/{pycost,verifier,counted} "$work/tree/rig/"
cp tests/rig/guest-pmu "$work/tree/rig/guest"
echo "${PMU_CALLS:-100000}" >"$work/tree/rig/calls"
rig_pack "$work/tree" "$work/initrd"
for version; do
    pmu_run "$version"
done
rig_summary
