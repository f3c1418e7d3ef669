/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replica has not got yet of what its shard was told; private to clickhouse_*.c.
 *
 * Rows are on the replica that took them, and in ZooKeeper's log of the table at the same
 * moment (ReplicatedMergeTreeBlockOutputStream::commitPart() of 18.16); the others fetch them.
 * Of what is written through two replicas, the log has one before the other, and a server that
 * has written sees in ZooKeeper all that was logged before, as it has one session.
 */
#ifndef PYCOST_CLICKHOUSE_REPLICA_H
#define PYCOST_CLICKHOUSE_REPLICA_H

#include "userspace/store/clickhouse.h"

/*
 * Waits until n has all rows of a table that were logged before now. -EAGAIN: it does not get
 * them, as when the replica that has them is away. Nothing to do where there is one replica.
 */
int clickhouse_catch_up(struct clickhouse *c, const struct clickhouse_node *n, const char *table,
			char *err, size_t errlen);

/* What it calls itself in its tables; where it has none yet, a new name. */
int clickhouse_replica_name(struct clickhouse *c, const struct clickhouse_node *n,
			    char ret[CLICKHOUSE_REPLICA_NAME], char *err, size_t errlen);

/* -ESRCH: another replica of its shard is the first, by when they were made. */
int clickhouse_is_first(struct clickhouse *c, const struct clickhouse_node *n, char *err,
			size_t errlen);

#endif
