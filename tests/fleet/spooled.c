/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spooled DIR COUNT URL: puts so many batches into an agent's spool, the n-th with a counter
 * "test.n" of n. Prints how many wait then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "userspace/agent/spool.h"
#include "userspace/fleet/batch.h"

static const struct batch_tag tags[] = {
	{TAG_KEY_HOST, "test"}, {TAG_KEY_METRIC, "task-clock"}, {TAG_KEY_SERVICE, "test"}};

static int put(struct spool *s, unsigned n, uint64_t begin_s)
{
	struct batch_slice slice = {.id = batch_slice_id(tags, 3, NULL),
				    .fleet = batch_slice_id(tags, 3, TAG_KEY_HOST), .tags = tags,
				    .tag_count = 3};
	struct batch_counter counter = {.name = "test.n", .value = n};
	struct batch b = {.sender = "test", .begin_s = begin_s, .seconds = BATCH_SECONDS,
			  .slices = &slice, .slice_count = 1, .counters = &counter, .counter_count = 1};
	void *bytes;
	size_t size;
	int err;

	memcpy(b.id, &n, sizeof(n));
	memcpy(b.id + 8, "spooled", 8);
	err = batch_pack(&b, &bytes, &size);
	if (err)
		return err;
	err = spool_put(s, b.id, begin_s, bytes, size, NULL, 0);
	free(bytes);
	return err;
}

int main(int argc, char **argv)
{
	struct spool_options o = {.limit = 1 << 30, .memory_limit = 1 << 20, .max_names = 1000};
	struct spool_status st;
	struct spool *s;
	char why[512] = "";
	int count, err = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: spooled DIR COUNT URL\n");
		return 2;
	}
	o.directory = argv[1];
	o.collector = argv[3];
	count = atoi(argv[2]);
	if (spool_open(&o, &s, why, sizeof(why))) {
		fprintf(stderr, "spooled: %s\n", why);
		return 1;
	}
	for (int n = 1; n <= count && !err; n++)
		err = put(s, n, (time(NULL) / BATCH_SECONDS - count + n) * BATCH_SECONDS);
	if (err)
		fprintf(stderr, "spooled: %s\n", strerror(err < 0 ? -err : EIO));
	spool_status(s, &st);
	printf("%llu\n", (unsigned long long)st.batches);
	spool_close(s);
	return err != 0;
}
