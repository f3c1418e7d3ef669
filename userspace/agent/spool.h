/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches on disk between their making and the collector's word that it has them.
 *
 * A batch is in the spool when spool_put() returns 0, whatever happens to the process
 * after that; it leaves when the collector has answered, or when the oldest have to go for
 * new ones, which is counted. A crash between the answer and the batch's removal sends it
 * again, under the same id.
 *
 * Where the disk takes nothing, batches wait in memory, up to a limit; they go to the disk
 * as soon as it takes them. A file that is damaged is set aside, and what can be read of it
 * is taken over.
 *
 * It also keeps which names the collector has, so that each travels once.
 *
 * All calls may come from any thread.
 */
#ifndef PYCOST_SPOOL_H
#define PYCOST_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/fleet/batch.h"

struct spool;

struct spool_options {
	const char *directory;	/* made when it is not there; one process at a time */
	const char *collector;	/* its URL: names are known to one, not to another */
	uint64_t limit;		/* bytes of batches on disk */
	uint64_t memory_limit;	/* of those that the disk does not take */
	uint32_t max_names;	/* known at a time */
	uint32_t names_last_s;	/* after so long a name is sent again; 0: never */
};

/* -EBUSY: another agent has it.  Errors in words in err. */
int spool_open(const struct spool_options *o, struct spool **ret, char *err, size_t errlen);
void spool_close(struct spool *s); /* NULL: nothing */

/* Another collector: nothing is known there. -errno: the old one stays. */
int spool_collector(struct spool *s, const char *url);
/* Other bounds, from the next batch on. */
void spool_limits(struct spool *s, uint64_t limit, uint64_t memory_limit);

/*
 * 0: on disk. 1: in memory only, as the disk does not take it. -EMSGSIZE: larger than
 * everything that may be kept, and counted as dropped; -ENOMEM. names: those whose
 * definitions are in it.
 */
int spool_put(struct spool *s, const uint8_t id[BATCH_ID_SIZE], uint64_t begin_s,
	      const void *bytes, size_t size, const uint64_t *names, size_t name_count);

struct spool_batch {
	int64_t number; /* this and the next are the spool's own */
	uint32_t file;
	uint8_t id[BATCH_ID_SIZE];
	uint64_t begin_s;
	void *bytes; /* to be freed */
	size_t size;
};

/* A copy of the oldest. -ENOENT: there is none. */
int spool_oldest(struct spool *s, struct spool_batch *ret);

enum spool_fate {
	SPOOL_SENT,	/* the collector has it, and its names */
	SPOOL_POISON,	/* it will never take it: kept beside the others, the last few of such */
	SPOOL_EXPIRED,	/* too old for it */
};
/* What became of the oldest. A disk that cannot note it is no error: it is sent again then. */
void spool_done(struct spool *s, const struct spool_batch *b, enum spool_fate fate,
		const char *why);

/*
 * The oldest is not for now, and goes behind all others; false: there is no other, or the disk
 * does not take it.
 */
bool spool_behind(struct spool *s, const struct spool_batch *b);

/* Waits until there may be a batch, or for so long; returns early after spool_wake(). */
void spool_wait(struct spool *s, int timeout_ms);
void spool_wake(struct spool *s);

/* Whether the collector has this name. */
bool spool_knows(struct spool *s, uint64_t name);

struct spool_status {
	uint64_t batches, bytes; /* that wait, on disk and in memory */
	uint64_t memory_batches, memory_bytes;
	uint64_t oldest_begin_s; /* 0: none waits */
	uint64_t names;
	/* Since the spool was made, over restarts, but for a file that was lost. */
	uint64_t put, sent, dropped, dropped_bytes, poison, expired, damaged, set_aside;
	uint64_t disk_errors; /* since the start */
	char disk_error[128]; /* the last one while it lasts; "" */
};
void spool_status(struct spool *s, struct spool_status *ret);

#endif
