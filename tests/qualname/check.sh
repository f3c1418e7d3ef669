#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares qualified names told from source with the compiler's own, for every
# file of the standard libraries of Python 3.9 to 3.11 that are installed, or of
# the directories given.
#
# usage: tests/qualname/check.sh [DIRECTORY...]   exit status: 0, 1 a difference
set -eu
cd "$(dirname "$0")/../.."

CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONIOENCODING=utf-8:surrogateescape

$CC -std=gnu11 -O2 -D_GNU_SOURCE -I. tests/qualname/compare.c symbolizer/pyformat.c \
	symbolizer/pyscope.c symbolizer/pysource.c symbolizer/pytoken.c -o "$work/compare"

status=0
for minor in 9 10 11; do
	found=
	for python in "/usr/bin/python3.$minor" "/usr/local/bin/python3.$minor" \
		"$HOME/.pyenv/versions/3.$minor".*/bin/python3.$minor; do
		[ -x "$python" ] || continue
		found=$python
		stdlib=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
		"$python" tests/qualname/names.py "${@:-$stdlib}" >"$work/names"
		verdict=PASS
		"$work/compare" <"$work/names" >"$work/differences" || verdict=FAIL status=1
		head -n -1 "$work/differences"
		echo "$verdict qualname 3.$minor ($(tail -n 1 "$work/differences"))"
	done
	[ -n "$found" ] || echo "SKIP qualname 3.$minor (no such interpreter)"
done
exit $status
