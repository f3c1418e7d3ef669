// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/duckdb_store.h"
#include "userspace/store/rows.h"

/* Ids asked for at once, as a list in a statement. */
#define ASK_MAX 4096

struct naming {
	struct duck_store *store;
	struct duck_link *link;
	enum schema_names which;
	struct id_set fresh;	/* not known to the store: to be written */
	struct id_set taken;	/* of those: begun to be written */
	struct duck_appender appender;
	uint64_t id; /* of the rows under way */
	bool wanted;
	char key[BATCH_TEXT_MAX + 1]; /* of the last tag */
	char *err;
	size_t errlen;
};

static int gather(void *arg, const struct store_value *v, size_t count)
{
	struct naming *n = arg;
	int added;

	if (id_set_has(&n->store->known[n->which], v[0].u64))
		return 0;
	added = id_set_add(&n->fresh, v[0].u64);
	return added < 0 ? added : 0;
}

static int note_known(void *arg, const struct store_value *v, size_t count)
{
	struct id_set *known = arg;
	int added = id_set_add(known, v[0].u64);

	return added < 0 ? added : 0;
}

static int ask_some(struct naming *n, const uint64_t *ids, size_t count)
{
	const struct schema_table *table = schema_names(n->which);
	const char *id = table->columns[0].name;
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);
	int failed;

	if (!out)
		return -ENOMEM;
	fprintf(out, "SELECT DISTINCT %s FROM %s WHERE %s IN (", id, table->name, id);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%" PRIu64, i ? "," : "", ids[i]);
	fputc(')', out);
	fclose(out);
	failed = duck_select(n->link, sql, note_known, &n->store->known[n->which], n->err,
			     n->errlen);
	free(sql);
	return failed;
}

/* Those of n->fresh that the store has, become known. */
static int ask(struct naming *n)
{
	uint64_t ids[ASK_MAX];
	size_t count = 0;
	int failed = 0;

	for (size_t i = 0; !failed && i < n->fresh.size; i++) {
		if (!n->fresh.slots[i])
			continue;
		ids[count++] = n->fresh.slots[i];
		if (count == ASK_MAX) {
			failed = ask_some(n, ids, count);
			count = 0;
		}
	}
	return failed || !count ? failed : ask_some(n, ids, count);
}

/* Each id once, though several batches define it; of tags, as long as keys ascend. */
static int begin_id(struct naming *n, uint64_t id)
{
	int added;

	n->id = id;
	n->wanted = false;
	n->key[0] = 0;
	if (!id_set_has(&n->fresh, id) || id_set_has(&n->store->known[n->which], id))
		return 0;
	added = id_set_add(&n->taken, id);
	if (added < 0)
		return added;
	n->wanted = added;
	return 0;
}

static int write_row(void *arg, const struct store_value *v, size_t count)
{
	struct naming *n = arg;
	int failed = 0;

	if (n->which != NAMES_TAGS || v[0].u64 != n->id || strcmp(v[1].text, n->key) <= 0)
		failed = begin_id(n, v[0].u64);
	if (failed || !n->wanted)
		return failed;
	if (n->which == NAMES_TAGS)
		snprintf(n->key, sizeof(n->key), "%s", v[1].text);
	return duck_appender_row(&n->appender, v, n->err, n->errlen);
}

static int each_row(struct naming *n, const struct batch *const *batches, size_t count, rows_fn fn)
{
	int failed = 0;

	for (size_t i = 0; !failed && i < count; i++) {
		n->id = 0;
		failed = rows_of_names(batches[i], n->which, fn, n);
	}
	return failed;
}

static int write_fresh(struct naming *n, const struct batch *const *batches, size_t count)
{
	const struct schema_table *table = schema_names(n->which);
	int failed = duck_appender_open(&n->appender, n->link, table->name, table->columns,
					table->count, n->err, n->errlen);

	if (!failed)
		failed = each_row(n, batches, count, write_row);
	if (!failed)
		return duck_appender_finish(&n->appender, n->err, n->errlen);
	duck_appender_drop(&n->appender);
	return failed;
}

static int write_names(struct naming *n, const struct batch *const *batches, size_t count)
{
	struct id_set *known = &n->store->known[n->which];
	int failed;

	if (known->count > DUCK_KNOWN_MAX)
		id_set_empty(known);
	failed = each_row(n, batches, count, gather);
	if (failed || !n->fresh.count)
		return failed;
	failed = ask(n);
	return failed ? failed : write_fresh(n, batches, count);
}

int duck_write_names(struct duck_store *s, struct duck_link *l, const struct batch *const *batches,
		     size_t count, struct id_set *fresh, char *err, size_t errlen)
{
	int failed = 0;

	for (int which = 0; !failed && which < SCHEMA_NAMES; which++) {
		struct naming n = { .store = s, .link = l, .which = which, .err = err,
				    .errlen = errlen };

		failed = write_names(&n, batches, count);
		id_set_free(&n.fresh);
		fresh[which] = n.taken;
	}
	if (failed == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	return failed;
}
