/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The work of a turn; private to clickhouse_*.c. */
#ifndef PYCOST_CLICKHOUSE_MAINTAIN_H
#define PYCOST_CLICKHOUSE_MAINTAIN_H

#include "userspace/store/clickhouse_buckets.h"
#include "userspace/store/clickhouse_turn.h"

struct clickhouse_work {
	struct clickhouse *c;
	struct clickhouse_node *node;
	unsigned shard; /* 0 without a cluster */
	uint64_t now;
	struct clickhouse_turn turn;
	char *err;
	size_t errlen;
};

/* A statement in the server's own database. Frees sql; NULL: -ENOMEM. */
int clickhouse_do(struct clickhouse_work *w, char *sql);
/* Hours of minutes, then days of hours. *ret: what is so far. */
int clickhouse_roll(struct clickhouse_work *w, struct clickhouse_tally *ret);
/* Drops what is too old, and tables that somebody who died has left. */
int clickhouse_sweep(struct clickhouse_work *w, const struct clickhouse_tally *tally);
/* A table like that of a fact's step, but plain. */
char *clickhouse_next_sql(const char *own, enum store_fact fact, uint32_t step_s, const char *name);

#endif
