#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares the tables of symbolizer/layout.c and debug_offsets.c with the headers
# of every CPython that can be found: installed ones, pyenv's, and Debian's
# (downloaded once, into the cache, through an apt configuration of its own; no
# root needed).  From 3.13 on also as a free-threaded build sees them.
#
# usage: tests/layout/check.sh [--offline]     exit status: 0, 1 a difference
set -eu
cd "$(dirname "$0")/../.."

CACHE=${PYCOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pycost}/headers
CC=${CC:-gcc}
OFFLINE=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

suite_of() {
	case $1 in
	9) echo bullseye ;;
	11) echo bookworm ;;
	13) echo trixie ;;
	14 | 15) echo sid ;;
	esac
}

mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[.*\] \)\{0,1\}\([^ ]*\).*/\2/p' |
		grep -m1 '/debian/*$' || echo http://deb.debian.org/debian
}

apt_configure() { # suite
	apt=$CACHE/apt-$1
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main" \
		>"$apt/sources.list"
	cat >"$apt/apt.conf" <<-END
		Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache"; Dir::Etc::SourceList "$apt/sources.list";
		Dir::Etc::SourceParts "/dev/null"; Acquire::Languages "none"; APT::Sandbox::User "";
	END
	export APT_CONFIG="$apt/apt.conf"
	[ -e "$apt/updated" ] || { apt-get -qq update && : >"$apt/updated"; }
}

download() { # minor
	suite=$(suite_of "$1")
	[ -n "$suite" ] && [ "$OFFLINE" != --offline ] && [ ! -d "$CACHE/3.$1" ] || return 0
	(
		apt_configure "$suite" && cd "$work" &&
			apt-get -qq download "libpython3.$1-dev" &&
			dpkg -x "libpython3.$1-dev_"*.deb "$work/root" &&
			mv "$work/root" "$CACHE/3.$1"
	) >/dev/null 2>&1 || true
}

roots() { # minor: include directories that have pythonX.Y in them
	for root in "$CACHE/3.$1/usr/include" /usr/include /usr/local/include \
		"$HOME/.pyenv/versions/3.$1".*/include; do
		for dir in "$root/python3.$1" "$root/python3.$1m"; do
			[ -e "$dir/Python.h" ] && echo "$dir"
		done
	done
	true
}

# Exit status 2: these headers are not all there (an incomplete installation).
# Debian's pyconfig.h leads to that of its architecture.
compare() { # directory [FLAG]
	[ $minor = 6 ] || [ -d "$1/internal" ] || return 2
	echo '#include <Python.h>' |
		$CC -std=gnu11 -w -I"$1" -I"${1%/*}" -fsyntax-only -x c - 2>"$work/errors" || return 2
	$CC -std=gnu11 -w -I. -I"$1" -I"$1/internal" -I"$1/internal/mimalloc" -I"${1%/*}" ${2-} \
		tests/layout/layout.c tests/layout/runtime.c tests/layout/debug.c \
		symbolizer/layout.c symbolizer/debug_offsets.c \
		-o "$work/layout" 2>&1 || return 1
	"$work/layout"
}

check() { # minor [FLAG]
	minor=$1
	verdict=SKIP
	detail="no headers"
	for dir in $(roots $minor); do
		result=0
		compare "$dir" ${2-} >"$work/differences" || result=$?
		case $result in
		0) [ $verdict = FAIL ] || verdict=PASS ;;
		1) verdict=FAIL && status=1 && cat "$work/differences" ;;
		2) [ $verdict != SKIP ] || detail="headers are not complete" ;;
		esac
		[ $result = 2 ] || {
			patch=$(sed -n 's/^#define PY_VERSION[[:space:]]*"\(.*\)"/\1/p' "$dir/patchlevel.h")
			[ "$detail" = "${detail#3.}" ] && detail=$patch || detail="$detail, $patch"
		}
	done
	echo "$verdict layout 3.$minor${2:+t} ($detail)"
}

status=0
for minor in 6 7 8 9 10 11 12 13 14 15; do
	download $minor
	check $minor
	[ $minor -lt 13 ] || check $minor -DPy_GIL_DISABLED=1
done

# What an interpreter tells of itself, where one is: in the cache of tests/fetch.sh, or
# pyenv's.
$CC -D_GNU_SOURCE -std=gnu11 -I. tests/layout/read.c symbolizer/layout_read.c symbolizer/layout.c \
	symbolizer/debug_offsets.c symbolizer/elf_file.c symbolizer/process_image.c \
	symbolizer/procmap.c -lelf -o "$work/read"
for minor in 13 14 15; do
	verdict=SKIP
	for python in "${CACHE%/*}/py3$minor-"[0-9]"/usr/bin/python3.$minor" \
		"$HOME/.pyenv/versions/3.$minor".*/lib/libpython3.$minor.so \
		"$HOME/.pyenv/versions/3.$minor".*/bin/python3.$minor; do
		[ -e "$python" ] && readelf -SW "$python" | grep -q '\.PyRuntime' || continue
		[ $verdict = FAIL ] || verdict=PASS
		"$work/read" "$python" $minor || { verdict=FAIL && status=1; }
	done
	echo "$verdict layout_read 3.$minor"
done
exit $status
