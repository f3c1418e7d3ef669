#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The middleware's unit tests, by every Python from 3.8 on that is here.
set -u
cd "$(dirname "$0")/../.." || exit 1
status=0

# Unittest tells its verdict in words; here it is one line for each Python.
run() { # NAME COMMAND...
	local name=$1 output
	shift
	if output=$("$@" tests/marks/test_marks.py 2>&1); then
		echo "PASS middleware $name: $(sed -n 's/^\.*\(a request pays.*\)/\1/p' <<<"$output")"
	else
		echo "FAIL middleware $name: $(tail -n 3 <<<"$output" | tr '\n' ' ')"
		echo "$output"
		status=1
	fi
}

for python in ~/.pyenv/versions/3.{8..15}.*/bin/python; do
	[ ! -x "$python" ] || run "$("$python" -c 'import sys; print(sys.version.split()[0])')" "$python"
done
for root in py39:3.9 py311:3.11 py313:3.13 py314:3.14 py315:3.15; do
	where=$(tests/fetch.sh "${root%:*}") || exit 1
	run "${root#*:}, Debian's" "$where/enter" "python${root#*:}"
done
exit $status
