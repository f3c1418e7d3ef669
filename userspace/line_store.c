/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/line_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "symbolizer/line_number.h"
#include "userspace/arena.h"
#include "userspace/tally.h"

#define BYTES_MAX ((size_t)8 << 20)
/* Of two; most samples are in the same places again. */
#define MEMO_SLOTS 4096

struct stored {
	uint64_t key[2]; /* of all that follows */
	const uint8_t *bytes;
	uint32_t size, whole, firstlineno;
	int minor;
};

struct memo {
	uint32_t table, instr, line;
};

struct line_store {
	struct tally tables;
	struct arena bytes;
	size_t bytes_used;
	struct memo memo[MEMO_SLOTS];
};

int line_store_new(struct line_store **ret)
{
	struct line_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->tables = (struct tally){.item_size = sizeof(struct stored),
				   .key_size = sizeof(((struct stored *)0)->key)};
	*ret = s;
	return 0;
}

void line_store_free(struct line_store *s)
{
	if (!s)
		return;
	tally_clear(&s->tables);
	arena_free(&s->bytes);
	free(s);
}

static int bytes_keep(struct line_store *s, const uint8_t *table, size_t size, const uint8_t **ret)
{
	char *copy;

	if (s->bytes_used + size > BYTES_MAX)
		return -ENOSPC;
	copy = arena_alloc(&s->bytes, size + !size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, table, size);
	s->bytes_used += size;
	*ret = (const uint8_t *)copy;
	return 0;
}

int line_store_add(struct line_store *s, int minor, uint32_t firstlineno, const uint8_t *table,
		   size_t size, size_t whole, uint32_t *ret)
{
	uint64_t about[3] = {minor, firstlineno, whole};
	XXH128_hash_t hash = XXH3_128bits_withSeed(table, size, XXH3_64bits(about, sizeof(about)));
	uint64_t key[2] = {hash.low64, hash.high64};
	struct stored *t = tally_find(&s->tables, key);
	const uint8_t *bytes;
	int err = 0;

	if (!t) {
		err = bytes_keep(s, table, size, &bytes);
		if (!err)
			err = tally_at(&s->tables, key, &t);
		if (err)
			return err;
		t->bytes = bytes;
		t->size = size;
		t->whole = whole;
		t->firstlineno = firstlineno;
		t->minor = minor;
	}
	*ret = t - (struct stored *)s->tables.items + 1;
	return 0;
}

uint32_t line_store_line(struct line_store *s, uint32_t table, uint32_t instr)
{
	struct memo *memo = &s->memo[(table * 2654435761u ^ instr * 40503u) % MEMO_SLOTS];
	const struct stored *t;
	int64_t line;

	if (!table || table > s->tables.count)
		return 0;
	if (memo->table == table && memo->instr == instr)
		return memo->line;
	t = (const struct stored *)s->tables.items + table - 1;
	line = line_number(t->minor, t->firstlineno, t->bytes, t->size, t->whole, instr);
	*memo = (struct memo){table, instr, line > 0 ? line : 0};
	return memo->line;
}
