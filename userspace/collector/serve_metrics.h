/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the collector counts of itself, and shows as OpenMetrics. Any thread. */
#ifndef PYCOST_SERVE_METRICS_H
#define PYCOST_SERVE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace/store/store.h"

/* What became of a request that brought a batch. */
enum batch_result {
	BATCH_NEW,
	BATCH_DUPLICATE,
	BATCH_MALFORMED,    /* it will never be taken */
	BATCH_TOO_LARGE,
	BATCH_UNAUTHORIZED, /* no token, or a wrong one */
	BATCH_FORBIDDEN,    /* not for these services */
	BATCH_CLOCK,	    /* the sender's clock is too far off */
	BATCH_EXPIRED,
	BATCH_RATE,	    /* more than one sender may */
	BATCH_BUSY,	    /* too much waits */
	BATCH_STORE,	    /* the store did not take it */
	BATCH_DRAINING,	    /* the collector ends */
	BATCH_BROKEN_OFF,   /* it did not arrive */
	BATCH_RESULTS,
};

enum serve_count {
	COUNT_BYTES,	/* of bodies */
	COUNT_SHIFTED,	/* batches put where a right clock would have put them */
	COUNT_GROUPS,	/* written */
	COUNT_GROUP_ERRORS,
	COUNT_MAINTAIN_ERRORS,
	COUNT_QUERIES,
	COUNT_QUERY_ERRORS,
	COUNT_QUERY_TIMEOUTS,
	COUNT_QUERY_BUSY,
	COUNT_REFUSED,	/* other requests than batches, of those that may not */
	COUNT_CUT,	/* connections that took too long */
	COUNT_OTLP, /* minutes exported */
	COUNT_OTLP_ERRORS,
	COUNT_RELOADS,
	COUNT_RELOAD_ERRORS,
	SERVE_COUNTS,
};

enum serve_gauge {
	GAUGE_CONNECTIONS,
	GAUGE_IN_FLIGHT_BYTES,
	GAUGE_WAITING, /* batches, for the store */
	GAUGE_QUERIES,
	GAUGE_SENDERS,
	SERVE_GAUGES,
};

enum serve_time { TIME_GROUP, TIME_BATCH, TIME_QUERY, SERVE_TIMES };
#define TIME_BUCKETS 12

struct serve_metrics {
	uint64_t batches[BATCH_RESULTS];
	uint64_t counts[SERVE_COUNTS];
	int64_t gauges[SERVE_GAUGES];
	struct {
		uint64_t buckets[TIME_BUCKETS + 1]; /* each its own, not the sum up to it */
		uint64_t ns;
	} times[SERVE_TIMES];
};

static inline void metrics_batch(struct serve_metrics *m, enum batch_result r)
{
	__atomic_add_fetch(&m->batches[r], 1, __ATOMIC_RELAXED);
}
static inline void metrics_count(struct serve_metrics *m, enum serve_count c, uint64_t n)
{
	__atomic_add_fetch(&m->counts[c], n, __ATOMIC_RELAXED);
}
static inline int64_t metrics_gauge(struct serve_metrics *m, enum serve_gauge g, int64_t change)
{
	return __atomic_add_fetch(&m->gauges[g], change, __ATOMIC_RELAXED);
}
static inline int64_t metrics_level(const struct serve_metrics *m, enum serve_gauge g)
{
	return __atomic_load_n(&m->gauges[g], __ATOMIC_RELAXED);
}
void metrics_time(struct serve_metrics *m, enum serve_time t, uint64_t ns);

/* What is not counted here but shown with the rest. */
struct serve_state {
	bool ready;
	struct store_status store;
	uint64_t certificate_expires; /* 0: there is none */
	uint64_t started_s;
};
/* older: in the text format of before OpenMetrics. */
void metrics_write(const struct serve_metrics *m, const struct serve_state *s, bool older,
		   FILE *out);

#endif
