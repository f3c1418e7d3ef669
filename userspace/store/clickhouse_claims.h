/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each batch counts once, whoever sends it and writes it, and whatever is lost on the way;
 * private to clickhouse_*.c.
 *
 * ClickHouse has no transactions: an insert whose answer is lost may have been made, or be
 * made yet, and two may write the same batch at once. So
 *	1. facts are written, by an attempt that nobody believes yet;
 *	2. the attempt claims its batches, by entries in the ledger;
 *	3. it looks who else claims them. If somebody has committed one, or may, the attempt is
 *	   given up, and the other batches are written by another: of two that claim a batch
 *	   at once, at least the one that was later sees the other;
 *	4. it commits, by a row that the server writes only until COMMIT_S after the claim;
 * A claim that is not committed after DEAD_S, or is from before the server was started, never
 * will be. Until then nobody knows, and whoever wants to write that batch has to wait.
 * All times are the server's.
 *
 * Of replicas of one shard, ZooKeeper's log says who was later: before it looks, a replica
 * catches up with all that was logged before its own claim (clickhouse_replica.h). The claim
 * and the commit of an attempt are by one replica's clock; others take it for dead later, so
 * that their clocks need to agree by half a minute only. While a replica is away whose last
 * claims nobody else has got, its shard takes no batches: they might be among these.
 */
#ifndef PYCOST_CLICKHOUSE_CLAIMS_H
#define PYCOST_CLICKHOUSE_CLAIMS_H

#include "userspace/store/clickhouse.h"

#define CLICKHOUSE_ATTEMPTS_MAX 6 /* of one group, before it is left to be sent again */

enum claim {
	CLAIM_NONE,
	CLAIM_OTHERS, /* nobody knows yet */
	CLAIM_STORED,
	CLAIM_OURS, /* by an earlier attempt of this group, after all */
};

struct claimed {
	const struct batch *batch;
	size_t index; /* in the caller's arrays */
	char hex[2 * BATCH_ID_SIZE + 1];
	unsigned shard;
	enum claim claim;
};

/* Batches of one shard, ascending by hex, each once. */
struct claims {
	struct claimed *items;
	size_t count;
	uint64_t attempts[CLICKHOUSE_ATTEMPTS_MAX];
	bool committing[CLICKHOUSE_ATTEMPTS_MAX]; /* it may be committed by now */
	unsigned attempt_count;
	uint64_t made; /* when the last attempt claimed; 0: it has not */
	bool holding;  /* others see claims of the last attempt, and may wait for it */
	bool yield;    /* while holding: who claims one, too, is a lesser attempt */
};

/*
 * Sets each claim, as seen apart from the last attempt's own. -ERANGE: one is too old to be
 * stored.
 */
int claims_look(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen);
/* The last attempt may be committed, for all that is known. */
bool claims_committing(const struct claims *g);
/*
 * Waits a while for what others are about to tell, but not while it had better yield to them.
 * -EBUSY: they have not.
 */
int claims_wait(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen);
/* A new attempt, which claims those that nobody does. */
int claims_new_attempt(struct claims *g);
int claims_make(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		size_t errlen);
/* -EBUSY: it was too late, or it is not known. */
int claims_commit(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		  size_t errlen);
/* So that nobody waits for it. */
int claims_give_up(struct clickhouse *c, struct clickhouse_node *n, struct claims *g, char *err,
		   size_t errlen);

#endif
