/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/clean_text.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 sequence that begins here; 0 when it is none (RFC 3629). */
static size_t sequence(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t n = 0; n < 3; n++) {
		uint32_t c = s[0] & (unsigned char)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n + 1; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		/* Neither too long a form, nor half a pair, nor a C1 control. */
		if (c < forms[n].min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c < 0xa0)
			return 0;
		return n + 2;
	}
	return 0;
}

void clean_text(char *s)
{
	unsigned char *at = (unsigned char *)s;

	while (*at) {
		size_t n = *at < 0x80 ? 1 : sequence(at);

		if (!n || *at < 0x20 || *at == 0x7f) {
			*at++ = '?';
			continue;
		}
		at += n;
	}
}
