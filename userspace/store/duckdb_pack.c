// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Facts that are not kept by host are added up by the group of batches that is written
 * together. A minute of a large fleet comes in many groups, though, with the same keys in
 * each: when it is over, its rows are added up once more, and take their place in one step.
 *
 * What is written meanwhile is not seen, and so neither added up nor taken away. Which
 * minutes are loose is forgotten with the process: they stay as they are then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "userspace/store/duckdb_store.h"

/* What is sent in time has come by then. */
#define GRACE_S 90
/* Fewer groups are not worth it. */
#define GROUPS_MIN 4

struct loose {
	uint64_t minute;
	uint64_t groups;
};

void duck_loosen(struct duck_store *s, uint64_t minute)
{
	struct loose *l;

	s->loose.item_size = sizeof(*l);
	s->loose.key_size = sizeof(l->minute);
	s->loose.max = DUCK_LOOSE_MAX;
	if (!tally_at(&s->loose, &minute, &l))
		l->groups++;
}

/* The stretch of minutes that are over; they are no longer noted. False: none is worth it. */
static bool take_loose(struct duck_store *s, uint64_t now, uint64_t *since, uint64_t *until)
{
	struct tally left = { .item_size = sizeof(struct loose), .key_size = sizeof(uint64_t),
			      .max = DUCK_LOOSE_MAX };
	bool any = false;

	pthread_mutex_lock(&s->state_lock);
	for (uint32_t i = 0; i < s->loose.count; i++) {
		const struct loose *l = (const struct loose *)s->loose.items + i;
		struct loose *kept;

		if (l->minute + 60 + GRACE_S > now) {
			if (!tally_at(&left, &l->minute, &kept))
				kept->groups = l->groups;
		} else if (l->groups >= GROUPS_MIN && l->minute >= s->kept_from[DUCK_MINUTE]) {
			*since = any && *since < l->minute ? *since : l->minute;
			*until = any && *until > l->minute ? *until : l->minute + 60;
			any = true;
		}
	}
	tally_clear(&s->loose);
	s->loose = left;
	pthread_mutex_unlock(&s->state_lock);
	return any;
}

static void write_sums(enum store_fact fact, uint64_t attempt, uint64_t since, uint64_t until,
		       FILE *out)
{
	const struct schema_table *table = schema_fact(fact);

	fprintf(out, "INSERT INTO %s_minute SELECT %" PRIu64 ", t, fleet, fleet", table->name, attempt);
	for (size_t i = 0; i < table->count; i++) {
		const struct schema_column *c = &table->columns[i];

		fprintf(out, c->role == COLUMN_SUM ? ", sum(%s)" :
			     c->role == COLUMN_MAX ? ", max(%s)" : ", %s", c->name);
	}
	fprintf(out, " FROM %s_minute WHERE t >= %" PRIu64 " AND t < %" PRIu64 " GROUP BY t, fleet",
		table->name, since, until);
	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].role == COLUMN_KEY)
			fprintf(out, ", %s", table->columns[i].name);
	fprintf(out, " ORDER BY 2, 3, 5;\nDELETE FROM %s_minute WHERE t >= %" PRIu64 " AND t < %" PRIu64
		" AND attempt <> %" PRIu64 ";\n", table->name, since, until, attempt);
}

/* The sums are complete before any row is put in, so none of these is added up itself. */
static int pack(struct duck_link *l, uint64_t since, uint64_t until, char *err, size_t errlen)
{
	char ignored[256], *sql = NULL;
	uint64_t attempt;
	size_t size;
	FILE *out;
	int failed;

	if (getrandom(&attempt, sizeof(attempt), 0) != sizeof(attempt))
		return -EAGAIN;
	out = open_memstream(&sql, &size);
	if (!out)
		return -ENOMEM;
	fputs("BEGIN;\n", out);
	for (int fact = 0; fact < STORE_FACTS; fact++)
		if (!schema_by_host(fact))
			write_sums(fact, attempt, since, until, out);
	fputs("COMMIT", out);
	fclose(out);
	failed = duck_run(l, sql, err, errlen);
	if (failed)
		duck_run(l, "ROLLBACK", ignored, sizeof(ignored));
	free(sql);
	return failed;
}

int duck_pack(struct duck_store *s, uint64_t now_s, char *err, size_t errlen)
{
	uint64_t since = 0, until = 0;
	struct duck_link link;
	int failed;

	if (!take_loose(s, now_s, &since, &until))
		return 0;
	failed = duck_take(s, &link, err, errlen);
	return failed ? failed : duck_give(s, &link, pack(&link, since, until, err, errlen));
}
