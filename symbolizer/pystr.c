/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pystr.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CHARACTER_MAX sizeof("\\U00110000")

static uint32_t character_at(const struct pystr *s, size_t i)
{
	const unsigned char *p = (const unsigned char *)s->bytes + i * s->kind;
	uint16_t two;
	uint32_t four;

	switch (s->kind) {
	case 1:
		return *p;
	case 2:
		memcpy(&two, p, sizeof(two));
		return two;
	default:
		memcpy(&four, p, sizeof(four));
		return four;
	}
}

static size_t encode(uint32_t c, char ret[CHARACTER_MAX])
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return (size_t)sprintf(ret, "\\x%02x", c);
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c >= 0xd800 && c <= 0xdfff)
		return (size_t)sprintf(ret, "\\u%04x", c);
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	if (c > 0x10ffff)
		return (size_t)sprintf(ret, "\\U%08x", c);
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

int pystr_decode(const struct pystr *s, char *ret, size_t size, bool *ret_truncated)
{
	size_t copied, written = 0, i;

	if ((s->kind != 1 && s->kind != 2 && s->kind != 4) || !size)
		return -EINVAL;
	if (size > INT_MAX)
		size = INT_MAX;
	copied = s->size / s->kind;
	if (copied > s->length)
		copied = (size_t)s->length;
	for (i = 0; i < copied; i++) {
		char text[CHARACTER_MAX];
		size_t n = encode(character_at(s, i), text);

		if (n >= size - written)
			break;
		memcpy(ret + written, text, n);
		written += n;
	}
	ret[written] = 0;
	*ret_truncated = i < s->length;
	return (int)written;
}
