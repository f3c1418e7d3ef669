#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what building and testing need and this machine lacks; as root, on Debian.
# Prints what it installs, nothing else.  Never removes or upgrades anything.
set -eu

packages=(
	# to build
	bpftool clang gcc libc6-dev libbpf-dev libcap-dev libelf-dev libjansson-dev
	libncurses-dev libprotobuf-c-dev libxxhash-dev make pkg-config protobuf-c-compiler
	uthash-dev zlib1g-dev
	# to test: unit tests and fuzzers, interpreters, rights, exports
	ca-certificates curl debian-archive-keyring libcunit1-dev libcap2-bin python3 util-linux
	libclang-rt-dev procps golang-1.19-go mandoc nodejs npm tmux valgrind
)

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'; }

missing=()
for package in "${packages[@]}"; do
	installed "$package" || missing+=("$package")
done
# Another way to have node, npm or pprof is as good.
for have in node:nodejs npm:npm pprof:golang-1.19-go; do
	! command -v "${have%%:*}" >/dev/null || missing=("${missing[@]/#${have##*:}/}")
done
read -r -a missing <<<"${missing[*]:-}"
[ "${#missing[@]}" -gt 0 ] || exit 0
echo "setup: installing ${missing[*]}"
[ "$(id -u)" = 0 ] || { echo "setup: not root: please install them" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
try() { # one that cannot be had must not keep the others out
	apt-get -qq -y install --no-install-recommends "$@" >>"$log" 2>&1
}
apt-get -qq update >>"$log" 2>&1 || true
try "${missing[@]}" || for package in "${missing[@]}"; do
	try "$package" || echo "setup: cannot install $package" >&2
done
for package in "${missing[@]}"; do
	installed "$package" || { tail -n 20 "$log" >&2; exit 1; }
done
