/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is to add up and to drop on a server, of several collectors: private to
 * clickhouse_*.c.
 *
 * A partition that is replaced by one that was made of less would lose facts. So only one may
 * do that, and ClickHouse knows no locks but one: of several that rename a table, one does.
 * The table's name tells whether it is held, and since when, by the server's clock.
 */
#ifndef PYCOST_CLICKHOUSE_TURN_H
#define PYCOST_CLICKHOUSE_TURN_H

#include "userspace/store/clickhouse.h"

#define CLICKHOUSE_TURN_S 3600 /* who held it for longer without a word is dead */

struct clickhouse_turn {
	struct clickhouse *c;
	struct clickhouse_node *node;
	char name[64]; /* of the table, while it is ours */
};

/* -EBUSY: it is another's. */
int clickhouse_turn_take(struct clickhouse_turn *t, struct clickhouse *c, struct clickhouse_node *n,
			 char *err, size_t errlen);
/* It still is ours, and for longer. -EBUSY: it is not. */
int clickhouse_turn_renew(struct clickhouse_turn *t, char *err, size_t errlen);
void clickhouse_turn_give(struct clickhouse_turn *t);

#endif
