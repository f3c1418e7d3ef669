#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the seed corpus anew from the unit tests' sample recordings: each whole,
# and the payload of its first block alone.  usage: fuzz_recording.sh [build/unit]
set -eu
cd "$(dirname "$0")/../.."
unit=${1:-build/unit}
corpus=tests/fuzz/fuzz_recording.corpus
rm -rf "$corpus"
mkdir -p "$corpus"
for what in shop shop-clock shop-kernel shop-sampled shop-requests shop-requests-only; do
	"$unit" --write-sample "$what" "$corpus/$what"
	chmod 644 "$corpus/$what"
	# File header 12, block header 16; its length is at 16.
	length=$(od -An -tu4 -j16 -N4 "$corpus/$what" | tr -d ' ')
	tail -c +29 "$corpus/$what" | head -c "$length" >"$corpus/$what-facts"
done
