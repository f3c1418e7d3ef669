#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what testing needs beside building, as far as this machine lacks it.
set -eu

# Rights, memory errors, and other people's readers of the exports.
packages=(curl libcap2-bin mandoc python3 tmux valgrind)
# The emulated machines; beside other sections nobody else may install anything.
packages+=(busybox-static cpio lld qemu-system-arm qemu-system-x86)
# Another way to have these is as good.
for have in node:nodejs npm:npm pprof:golang-1.19-go; do
	command -v "${have%%:*}" >/dev/null || packages+=("${have##*:}")
done
exec "$(dirname "$0")/../deploy/install-deps.sh" "${packages[@]}"
