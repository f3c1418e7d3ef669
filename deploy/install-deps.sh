#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what it takes to build pycost on Debian 12, as far as it is missing:
#
#   deploy/install-deps.sh [PACKAGE]...     these packages too
#   deploy/install-deps.sh --duckdb         nothing but DuckDB's library: see fetch-duckdb.sh
#
# FLEET=0 does without DuckDB, which only a collector's store in a directory needs.
# Says nothing and needs no rights when nothing is missing.
set -euo pipefail
export LC_ALL=C

duckdb=$(dirname "$0")/fetch-duckdb.sh
[ "${1:-}" != --duckdb ] || exec "$duckdb"

packages=(
    # The compilers: one for the kernel, one for what runs in user space.
    clang bpftool gcc libc6-dev make pkg-config
    protobuf-compiler protobuf-c-compiler
    # The libraries.
    libbpf-dev libelf-dev libcapstone-dev zlib1g-dev liblzma-dev libiberty-dev libjansson-dev
    libxxhash-dev libyaml-dev libsodium-dev uthash-dev libprotobuf-c-dev libncurses-dev libcap-dev
    # What is for many hosts: the agent and the collector.
    libmicrohttpd-dev libgnutls28-dev libcurl4-openssl-dev libzstd-dev libsqlite3-dev libsystemd-dev
    # make check and make fuzz: unit tests, and clang's sanitizers.
    libcunit1-dev libclang-rt-dev
    # make demo and the end-to-end tests: tests/fetch.sh and what it leads to.
    ca-certificates debian-archive-keyring util-linux procps
    "$@"
)

die() { echo "install-deps: $*" >&2; exit 1; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Lists that are at hand will do, unless they name what the mirror has no more.
install() { apt-get -qq -y install --no-install-recommends "${missing[@]}" </dev/null >"$log" 2>&1; }

install_packages() {
    local package missing=() log
    if ! command -v dpkg-query || ! command -v apt-get; then
        echo "install-deps: no apt-get here; make sure that these, or what they are called" \
            "here, are installed: ${packages[*]}" >&2
        return
    fi >/dev/null
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] ||
        die "not root: please run: apt-get install --no-install-recommends ${missing[*]}"
    echo "installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2064 # the file of now
    trap "rm -f '$log'" EXIT
    install || {
        apt-get -qq update </dev/null >"$log" 2>&1 && install
    } || {
        tail -n 20 "$log" >&2
        die "cannot install ${missing[*]}"
    }
}

install_packages
# Nothing is built of it: without a network, all but a store in a directory works.
[ "${FLEET:-1}" = 0 ] || [ -n "${PYCOST_DUCKDB:-}" ] || "$duckdb" ||
    echo "install-deps: going on without DuckDB, which only a store in a directory needs" >&2
