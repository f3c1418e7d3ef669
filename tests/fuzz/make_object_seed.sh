#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rebuilds fuzz_native_object.corpus/*: small shared objects with what names are
# read from: .symtab, .dynsym, a PLT, .gnu_debuglink and .gnu_debugdata.
set -eu
cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/x.c" <<'END'
int other(int);
__attribute__((noinline, used)) static int hidden(int a) { return a * 7 + 1; }
int shown(int a) { return hidden(a) + other(a); }
int alias(int a) __attribute__((alias("shown")));
int __pyx_f_3mod_run(int a) { return a + 2; }
END
gcc -O1 -shared -fPIC -nostdlib -Wl,-z,noseparate-code,--build-id=sha1 -o "$dir/x.so" "$dir/x.c"
objcopy --only-keep-debug "$dir/x.so" "$dir/x.debug"
xz -k --check=crc32 "$dir/x.debug"
mkdir -p fuzz_native_object.corpus
cp "$dir/x.so" fuzz_native_object.corpus/full
strip -o fuzz_native_object.corpus/mini "$dir/x.so"
objcopy --add-gnu-debuglink="$dir/x.debug" --add-section .gnu_debugdata="$dir/x.debug.xz" \
	fuzz_native_object.corpus/mini
chmod -x fuzz_native_object.corpus/*
