#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Compares pycost with a real instruction counter: an emulated arm64 machine has
# an exact one, whatever this machine has.
#
#   tests/pmu.sh [5.10|6.1|6.12|newest]...
#
# No argument means all, which takes ten minutes.  On 6.1 everything is tried: whether
# the counts repeat, beside a competitor and among threads too, whether they add up to
# what the counter saw, what is left of each kind of code when the profiler is taken
# out, whether kernel mode is told apart, whether samples find what the counter saw, what
# becomes of it all when others hold the counters, whether a request costs the same each
# time and all add up, and, once more with two processors, what a thread costs that moves
# between them.  On the others whether the counts repeat, add up, and are the same on all,
# and whether threads and children can be sampled; and on the newest, which shows requests
# in another way, whether a request costs the same each time there too.
# PMU_FULL=1 tries everything everywhere, PMU_ONLY=part|moving|site so much and no more;
# RIG_LOGS=DIR keeps the consoles' output there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/rig/rig.sh
. tests/rig/rig.sh

# What runs in the guest.
proof=({proof,common,stopped,same,table,pressure,migrate,kernel_mode,sampled}.py
    {rounds,work,planted,workers,family,moving,profiled,in_turn,natively,site,serves}.py)

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

# What proof.py is told, a machine for each.
pmu_machines() {
    if [ -n "${PMU_ONLY:-}" ]; then
        echo "$PMU_ONLY"
    elif [ -n "${PMU_FULL:-}" ] || [ "$1" = 6.1 ]; then
        echo full moving
    elif [ "$1" = newest ]; then
        echo part site
    else
        echo part
    fi
}

# pmu_boot VERSION: its machines, one after the other; pmu_tell has what came of them.
pmu_boot() {
    local version=$1 what cpus begin
    for what in $(pmu_machines "$version"); do
        begin=$SECONDS cpus=1
        [ "$what" != moving ] || cpus=2
        RIG_CPUS=${RIG_CPUS:-$cpus} rig_boot arm64 "${kernels[$version]}" "$work/initrd" \
            "$logs/pmu-$version-$what.log" 1500 "rig=$what"
        echo $((SECONDS - begin)) >"$work/$version-$what.took"
    done
}

pmu_tell() {
    local version=$1 what log took all=0
    for what in $(pmu_machines "$version"); do
        log=$logs/pmu-$version-$what.log
        rig_results "$log" "arm64-$version"
        # Kept for the comparison of kernels.
        ! grep -aq 'rig: same' "$log" || ran+=("$version=$log")
        took=$(cat "$work/$version-$what.took") all=$((all + took))
        echo "arm64-$version  $what, took $took s"
    done
    echo "# $version: $all s"
}

# The machines of 6.1 take as long as all others, and run beside them.
pmu_run() {
    local version behind=
    for version; do
        if [ "$version" = 6.1 ] && [ $# -gt 1 ]; then
            pmu_boot "$version" &
            behind=$!
        fi
    done
    for version; do
        if [ "$version" != 6.1 ] || [ $# = 1 ]; then
            pmu_boot "$version"
            pmu_tell "$version"
        fi
    done
    [ -z "$behind" ] || { wait "$behind" && pmu_tell 6.1; }
}

# Whether the kernels agree.
pmu_across() {
    local line lines
    [ "${#ran[@]}" -gt 1 ] || return 0
    lines=$(python3 tests/rig/across.py "${ran[@]}") || result FAIL "arm64 across kernels: $lines"
    while IFS= read -r line; do
        result "${line%% *}" "arm64 ${line#* }"
    done < <(grep -E '^(PASS|FAIL) ' <<<"$lines")
}

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
for version; do
    rig_suite "$version" >/dev/null || die "usage: tests/pmu.sh [5.10|6.1|6.12|newest]..."
done
why="cannot install qemu-system-arm, cpio and python3"
rig_need qemu-system-aarch64:qemu-system-arm cpio:cpio python3:python3 || skip_all "$@"
why="cannot fetch Python 3.9 and busybox for arm64"
mkdir -p "$cache"
py39=$(rig_python arm64 3.9) || skip_all "$@"
py315=$(rig_python arm64 3.15) || {
    py315=
    result SKIP "arm64 3.15: cannot be fetched for arm64"
}
box=$(busybox) || skip_all "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${RIG_LOGS:-$work}
mkdir -p "$logs"
out=${BUILD:-build}/arm64
tests/cross.sh arm64 "$out/pycost" "$out/verifier" "$out/counted"
rig_tree "$work/tree" "$py39" "$box"
[ -z "$py315" ] || rig_interpreter "$work/tree" "$py315" python3.15
mkdir "$work/tree/rig"
cp "${proof[@]/#/tests/rig/}" tests/e2e/samples.py "$out"/{pycost,verifier,counted} "$work/tree/rig/"
cp tests/rig/guest-pmu "$work/tree/rig/guest"
rig_pack "$work/tree" "$work/initrd"
ran=()
declare -A kernels
for version; do
    suite=$(rig_suite "$version")
    if ! kernels[$version]=$(rig_kernel arm64 "$suite"); then
        result SKIP "arm64-$version: $suite's kernel cannot be fetched"
        unset "kernels[$version]"
    fi
done
mapfile -t fetched < <(printf '%s\n' "${!kernels[@]}" | sort -V)
[ "${#kernels[@]}" = 0 ] || pmu_run "${fetched[@]}"
pmu_across
rig_summary
