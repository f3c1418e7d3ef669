/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A measurement on disk: a sink that writes it and a source that replays it. */
#ifndef PYCOST_RECORDING_H
#define PYCOST_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/sink.h"

/*
 * "-" writes to standard output.  Facts reach the file at each flush; a write
 * error is returned by the flush (or the fact that filled a block) and by every
 * call after it.  Without end() the file stays marked as incomplete.
 */
int recording_create(const char *path, struct sink **ret);

/* Drops facts that were never flushed.  Takes NULL. */
int recording_close(struct sink *s);

struct recording_status {
	bool incomplete;	 /* the recorder did not finish, or the file was cut */
	bool corrupt;		 /* damage at corrupt_offset; replayed up to there */
	uint64_t corrupt_offset;
	uint64_t size;		 /* bytes that were read and kept */
};

/*
 * Replay a file ("-": standard input) or bytes into a sink.  A cut or damaged
 * file succeeds with what its whole blocks hold, and says so in *ret_status.
 *
 * Fails with -EINVAL (no recording), -EPROTONOSUPPORT (from a newer pycost),
 * -EPROTO (an intact block breaks the contract of sink.h), the error of open
 * or read, or the sink's own.  A sentence for the user is left in err.
 */
int recording_read(const char *path, struct sink *to, struct recording_status *ret_status,
		   char *err, size_t errlen);
int recording_read_memory(const void *data, size_t size, struct sink *to,
			  struct recording_status *ret_status, char *err, size_t errlen);

#endif
