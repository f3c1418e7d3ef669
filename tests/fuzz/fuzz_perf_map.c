/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are a perf map's content; so also a table of hostile entries. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/native_table.h"
#include "symbolizer/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct native_table *t = native_table_new(8192);
	struct native_function f;
	uint64_t last = 0;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);
		struct perf_map_line l;

		if (!perf_map_parse(at, len, &l)) {
			if (!l.name_len || l.name + l.name_len != at + len)
				abort();
			native_table_add(t, l.start, l.size, RANK_MADE, l.name, l.name_len);
			last = l.start;
		}
		at += len + 1;
	}
	if (native_table_bytes(t) > 8192)
		abort();
	native_table_seal(t, size & 1);
	if (native_table_find(t, last, &f) && f.offset > last)
		abort();
	native_table_find(t, UINT64_MAX, &f);
	native_table_free(t);
	return 0;
}
