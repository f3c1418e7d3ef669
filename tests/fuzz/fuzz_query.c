/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question as a URL may put it: the first byte is its kind; then lines, each a key, a blank
 * and a value. What is taken has to keep within its bounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/glob.h"
#include "userspace/query/query_glob.h"
#include "userspace/query/query_kind.h"

#define NOW 1800000000

static void glob_try(const char *glob)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	query_glob_write(glob, out);
	fclose(out);
	free(text);
	glob_matches(glob, glob);
	/* What is no pattern is itself, and nothing else. */
	if (!glob_is_pattern(glob) && !glob_matches(glob, glob))
		abort();
	if (!glob_matches("*", glob))
		abort();
}

static void check(const struct query *q)
{
	if (q->where_count > QUERY_CONDITIONS_MAX || q->by_count > QUERY_KEYS_MAX || !q->limit ||
	    q->limit > QUERY_LIMIT_MAX || q->since > UINT32_MAX || q->until > UINT32_MAX)
		abort();
	for (unsigned i = 0; i < q->where_count; i++) {
		if (!*q->where[i].key || strnlen(q->where[i].key, QUERY_TEXT_MAX) == QUERY_TEXT_MAX)
			abort();
		glob_try(q->where[i].glob);
	}
	glob_try(q->function);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *line, *rest, err[512];
	struct query q;

	if (!size)
		return 0;
	query_init(&q, 1 + data[0] % query_kind_count, NOW);
	text = strndup((const char *)data + 1, size - 1);
	rest = text;
	while (text && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = '\0';
		if (query_set(&q, line, value, NOW, err, sizeof(err)) && !*err)
			abort();
		glob_try(value);
	}
	check(&q);
	free(text);
	return 0;
}
