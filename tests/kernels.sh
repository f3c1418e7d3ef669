#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs pycost on Debian's amd64 kernels, under an emulated machine without PMU:
# whether their verifiers take each program and at what size, and whether the
# calls of a known script are counted right.
#
#   tests/kernels.sh [5.10|6.1|6.12|newest]...
#
# No argument means all, which takes four minutes.  RIG_LOGS=DIR keeps the consoles' output there.
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

# kernel_run VERSION
kernel_run() {
    local suite kernel log=$logs/kernel-$1.log begin=$SECONDS
    suite=$(rig_suite "$1")
    kernel=$(rig_kernel amd64 "$suite") || {
        result SKIP "$1: $suite's kernel cannot be fetched"
        return 0
    }
    rig_boot amd64 "$kernel" "$work/initrd" "$log" 400
    rig_results "$log" "$1"
    echo "$1  took $((SECONDS - begin)) s"
}

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
for version; do
    rig_suite "$version" >/dev/null || die "usage: tests/kernels.sh [5.10|6.1|6.12|newest]..."
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
make -s -j"$(nproc)" BUILD="$static" LDFLAGS=-static "$static/pycost" "$static/verifier" >&2
rig_tree "$work/tree" "$python" "$(command -v busybox)"
mkdir "$work/tree/rig"
cp tests/rig/{calls,counts,sleeper,attached}.py "$static/pycost" "$static/verifier" "$work/tree/rig/"
strip "$work/tree/rig/pycost"
cp tests/rig/guest-kernels "$work/tree/rig/guest"
rig_pack "$work/tree" "$work/initrd"
for version; do
    kernel_run "$version"
done
rig_summary
