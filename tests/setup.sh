#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what testing needs beside building, as far as this machine lacks it.
set -eu

# Rights, memory errors, and other people's readers of the exports.
packages=(curl libcap2-bin mandoc python3 python3-prometheus-client tmux valgrind zstd)
# Another way to have these is as good.  What emulates machines comes now, too: they run
# beside other tests, and only one can install at a time.
for have in node:nodejs npm:npm pprof:golang-1.19-go busybox:busybox-static cpio:cpio \
	ld.lld:lld qemu-system-aarch64:qemu-system-arm qemu-system-x86_64:qemu-system-x86; do
	command -v "${have%%:*}" >/dev/null || packages+=("${have##*:}")
done
exec "$(dirname "$0")/../deploy/install-deps.sh" "${packages[@]}"
