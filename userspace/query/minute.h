/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the requests of one minute came to, as it is exported to those who keep metrics: by
 * service, version, endpoint and status, and never more rows than they can bear.
 */
#ifndef PYCOST_MINUTE_H
#define PYCOST_MINUTE_H

#include "userspace/arena.h"
#include "userspace/query/query.h"

#define MINUTE_S 60
#define MINUTE_OTHER "other" /* what stands for values that are not kept apart */

/*
 * Upper ends of the buckets of latency, in seconds: those that OpenTelemetry's conventions
 * have for requests, and two below them. What was measured is in bins 3 % wide; a bin
 * counts where its middle is.
 */
#define MINUTE_BOUNDS 16
extern const double minute_bounds[MINUTE_BOUNDS];

struct minute_row {
	const char *service, *version, *endpoint, *status, *metric;
	double requests, cost; /* of all that there were, watched or not; cost: of the metric */
	uint64_t watched;
	double latency_s; /* the sum of those watched */
	uint64_t latency[MINUTE_BOUNDS + 1]; /* each its own, not the sum up to it */
};

struct minute_users {
	const char *service, *version, *metric;
	double users;
};

struct minute {
	uint64_t begin_s;
	struct minute_row *rows;
	struct minute_users *users;
	size_t row_count, user_count;
	size_t cut; /* rows that were put together, and users that were left out */
	struct arena memory;
};

/* The last one that ended so long ago. */
uint64_t minute_last(uint64_t now_s, uint64_t late_s);

/*
 * where: whose conditions count, and nothing else of it. At most `limit` rows and as many
 * for what is put together: those with the fewest requests are, by service and metric, and
 * beyond that many services by metric alone. -errno, and a sentence in err.
 */
int minute_load(struct store *s, const struct query *where, uint64_t begin_s, size_t limit,
		struct minute *ret, char *err, size_t errlen);
void minute_free(struct minute *m);

#endif
