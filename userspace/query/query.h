/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question about the fleet, and its answer.
 *
 * The same words make it on the command line and in a URL: query_set() takes them one by
 * one. The answer is JSON, which is what travels; the client makes tables of it.
 */
#ifndef PYCOST_QUERY_H
#define PYCOST_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define QUERY_KEYS_MAX 8
#define QUERY_CONDITIONS_MAX 16
#define QUERY_TEXT_MAX 256
#define QUERY_LIMIT_DEFAULT 50
#define QUERY_LIMIT_MAX 100000

enum query_what {
	QUERY_FUNCTIONS = 1, /* the most expensive functions */
	QUERY_CALLERS,	/* who calls one function, and whom it calls */
	QUERY_PATHS,	/* call paths: for flame graphs and pprof */
	QUERY_REQUESTS, /* what requests cost */
	QUERY_SERIES,	/* one measure over time */
	QUERY_USERS,	/* distinct users by the minute, and instructions per user at the peak */
	QUERY_TAGS,	/* which keys and values there are */
	QUERY_COUNTERS, /* losses and lives of workers */
};
enum query_what query_by_name(const char *name); /* 0: none */

struct query_condition {
	char key[QUERY_TEXT_MAX];
	char glob[QUERY_TEXT_MAX];
	bool not;
};

struct query {
	enum query_what what;
	uint64_t since, until; /* Unix time, seconds */
	uint32_t step_s;       /* of series; 0: chosen by the stretch */
	struct query_condition where[QUERY_CONDITIONS_MAX];
	unsigned where_count;
	char by[QUERY_KEYS_MAX][QUERY_TEXT_MAX];
	unsigned by_count;
	char function[QUERY_TEXT_MAX]; /* glob on the display name; "": all */
	char measure[QUERY_TEXT_MAX];  /* of series: "cost", "latency.p99"... */
	char sort[QUERY_TEXT_MAX];
	uint32_t limit;
	uint64_t until_ns; /* no answer is wanted any more then (CLOCK_MONOTONIC); 0: never */
};

/* now_s: what times are relative to, such as "1h" and "2d". */
void query_init(struct query *q, enum query_what what, uint64_t now_s);
/* key: since, until, step, where, by, function, measure, sort, limit. -EINVAL, in words. */
int query_set(struct query *q, const char *key, const char *value, uint64_t now_s, char *err,
	      size_t errlen);

/*
 * {"what", "since", "until", "step", "metrics": [...], "columns": [{"name", "unit"}...],
 *  "rows": [[...]...], "truncated": bool, "losses": {...}, ...}. Never adds up two metrics,
 * nor exact and sampled costs: these are columns of their own, as if asked by them.
 */
int query_run(struct store *s, const struct query *q, json_t **ret, char *err, size_t errlen);

#endif
