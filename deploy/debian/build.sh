#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds Debian packages of what is built in BUILD: make deb
#
#   deploy/debian/build.sh [OUTPUT-DIRECTORY]      BUILD/deb when it is not given
#
# pycost has all commands, its manual, units for systemd and sample configurations; nothing is
# enabled or started when it is installed. pycost-duckdb has the collector's embedded store,
# a library that is not Debian's, as deploy/install-deps.sh fetched it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

build=${BUILD:-build}
out=${1:-$build/deb}
library=${PYCOST_DUCKDB_LIBRARY:-/usr/local/lib/pycost/libduckdb.so}
# The time of the last change, so that equal sources make equal packages.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

die() { echo "deb: $*" >&2; exit 1; }
for tool in dpkg-deb dpkg-shlibdeps gzip strip; do
    command -v "$tool" >/dev/null || die "$tool is missing: please install dpkg-dev and binutils"
done
[ -x "$build/pycost" ] || die "no $build/pycost: run make first"
version=$("$build/pycost" --version | sed 's/^pycost //')
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# control PACKAGE ROOT DEPENDS SUMMARY DESCRIPTION
control() {
    local size
    size=$(du -sk --exclude=DEBIAN "$2" | cut -f1)
    mkdir -p "$2/DEBIAN"
    cat >"$2/DEBIAN/control" <<END
Package: $1
Version: $version
Architecture: $arch
Maintainer: The pycost developers <pycost@localhost>
Installed-Size: $size
Depends: $3
Section: devel
Priority: optional
Description: $4
$(sed 's/^/ /' <<<"$5")
END
    [ "$1" != pycost ] || sed -i '/^Depends/a Recommends: pycost-duckdb' "$2/DEBIAN/control"
}

# make ROOT PACKAGE: the package of a tree.
pack() {
    find "$1" -type d -exec chmod 0755 {} +
    find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    mkdir -p "$out"
    dpkg-deb --root-owner-group -b "$1" "$out/$2_${version}_$arch.deb" >/dev/null
    echo "$out/$2_${version}_$arch.deb"
}

copyright() {
    install -D -m 0644 LICENSE "$1/usr/share/doc/$2/copyright"
    gzip -9n <CHANGELOG.md >"$1/usr/share/doc/$2/changelog.gz"
    chmod 0644 "$1/usr/share/doc/$2/changelog.gz"
}

# What its libraries are called, and from which version on.
needs() {
    mkdir -p "$work/shlibs/debian"
    printf 'Source: pycost\n\nPackage: pycost\nArchitecture: any\n' >"$work/shlibs/debian/control"
    (cd "$work/shlibs" && dpkg-shlibdeps -O "$1" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

root=$work/pycost
make -s install BUILD="$build" DESTDIR="$root" prefix=/usr
strip --strip-unneeded "$root/usr/bin/pycost"
gzip -9n "$root"/usr/share/man/man1/pycost.1
install -D -m 0644 -t "$root/lib/systemd/system" deploy/systemd/*.service
mkdir -p "$root/etc/pycost"
copyright "$root" pycost
control pycost "$root" "$(needs "$root/usr/bin/pycost")" \
    "what Python functions and web requests cost, in CPU instructions" \
    "Attaches to Python workers that run already, without a restart or a change to
their code, and says what each function and each request costs. The same program
is the agent of a host and the collector of a fleet."
pack "$root" pycost

if [ -e "$library" ]; then
    root=$work/duckdb
    install -D -m 0644 "$library" "$root/usr/lib/pycost/libduckdb.so"
    mkdir -p "$root/usr/share/doc/pycost-duckdb"
    cat >"$root/usr/share/doc/pycost-duckdb/copyright" <<'END'
libduckdb.so is DuckDB (https://duckdb.org), Copyright Stichting DuckDB Foundation, under
the MIT licence; it is distributed as it is published in the npm registry.
END
    control pycost-duckdb "$root" "libc6 (>= 2.25), libgcc-s1, libstdc++6" \
        "the store of pycost's collector" \
        "DuckDB's library, with which pycost serve keeps what agents ship in one file. It
is not needed for agents, nor where the store is ClickHouse."
    pack "$root" pycost-duckdb
else
    echo "deb: no $library, so no package pycost-duckdb: deploy/install-deps.sh fetches it" >&2
fi
