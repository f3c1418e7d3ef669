/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What imports, or collections of garbage, cost: added up by endpoint, by the function that
 * imported or ran into the collection, by module or generation.
 */
#ifndef PYCOST_EVENT_TABLE_H
#define PYCOST_EVENT_TABLE_H

#include <stdio.h>

#include "userspace/recording.h"
#include "userspace/report.h"

enum event_kind {
	EVENT_IMPORT,
	EVENT_COLLECTION,
};

enum event_field {
	EVENT_ENDPOINT, /* "(none)": outside of any request */
	EVENT_FUNCTION, /* "-" when it is not known */
	EVENT_MODULE,	/* of imports: what was imported */
	EVENT_PACKAGE,	/* its first part */
	EVENT_GENERATION, /* of collections */
	EVENT_FIELDS,
};
extern const char *const event_field_names[EVENT_FIELDS];
/* EVENT_FIELDS: no name of a field of that kind of event. */
enum event_field event_field_by_name(enum event_kind kind, const char *name);

struct event_row {
	const char *keys[EVENT_FIELDS]; /* the table's */
	uint64_t count;
	uint64_t ns, cost; /* imports: without what they import in turn, so that sums are honest */
	uint64_t whole_ns, whole_cost; /* imports: with it */
	uint64_t collected; /* collections: objects */
};

struct event_table {
	const struct profile *profile;
	enum event_kind kind;
	enum event_field by[EVENT_FIELDS];
	size_t by_count;
	struct event_row *rows;
	size_t row_count;
	struct event_row total;
	/* private */
	struct arena strings;
};

enum event_sort {
	EVENT_SORT_COST,
	EVENT_SORT_TIME,
	EVENT_SORT_COUNT,
	EVENT_SORT_WHOLE, /* of imports: the cost with that of all they import */
	EVENT_SORT_COLLECTED,
	EVENT_SORT_NAME,
	EVENT_SORTS,
};
extern const char *const event_sort_names[EVENT_SORTS];

/* endpoint: a glob that endpoints are to match, or NULL. Rows come sorted.  -ENOMEM. */
int event_table_compute(const struct profile *p, enum event_kind kind, const enum event_field *by,
			size_t by_count, const char *endpoint, enum event_sort sort,
			struct event_table *ret);
void event_table_free(struct event_table *t);

void event_print_header(const struct event_table *t, const struct report_style *style, FILE *out);
int event_print_table(const struct event_table *t, const struct report_style *style, FILE *out);
int event_json(const struct event_table *t, const struct recording_status *status, size_t limit,
	       FILE *out);
int event_csv(const struct event_table *t, size_t limit, FILE *out);

#endif
