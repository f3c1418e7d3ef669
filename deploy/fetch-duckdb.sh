#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs DuckDB's library, which keeps the collector's store in a directory:
#
#   deploy/fetch-duckdb.sh [DIRECTORY]      default: /usr/local/lib/pycost
#
# Debian 12 has no package of it. The library is the one that DuckDB's authors publish for
# Node.js: it needs no Node.js, and glibc 2.25. Says nothing when it is there already.
# PYCOST_CACHE says where the download is kept, PYCOST_NPM is another npm registry.
set -euo pipefail
export LC_ALL=C
umask 022

version=1.5.5-r.5
declare -A names=([x86_64]=node-bindings-linux-x64 [aarch64]=node-bindings-linux-arm64)
declare -A sums=(
    [x86_64]=902caae815e19fa4177f017cc957552ab8924873feadf556709e7a706f2a67394e669c72bd3e561a6ea332c871838762b4b94eb07b0837f0f8ed162b7235ee1d
    [aarch64]=09a7c7d8022f5eda700f29c6dca07fe2e10e1d11a516807b6ae091308c07dc128d2286ec00d5792d2a43277b5fc9108522c2ba7bc013d5eb1e5959eed83bf773
)

die() { echo "fetch-duckdb: $*" >&2; exit 1; }

machine=${MACHINE:-$(uname -m)}
into=${1:-/usr/local/lib/pycost}
name=${names[$machine]:-}
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pycost}
kept=$cache/duckdb-$version-$machine.tgz

[ -n "$name" ] || die "no library for $machine: on this machine only ClickHouse can be the store"
[ "$(cat "$into/libduckdb.version" 2>/dev/null)" != "$version-$machine" ] ||
    [ ! -e "$into/libduckdb.so" ] || exit 0

registry() {
    local found=${PYCOST_NPM:-}
    [ -n "$found" ] || ! command -v npm >/dev/null || found=$(npm config get registry 2>/dev/null)
    [[ $found = http* ]] || found=https://registry.npmjs.org
    echo "${found%/}"
}

# With curl or, as every Debian has it, apt's own means.
download() { # URL FILE
    if command -v curl >/dev/null; then
        curl -fsSL --retry 2 -o "$2" "$1"
    else
        /usr/lib/apt/apt-helper download-file "$1" "$2" >/dev/null
    fi
}

right() { echo "${sums[$machine]}  $1" | sha512sum --quiet --check --status 2>/dev/null; }

mkdir -p "$cache"
work=$(mktemp -d "$cache/duckdb.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ ! -e "$kept" ] || ! right "$kept"; then
    url=$(registry)/@duckdb/$name/-/$name-$version.tgz
    echo "fetching DuckDB ${version%%-*}, 23 MB" >&2
    download "$url" "$work/tgz" || die "cannot fetch $url"
    right "$work/tgz" || die "$url is not what it was: its checksum differs from the one noted here"
    mv "$work/tgz" "$kept"
fi
tar -C "$work" --no-same-owner -xzf "$kept" package/libduckdb.so package/LICENSE
if ! mkdir -p "$into" 2>/dev/null || [ ! -w "$into" ]; then
    own=$cache/duckdb-$version-$machine
    rm -rf "$own"
    mv "$work/package" "$own"
    die "not root, $into cannot be written: export PYCOST_DUCKDB=$own or run it as root"
fi
install -m 0644 "$work/package/LICENSE" "$into/libduckdb.LICENSE"
# In one step: a collector may have the old one loaded.
install -m 0644 "$work/package/libduckdb.so" "$into/.libduckdb.so.new"
mv "$into/.libduckdb.so.new" "$into/libduckdb.so"
echo "$version-$machine" >"$into/libduckdb.version"
