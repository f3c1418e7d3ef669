#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares line numbers told from line tables with what each Python that is here says
# of its own standard library.
#
# usage: tests/lines/check.sh   exit status: 0, 1 a difference
set -eu
cd "$(dirname "$0")/../.."

CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONIOENCODING=utf-8:surrogateescape

$CC -std=gnu11 -O2 -D_GNU_SOURCE -I. tests/lines/compare.c symbolizer/line_number.c \
	-o "$work/compare"

check() { # MINOR COMMAND...
	local minor=$1 verdict=PASS
	shift
	"$@" >"$work/lines" </dev/null
	"$work/compare" <"$work/lines" >"$work/differences" || verdict=FAIL status=1
	head -n -1 "$work/differences"
	echo "$verdict lines 3.$minor ($(tail -n 1 "$work/differences"))"
}

status=0
for minor in 6 7 8 9 10 11 12 13 14 15; do
	found=
	for python in "/usr/bin/python3.$minor" "/usr/local/bin/python3.$minor" \
		"$HOME/.pyenv/versions/3.$minor".*/bin/python3.$minor; do
		[ -x "$python" ] || continue
		found=$python
		check $minor "$python" tests/lines/lines.py
		break
	done
	if [ -z "$found" ] && root=$(tests/fetch.sh "py3$minor" 2>/dev/null); then
		found=$root
		check $minor "$root/enter" "python3.$minor" tests/lines/lines.py
	fi
	[ -n "$found" ] || echo "SKIP lines 3.$minor (no such interpreter)"
done
exit $status
