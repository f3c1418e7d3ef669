/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_turn.h"

/* turn_free_1_0, turn_held_2_1700000000: with a number that grows, and the time. */
struct state {
	char name[64];
	unsigned tables; /* that there are: 1, but when the first is made */
	uint64_t number, since, now;
	bool held;
};

static int on_table(void *arg, const struct store_value *v, size_t count)
{
	struct state *s = arg, found = {};
	char word[8];

	s->now = v[1].u64;
	if (sscanf(v[0].text, "turn_%4[a-z]_%" SCNu64 "_%" SCNu64, word, &found.number,
		   &found.since) != 3)
		return 0;
	s->tables++;
	if (s->tables > 1 && found.number <= s->number)
		return 0;
	s->number = found.number;
	s->since = found.since;
	s->held = !strcmp(word, "held");
	snprintf(s->name, sizeof(s->name), "%s", v[0].text);
	return 0;
}

static int look(struct clickhouse_turn *t, struct state *ret, char *err, size_t errlen)
{
	char *sql = clickhouse_sql("SELECT name, toUInt64(toUnixTimestamp(now())) FROM (SELECT name "
				   "FROM system.tables WHERE database = '%s' AND match(name, "
				   "'^turn_') UNION ALL SELECT '' AS name) AS t", t->c->own);
	int error;

	memset(ret, 0, sizeof(*ret));
	error = sql ? clickhouse_ask_node(t->c, t->node, t->c->own, sql, on_table, ret, err,
					  errlen) : -ENOMEM;
	free(sql);
	return error;
}

/* Of those that try, one does; the others are told that there is no such table. */
static int rename_turn(struct clickhouse_turn *t, const char *from, const char *to, char *err,
		       size_t errlen)
{
	char *sql = clickhouse_sql("RENAME TABLE %s.%s TO %s.%s", t->c->own, from, t->c->own, to);
	int error = sql ? clickhouse_ask_node(t->c, t->node, t->c->own, sql, NULL, NULL, err,
					      errlen) : -ENOMEM;

	free(sql);
	return error == -EIO ? -EBUSY : error;
}

static int create_turn(struct clickhouse_turn *t, const char *name, char *err, size_t errlen)
{
	char *sql = clickhouse_sql("CREATE TABLE %s.%s (nothing UInt8) ENGINE = TinyLog", t->c->own,
				   name);
	int error = sql ? clickhouse_ask_node(t->c, t->node, t->c->own, sql, NULL, NULL, err,
					      errlen) : -ENOMEM;

	free(sql);
	return error == -EIO ? -EBUSY : error;
}

static int drop_turn(struct clickhouse_turn *t, char *err, size_t errlen)
{
	char *sql = clickhouse_sql("DROP TABLE %s.%s", t->c->own, t->name);
	int error = sql ? clickhouse_ask_node(t->c, t->node, t->c->own, sql, NULL, NULL, err,
					      errlen) : -ENOMEM;

	free(sql);
	t->name[0] = '\0';
	return error;
}

int clickhouse_turn_take(struct clickhouse_turn *t, struct clickhouse *c, struct clickhouse_node *n,
			 char *err, size_t errlen)
{
	struct state s;
	char name[64];
	int error;

	*t = (struct clickhouse_turn){ .c = c, .node = n };
	error = look(t, &s, err, errlen);
	if (error)
		return error;
	if (s.held && s.now < s.since + CLICKHOUSE_TURN_S)
		return -EBUSY;
	snprintf(name, sizeof(name), "turn_held_%" PRIu64 "_%" PRIu64, s.number + 1, s.now);
	error = s.tables ? rename_turn(t, s.name, name, err, errlen) :
			   create_turn(t, name, err, errlen);
	if (error)
		return error;
	memcpy(t->name, name, sizeof(name));
	/* Two may have found none, and one of them been done before the other made his. */
	error = look(t, &s, err, errlen);
	if (!error && s.tables == 1 && !strcmp(s.name, t->name))
		return 0;
	drop_turn(t, err, errlen);
	return error ? error : -EBUSY;
}

int clickhouse_turn_renew(struct clickhouse_turn *t, char *err, size_t errlen)
{
	struct state s;
	char name[64];
	int error = look(t, &s, err, errlen);

	if (error)
		return error;
	snprintf(name, sizeof(name), "turn_held_%" PRIu64 "_%" PRIu64, s.number + 1, s.now);
	error = rename_turn(t, t->name, name, err, errlen);
	if (error)
		return error;
	memcpy(t->name, name, sizeof(name));
	return 0;
}

void clickhouse_turn_give(struct clickhouse_turn *t)
{
	char name[64], ignored[256];
	uint64_t number;

	if (sscanf(t->name, "turn_held_%" SCNu64, &number) != 1)
		return;
	snprintf(name, sizeof(name), "turn_free_%" PRIu64 "_0", number);
	/* If it cannot be told, it is taken for dead after a while. */
	rename_turn(t, t->name, name, ignored, sizeof(ignored));
	t->name[0] = '\0';
}
