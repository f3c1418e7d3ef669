/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is added up already: how many attempts have written facts of each hour, and how many
 * had when the hour, and its day, were made. Private to clickhouse_*.c.
 */
#ifndef PYCOST_CLICKHOUSE_BUCKETS_H
#define PYCOST_CLICKHOUSE_BUCKETS_H

#include "userspace/store/clickhouse.h"

struct clickhouse_bucket {
	uint64_t t;
	uint64_t written; /* attempts until now */
	uint64_t rolled;  /* when it was made; 0: it was not */
};

struct clickhouse_tally {
	struct clickhouse_bucket *hours, *days; /* ascending; that were written to */
	size_t hour_count, day_count;
	uint64_t since[3]; /* of minutes, hours, days: what is before is gone; 0: nothing is */
};

/* since and until: whole days. node: of its shard; NULL: of all shards together. */
int clickhouse_tally(struct clickhouse *c, struct clickhouse_node *node, uint64_t since,
		     uint64_t until, struct clickhouse_tally *ret, char *err, size_t errlen);
void clickhouse_tally_free(struct clickhouse_tally *t);

#endif
