// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "userspace/store/engine.h"

int store_open(const char *where, const struct store_options *o, struct store **ret, char *err,
	       size_t errlen)
{
	bool remote = !strncmp(where, "http://", 7) || !strncmp(where, "https://", 8);
	const struct store_engine *engine = remote ? &clickhouse_engine : &duckdb_engine;

	return engine->open(where, o, ret, err, errlen);
}

void store_close(struct store *s)
{
	if (s)
		s->engine->close(s);
}

int store_write(struct store *s, const struct batch *const *batches, size_t n,
		enum store_written *ret, char *err, size_t errlen)
{
	return n ? s->engine->write(s, batches, n, ret, err, errlen) : 0;
}

int store_select(struct store *s, const char *sql, store_row_fn row, void *arg, char *err,
		 size_t errlen)
{
	return s->engine->select(s, sql, 0, row, arg, err, errlen);
}

int store_select_until(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row,
		       void *arg, char *err, size_t errlen)
{
	return s->engine->select(s, sql, until_ns, row, arg, err, errlen);
}

void store_quote(const struct store *s, FILE *out, const char *text)
{
	s->engine->quote(s, out, text);
}

int store_maintain(struct store *s, uint64_t now_s, char *err, size_t errlen)
{
	return s->engine->maintain(s, now_s, err, errlen);
}

int store_status(struct store *s, struct store_status *ret, char *err, size_t errlen)
{
	return s->engine->status(s, ret, err, errlen);
}

void store_buckets_free(struct store_buckets *b)
{
	free(b->hours);
	free(b->days);
	memset(b, 0, sizeof(*b));
}
