/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the spool's parts share; private to them. All with its mutex held. */
#ifndef PYCOST_SPOOL_PARTS_H
#define PYCOST_SPOOL_PARTS_H

#include <limits.h>
#include <pthread.h>

#include "userspace/agent/name_set.h"
#include "userspace/agent/spool.h"
#include "userspace/agent/spool_db.h"

/* A batch that the disk has not taken. */
struct spool_kept {
	struct spool_kept *next; /* made after it */
	int64_t number;		 /* below 0 */
	uint8_t id[BATCH_ID_SIZE];
	uint64_t begin_s;
	size_t size, name_count;
	uint64_t *names;
	unsigned char bytes[];
};

struct spool {
	struct spool_options options;
	char path[PATH_MAX], collector[1024];
	int64_t collector_id;
	int lock; /* the directory's, as a descriptor */
	pthread_mutex_t mutex;
	pthread_cond_t news;
	bool woken;
	sqlite3 *db; /* NULL: it cannot be opened at present */
	uint64_t disk_batches, disk_bytes;
	uint32_t file;	/* counts those that were opened: numbers are of one file */
	int64_t flight; /* the number of what is being sent; 0: nothing */
	int64_t done; /* all on disk up to this number are done, whether they are there or not */
	bool late; /* some of these are there */
	struct spool_kept *kept, **kept_end;
	uint64_t kept_batches, kept_bytes;
	int64_t kept_number; /* of the last one */
	uint64_t counts[SPOOL_COUNTS];
	struct name_set names;
	uint64_t disk_errors;
	char disk_error[128];
};

/* Opens the file, or a new one in the place of a damaged one. */
int spool_file_open(struct spool *s, char *err, size_t errlen);
/* What a statement came to; damage is mended: -EAGAIN, it may be tried once more. */
int spool_disk_failed(struct spool *s, int rc);
/* Writes what waits in memory, as far as the disk takes it.  -errno. */
int spool_settle(struct spool *s);
void spool_kept_remove(struct spool *s, struct spool_kept **at);
/* -EMSGSIZE: larger than all that may be kept, and counted; -ENOMEM. */
int spool_kept_add(struct spool *s, const struct spool_row *r);

/* The names of s->collector, from the file. */
int spool_names_read(struct spool *s);
/* They are known from now on: within a transaction. SQLite's result. */
int spool_names_write(struct spool *s, const void *names, size_t size, uint32_t now);
/* The same in memory, after the commit. */
void spool_names_learn(struct spool *s, const void *names, size_t size, uint32_t now);

#endif
