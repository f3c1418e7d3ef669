#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The frame walker on threads that stand still, in every interpreter that can be found:
# what it finds must be what they see.  With --save it writes tests/walk/fixtures anew,
# of the interpreters that there are: so a new Python is walked in the unit tests too.
#
#   tests/walk/check.sh [--save] [PYTHON]...     exit status: 0, 1 a difference
set -euo pipefail
cd "$(dirname "$0")/../.."

prefix=''
[ "${1:-}" != --save ] || { prefix=tests/walk/fixtures/python; shift; }
cache=${PYCOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pycost}
work=$(mktemp -d)
pid=''
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

# in_root PATH: of the root that an interpreter is in, how to enter it.
command_of() {
    case $1 in
    "$cache"/*/usr/*) echo "${1%%/usr/*}/enter /usr/${1#*/usr/}" ;;
    *) echo "$1" ;;
    esac
}

# walk_one PYTHON
walk_one() {
    local version status=0
    version=$($(command_of "$1") -c 'import sys, sysconfig
print("%d.%d%s" % (sys.version_info[:2] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "",)))') || return 0
    mkfifo "$work/in" "$work/out"
    $(command_of "$1") tests/walk/blocked.py <"$work/in" >"$work/out" &
    pid=$!
    exec 3>"$work/in"
    "${BUILD:-build}/walk-save" "$pid" ${prefix:+"$prefix$version"} <"$work/out" || status=1
    exec 3>&-
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    pid=''
    rm -f "$work/in" "$work/out"
    return $status
}

make -s "${BUILD:-build}/walk-save" >&2
if [ $# = 0 ]; then
    shopt -s nullglob
    set -- "$HOME"/.pyenv/versions/3.*/bin/python3 "$cache"/py3*/usr/bin/python3.?{,?}{,t} /usr/bin/python3.?{,?}
fi
failed=0
for python; do
    case $python in *arm64*) continue ;; esac
    [ ! -x "$python" ] || walk_one "$python" || failed=1
done
exit $failed
