/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a series is of. */
#ifndef PYCOST_QUERY_MEASURE_H
#define PYCOST_QUERY_MEASURE_H

#include "userspace/query/query.h"
#include "userspace/sink.h"

#define QUERY_MEASURE_DEFAULT "cost"

enum query_measure_kind {
	MEASURE_FUNCTIONS = 1, /* "self", "cumulative", "calls", "samples" */
	MEASURE_REQUESTS,      /* "requests": how many they stand for */
	MEASURE_RATE,	       /* "rate": of these, a second */
	MEASURE_FAILED,	       /* "failed" */
	MEASURE_COST,	       /* "cost": of all that they stand for */
	MEASURE_SUM,	       /* "latency.sum": of those that were seen */
	MEASURE_MEAN,	       /* "latency.mean" */
	MEASURE_QUANTILE,      /* "latency.p99" */
	MEASURE_USERS,	       /* "users" */
	MEASURE_COUNTER,       /* "counter.loss.nodes" */
};

struct query_measure {
	enum query_measure_kind kind;
	const char *column; /* of functions */
	enum request_measure measure;
	enum request_distribution distribution;
	double level;	   /* of the quantile */
	const char *name;  /* of the counter; within the text that was parsed */
	const char *unit;  /* as of columns */
};

/* -EINVAL, in words. */
int query_measure_parse(const char *text, struct query_measure *ret, char *err, size_t errlen);
const char *query_measure_unit(enum request_measure m);

#endif
