/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each kind of question is, in one table: its words, its parts, its answer. */
#ifndef PYCOST_QUERY_KIND_H
#define PYCOST_QUERY_KIND_H

#include "userspace/query/query_run.h"

#define QUERY_PATHS_LIMIT 10000
#define QUERY_SERIES_LIMIT 10000
#define QUERY_TAGS_LIMIT 1000

struct query_kind {
	enum query_what what;
	const char *name;
	const char *summary;
	const char *sorts; /* names with a blank between any two, the default first; "": fixed */
	const char *parts; /* which of by, function, measure, step, likewise */
	uint32_t limit;	   /* the default */
	int (*run)(struct query_run *r);
};
extern const struct query_kind query_kinds[];
extern const size_t query_kind_count;
const struct query_kind *query_kind_of(enum query_what what);

/* Whether a word is one of those with blanks between them. */
bool query_word_is_in(const char *words, const char *word);

int query_functions_run(struct query_run *r);
int query_callers_run(struct query_run *r);
int query_paths_run(struct query_run *r);
int query_requests_run(struct query_run *r);
int query_series_run(struct query_run *r);
int query_users_run(struct query_run *r);
int query_tags_run(struct query_run *r);
int query_counters_run(struct query_run *r);

#endif
