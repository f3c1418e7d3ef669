/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/frame_pointer.h"

#include <elf.h>
#include <string.h>

static uint32_t word(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* endbr64; push %rbp; mov %rsp,%rbp, in either encoding. */
static size_t prologue_x86(const uint8_t *code)
{
	size_t at = memcmp(code, "\xf3\x0f\x1e\xfa", 4) ? 0 : 4;

	if (code[at] != 0x55 || (memcmp(code + at + 1, "\x48\x89\xe5", 3) &&
				 memcmp(code + at + 1, "\x48\x8b\xec", 3)))
		return 0;
	return at + 4;
}

/* bti c or paciasp; stp x29, x30, [sp, #-n]!; mov x29, sp. */
static size_t prologue_arm64(const uint8_t *code)
{
	size_t at = word(code) == 0xd503245f || word(code) == 0xd503233f ? 4 : 0;

	if ((word(code + at) & 0xffc07fff) != 0xa9807bfd || word(code + at + 4) != 0x910003fd)
		return 0;
	return at + 8;
}

size_t frame_prologue(unsigned machine, const uint8_t code[FRAME_CODE_SIZE])
{
	return machine == EM_X86_64 ? prologue_x86(code)
	       : machine == EM_AARCH64 ? prologue_arm64(code) : 0;
}

/* After its end there is a return, or a jump to another function: no jump is believed. */
bool frame_is_over(unsigned machine, const uint8_t code[FRAME_CODE_SIZE])
{
	uint32_t w = word(code);

	if (machine == EM_X86_64)
		return code[0] == 0xc3 || code[0] == 0xc2 || code[0] == 0xe9 || code[0] == 0xeb ||
		       code[0] == 0xff || code[0] == 0xf2 || code[0] == 0xf3 || code[0] == 0x3e;
	/* ret, retaa, retab; autiasp; b; br. */
	return (w & 0xfffffc1f) == 0xd65f0000 || (w & 0xfffffbff) == 0xd65f0bff ||
	       w == 0xd50323bf || (w & 0xfc000000) == 0x14000000 || (w & 0xfffffc1f) == 0xd61f0000;
}

/* ff /2 of `length` bytes, before which a REX prefix may be. */
static bool is_indirect(const uint8_t *before, size_t length)
{
	const uint8_t *at = before + FRAME_CODE_SIZE - length;
	unsigned mod = at[1] >> 6, reg = at[1] >> 3 & 7, rm = at[1] & 7;
	size_t size = 2;

	if (at[0] != 0xff || reg != 2)
		return false;
	if (mod != 3) {
		size += rm == 4;
		size += mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 5) ? 4 : 0;
	}
	return size == length;
}

bool frame_follows_call(unsigned machine, const uint8_t before[FRAME_CODE_SIZE])
{
	uint32_t w = word(before + FRAME_CODE_SIZE - 4);

	if (machine == EM_AARCH64)
		return (w & 0xfc000000) == 0x94000000 || (w & 0xfffffc1f) == 0xd63f0000;
	if (machine != EM_X86_64)
		return false;
	if (before[FRAME_CODE_SIZE - 5] == 0xe8)
		return true;
	for (size_t length = 2; length <= 7; length++)
		if (is_indirect(before, length))
			return true;
	return false;
}
