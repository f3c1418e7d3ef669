#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rebuilds fuzz_elf.corpus/probe: a shared object of 6 kB with what the symboliser
# reads of an interpreter: two USDT probes, a build-id, a version and symbols.
set -eu
cd "$(dirname "$0")"
source=$(mktemp --suffix=.c)
trap 'rm -f "$source"' EXIT
cat >"$source" <<'END'
const unsigned long Py_Version = 0x030f02f0;
struct { char cookie[8]; unsigned long version, free_threaded; }
	_PyRuntime = { "xdebugpy", Py_Version, 1 };
long PyFunction_Type[4] = { 1 };
const char version[] = "3.9.2";
__attribute__((used, section(".probes"))) unsigned short semaphore;
#define NOTE(name, args) __asm__ volatile("990: nop\n" \
	".pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n.4byte 992f-991f, 994f-993f, 3\n" \
	"991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b, base, semaphore\n" \
	".asciz \"python\"\n.asciz \"" name "\"\n.asciz \"" args "\"\n994: .balign 4\n.popsection\n")
__asm__(".pushsection .stapsdt.base,\"a\",\"progbits\"\nbase: .space 1\n.popsection\n");
void probes(void)
{
	NOTE("function__entry", "8@%rbx 8@%r12 -4@%eax");
	NOTE("function__return", "8@112(%rsp) 8@x(%rip) -4@$5");
}
END
gcc -O1 -shared -fPIC -fvisibility=default -nostdlib -s -Wl,-z,noseparate-code,-Bsymbolic \
	-Wl,--build-id=sha1,--hash-style=gnu,-soname,libpython3.15t.so.1.0 \
	-o fuzz_elf.corpus/probe "$source"
chmod -x fuzz_elf.corpus/probe
