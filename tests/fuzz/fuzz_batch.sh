#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the seed corpus anew from the unit tests' sample batch: the frame of zstd, and the
# message in it.  usage: fuzz_batch.sh [build/unit]
set -eu
cd "$(dirname "$0")/../.."
unit=${1:-build/unit}
corpus=tests/fuzz/fuzz_batch.corpus
rm -rf "$corpus"
mkdir -p "$corpus"
"$unit" --write-sample batch "$corpus/packed"
{ printf '\001' && cat "$corpus/packed"; } >"$corpus/frame"
{ printf '\000' && zstd -dc <"$corpus/packed"; } >"$corpus/message"
rm "$corpus/packed"
