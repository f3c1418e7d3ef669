#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares symbolizer/opcodes.c with each CPython that can be found: with the headers
# that tests/layout/check.sh finds and keeps in the cache, where both must say the
# same, and with the modules of interpreters, which know no internal opcodes.
#
# usage: tests/opcodes/check.sh            exit status: 0, 1 a difference
set -eu
cd "$(dirname "$0")/../.."

CACHE=${PYCOST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pycost}
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

headers() { # minor: include directories that have pythonX.Y in them
	for root in "$CACHE/headers/3.$1/usr/include" /usr/include /usr/local/include \
		"$HOME/.pyenv/versions/3.$1".*/include; do
		for dir in "$root/python3.$1" "$root/python3.$1m"; do
			[ -e "$dir/opcode.h" ] && echo "$dir"
		done
	done
	true
}

interpreters() { # minor: commands
	for root in "$CACHE"/py*; do
		# Not those of another architecture, nor without the right to enter.
		if [ -x "$root/enter" ] && [ -x "$root/usr/bin/python3.$1" ] &&
			"$root/enter" "/usr/bin/python3.$1" -c pass >/dev/null 2>&1; then
			echo "$root/enter /usr/bin/python3.$1"
		fi
	done
	for python in "/usr/bin/python3.$1" "/usr/local/bin/python3.$1" \
		"$HOME/.pyenv/versions/3.$1".*/bin/"python3.$1"; do
		[ -x "$python" ] && echo "$python"
	done
	true
}

# "number name family", as headers have it.  What is 256 or more is never in memory.
from_headers() { # directory
	# shellcheck disable=SC2046
	awk '
	FILENAME ~ /opcode(_ids)?\.h$/ && FILENAME !~ /pycore/ && NF == 3 && $1 == "#define" &&
		$2 !~ /^(NB|CMP)_|^HAVE_ARGUMENT$|^ENABLE_|^(MIN|MAX)_/ && $3 ~ /^[0-9]+$/ && $3 < 256 {
		name[$3 + 0] = $2; known[$2] = 1
	}
	/_PyOpcode_Deopt\[256\] = \{/ { inside = 1 }
	/^};/ { inside = 0 }
	inside && $2 == "=" { gsub(/[][,]/, ""); family[$1] = $3 }
	END {
		for (i in name) {
			of = name[i] in family ? family[name[i]] : name[i]
			base = substr(name[i], 14)
			if (name[i] ~ /^INSTRUMENTED_/ && base in known)
				of = base
			print i, name[i], of
		}
	}' $(ls "$1/opcode.h" "$1/opcode_ids.h" "$1/internal/pycore_opcode.h" \
		"$1/internal/pycore_opcode_metadata.h" 2>/dev/null)
}

from_interpreter() { # command...
	"$@" -c '
import dis
names = getattr(dis, "_all_opmap", dis.opmap)
families = getattr(dis, "deoptmap", {})
for name, number in names.items():
    family = families.get(name, name)
    if name.startswith("INSTRUMENTED_") and name[13:] in names:
        family = name[13:]
    if number < 256:
        print(number, name, family)
'
}

verdict() { # name difference
	if [ -s "$2" ]; then
		echo "FAIL $1"
		sed 's/^/    /' "$2"
		status=1
	else
		echo "PASS $1"
	fi
}

$CC -std=gnu11 -Wall -I. tests/opcodes/opcodes.c symbolizer/opcodes.c -o "$work/opcodes"
for minor in 6 7 8 9 10 11 12 13 14 15; do
	seen=
	"$work/opcodes" $minor | sort >"$work/ours"
	for dir in $(headers $minor); do
		patch=$(sed -n 's/^#define PY_VERSION[[:space:]]*"\(.*\)"/\1/p' "$dir/patchlevel.h")
		from_headers "$dir" | sort >"$work/theirs"
		[ "$(wc -l <"$work/theirs")" -gt 100 ] || { echo "FAIL headers unread: $dir"; status=1; }
		diff "$work/ours" "$work/theirs" >"$work/difference" || true
		verdict "opcodes of the headers of $patch" "$work/difference"
		seen=1
	done
	interpreters $minor >"$work/interpreters"
	while read -r python; do
		# shellcheck disable=SC2086
		version=$($python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' </dev/null)
		# shellcheck disable=SC2086
		from_interpreter $python </dev/null | sort >"$work/theirs"
		[ "$(wc -l <"$work/theirs")" -gt 100 ] || { echo "FAIL modules unread: $python"; status=1; }
		comm -13 "$work/ours" "$work/theirs" >"$work/difference"
		verdict "opcodes of the modules of $version ($(wc -l <"$work/theirs") of $(wc -l <"$work/ours"))" \
			"$work/difference"
		seen=1
	done <"$work/interpreters"
	[ -n "$seen" ] || echo "SKIP opcodes of 3.$minor: neither headers nor an interpreter"
done
exit $status
