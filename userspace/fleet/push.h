/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording to a collector: its minutes, as batches whose ids are those of the recording
 * and the minute, so that what is pushed again counts once, also when the file has grown.
 */
#ifndef PYCOST_PUSH_H
#define PYCOST_PUSH_H

#include "userspace/fleet/fold.h"
#include "userspace/fleet/post.h"

struct push_options {
	const struct batch_tag *tags; /* these go before what the recording says */
	size_t tag_count;
	const char *const *keep, *const *users; /* as in fold.h */
	size_t keep_count, user_count;
	/* What has no end is pushed, too; the last minute only when two more have passed. */
	bool partial;
	unsigned attempts; /* for each batch, as long as the collector is away or busy */
	/* Another batch was answered; may be NULL. */
	void (*progress)(void *arg, uint64_t minute, uint64_t minutes);
	void *arg;
};

struct push_result {
	uint64_t batches, duplicates, bytes;
	bool incomplete, corrupt; /* what could be read was pushed */
	bool left; /* but its last minute */
};

/*
 * path: "-" is standard input. -ENODATA: no service is known of something in it; others in
 * words in err, too. What was answered until then is in ret.
 */
int push_file(const char *path, struct post *to, const struct push_options *o,
	      struct push_result *ret, char *err, size_t errlen);

#endif
