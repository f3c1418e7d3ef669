#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds pycost for another architecture than this machine's, static, against
# Debian's own packages of it.
#
#   tests/cross.sh [arm64|amd64] [MAKE-TARGET...]
#
# The targets are paths under build/ARCH; build/ARCH/pycost when none is named.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/rig/rig.sh
. tests/rig/rig.sh

needed=(libc6 libc6-dev linux-libc-dev libgcc-12-dev libgcc-s1 libbpf-dev libelf-dev libcapstone-dev
    zlib1g-dev liblzma-dev libiberty-dev libjansson-dev libxxhash-dev libyaml-dev libsodium-dev
    libprotobuf-c-dev libncurses-dev
    libcap-dev uthash-dev)

# Prints the directory with these packages' headers and archives.
sysroot() {
    local target=$1 sum dir work
    # A longer list makes another directory.
    sum=$(echo "${needed[@]}" | cksum)
    dir=$cache/sysroot-$1-${sum%% *} work=$dir.part
    [ -e "$dir/.complete" ] || (
        flock 9
        [ ! -e "$dir/.complete" ] || exit 0
        say "fetching the libraries for $target"
        { rig_lists "$work" "$target" bookworm && rig_debs "$work" "${needed[@]}"; } ||
            die "$(grep -m1 '^E:' "$work/log" || echo "cannot fetch the libraries for $target")"
        unpack "$work" "$work/root"
        rm -rf "$dir"
        touch "$work/root/.complete"
        mv "$work/root" "$dir"
        rm -rf "$work"
    ) 9>"$dir.lock"
    echo "$dir"
}

target=${1:-arm64}
[ $# = 0 ] || shift
case $target in
arm64) triple=aarch64-linux-gnu cpu=aarch64 ;;
amd64) triple=x86_64-linux-gnu cpu=x86_64 ;;
*) die "usage: tests/cross.sh [arm64|amd64] [MAKE-TARGET...]" ;;
esac
rig_need clang:clang ld.lld:lld bpftool:bpftool protoc-c:protobuf-c-compiler make:make ||
    die "please install clang, lld, bpftool and protobuf-c-compiler"
mkdir -p "$cache"
root=$(sysroot "$target")
build=${BUILD:-build}/$target
[ $# -gt 0 ] || set -- "$build/pycost"
make -s -j"$(nproc)" FLEET=0 BUILD="$build" MACHINE="$cpu" SYSROOT="$root" \
    CC="clang --target=$triple --sysroot=$root" LDFLAGS="-fuse-ld=lld -static" AR=ar "$@"
