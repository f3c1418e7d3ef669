#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs pycost on Debian's amd64 kernels, under an emulated machine without PMU:
# whether their verifiers take each program and at what size, and whether the
# calls of a known script are counted right, at probes and at instructions that stand
# for them, whether requests are over when their connections are closed, and samples are
# where they must be.  What the verifiers walked through is
# compared with tests/rig/verifier.stats: see tests/rig/growth.awk.
#
#   tests/kernels.sh [--record|--untimed|--timed] [5.10|6.1|6.12|newest]...
#
# No argument means all, which takes ten minutes.  --record writes the statistics of
# these kernels anew.  --untimed leaves out what wants a machine that does little else,
# which is the calibration and samples by the clock; --timed tries nothing but these.
# RIG_LOGS=DIR keeps the consoles' output there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/rig/rig.sh
. tests/rig/rig.sh

skip_all() {
    local name
    for name; do result SKIP "$name: $why"; done
    rig_summary
    exit
}

usage="usage: tests/kernels.sh [--record|--untimed|--timed] [5.10|6.1|6.12|newest]..."
versions=(5.10 6.1 6.12 newest)
unprobed=(python3.11 python3.13) # in this order: the later one's libc is for both
stats=tests/rig/verifier.stats

# stats_of LOG: the verifier program's lines.
stats_of() {
    grep -ao 'rig: .*' "$1" | awk '{ $1 = "" } NF == 8 && ($5 $6 $7 $8) ~ /^[0-9]+$/ { print substr($0, 2) }'
}

# stats_judge VERSION PACKAGE LOG: as a result, after what there is to say.
stats_judge() {
    local line said
    said=$(stats_of "$3" | awk -v version="$1" -v package="$2" -f tests/rig/growth.awk "$stats" -)
    while IFS= read -r line; do
        case $line in
        PASS\ * | FAIL\ *) result "${line%% *}" "$1 ${line#* }" ;;
        *) echo "$1  $line" ;;
        esac
    done <<<"$said"
    summary+=("$1 (${2%%~*}): $(sed -n '$s/^[A-Z]* growth: \([^;]*\);.*/\1/p' <<<"$said")")
}

# stats_keep VERSION PACKAGE LOG: its lines replace those on record.
stats_keep() {
    local version
    {
        sed -n '/^#/p' "$stats"
        for version in "${versions[@]}"; do
            if [ "$version" = "$1" ]; then
                stats_of "$3" | sed "s/^/$1 $2 /"
            else
                awk -v version="$version" '$1 == version' "$stats"
            fi
        done
    } >"$work/stats"
    cp "$work/stats" "$stats"
    echo "$1  $(stats_of "$3" | wc -l) programs recorded in $stats"
}

# kernel_boot VERSION KERNEL: its machine; kernel_tell has what came of it.
kernel_boot() {
    local begin=$SECONDS
    rig_boot amd64 "$2" "$work/initrd" "$logs/kernel-$1.log" 900 "rig=$what"
    echo $((SECONDS - begin)) >"$work/$1.took"
}

kernel_tell() { # VERSION KERNEL
    local log=$logs/kernel-$1.log package
    rig_results "$log" "$1"
    package=$(cat "${2%/*}/version")
    [ -z "$record" ] || [ -z "$(stats_of "$log")" ] || stats_keep "$1" "$package" "$log"
    [ "$what" = timed ] || stats_judge "$1" "$package" "$log"
    echo "# $1: $(cat "$work/$1.took") s"
}

# Two machines at a time, where there are as many processors; one when all else goes before.
kernels_run() {
    local version suite kernel lanes
    declare -A kernels
    lanes=$(nproc)
    [ "$what" != untimed ] || lanes=1
    for version; do
        suite=$(rig_suite "$version")
        kernel=$(rig_kernel amd64 "$suite") || {
            result SKIP "$version: $suite's kernel cannot be fetched"
            continue
        }
        kernels[$version]=$kernel
        while [ "$(jobs -rp | wc -l)" -ge $((lanes < 2 ? lanes : 2)) ]; do wait -n; done
        kernel_boot "$version" "$kernel" &
    done
    wait
    for version; do
        [ -z "${kernels[$version]:-}" ] || kernel_tell "$version" "${kernels[$version]}"
    done
}

record='' what=all summary=()
case ${1:-} in
--record) record=1 && shift ;;
--untimed | --timed) what=${1#--} && shift ;;
esac
[ $# -gt 0 ] || set -- "${versions[@]}"
for version; do
    rig_suite "$version" >/dev/null || die "$usage"
done
why="this is no amd64 machine"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || skip_all "$@"
why="cannot install qemu-system-x86, cpio and busybox-static"
rig_need qemu-system-x86_64:qemu-system-x86 cpio:cpio busybox:busybox-static || skip_all "$@"
why="cannot fetch Python 3.9"
mkdir -p "$cache"
python=$(rig_python amd64) || skip_all "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${RIG_LOGS:-$work}
mkdir -p "$logs"
static=${BUILD:-build}/static
make -s -j"$(nproc)" FLEET=0 BUILD="$static" LDFLAGS=-static "$static/pycost" "$static/verifier" >&2
rig_tree "$work/tree" "$python" "$(command -v busybox)"
for name in "${unprobed[@]}"; do
    if root=$(root_of "${name/python3./py3}"); then
        rig_interpreter "$work/tree" "$root" "$name"
    else
        result SKIP "$name: cannot be fetched"
    fi
done
mkdir "$work/tree/rig"
cp tests/rig/{calls,counts,sleeper,attached,closes,links,spun,spins}.py tests/e2e/samples.py \
    "$static"/{pycost,verifier} "$work/tree/rig/"
strip "$work/tree/rig/pycost"
cp tests/rig/guest-kernels "$work/tree/rig/guest"
rig_pack "$work/tree" "$work/initrd"
kernels_run "$@"
[ "${#summary[@]}" = 0 ] || printf 'verifier of %s\n' "${summary[@]}"
rig_summary
