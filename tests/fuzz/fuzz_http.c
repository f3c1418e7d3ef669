/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of connections over any bytes: in one piece and in pieces, and whether or not
 * whole heads are gone through quickly, it must tell the same.  The first byte says what is
 * expected of them, the second where they are split.
 */
#include <stdint.h>

#include "tests/http/host.h"

static struct host whole, split;

static void fields_set(void)
{
	static const struct wire_field fields[WIRE_FIELDS] = {
		{ WIRE_FIELD_HEADER, 10, 1, 0, "user-agent" },
		{ WIRE_FIELD_COOKIE, 3, 1, 0, "sid" },
		{ WIRE_FIELD_ARGUMENT, 1, 0, 0, "q" },
		{ WIRE_FIELD_HEADER, 1, 0, 0, "x" },
		{ WIRE_FIELD_COOKIE, 32, 0, 0, "a-cookie-whose-name-has-32-bytes" },
	};

	memcpy(request_fields, fields, sizeof(fields));
}

static void feed_pieces(const char *data, size_t size, unsigned seed)
{
	while (size) {
		size_t n;

		seed = seed * 1103515245 + 12345;
		/* Mostly short ones, now and then more than is copied at a time. */
		n = 1 + (seed >> 16) % (seed & 0x8000000 ? 2 * HTTP_CHUNK : 9);
		n = n < size ? n : size;
		host_feed(&split, data, n);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned kind;

	if (size < 2)
		return 0;
	fields_set();
	if (data[0] & 0x20)
		memset(request_fields, 0, sizeof(request_fields));
	kind = HTTP_KIND_DETECT + data[0] % 4;
	host_open(&whole, kind);
	host_open(&split, kind);
	split.slow = !(data[0] & 0x10);
	whole.head_only = split.head_only = data[0] & 0x40;
	host_feed(&whole, (const char *)data + 2, size - 2);
	feed_pieces((const char *)data + 2, size - 2, data[1]);
	host_close(&whole);
	host_close(&split);
	host_check(whole.log.length == split.log.length &&
		   !memcmp(whole.log.text, split.log.text, whole.log.length));
	http_class(&whole.request, 0);
	return 0;
}
