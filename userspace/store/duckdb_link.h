/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to DuckDB: statements, answers, and rows appended. One thread at a time.
 *
 * -EAGAIN: it may work another time (a full disk, too little memory). -ENOTRECOVERABLE: the
 * library gives the whole database up until it is opened anew. -EIO: anything else.
 */
#ifndef PYCOST_DUCKDB_LINK_H
#define PYCOST_DUCKDB_LINK_H

#include "userspace/store/duckdb_api.h"
#include "userspace/store/schema.h"

struct duck_link {
	const struct duck_api *api;
	void *connection;
};

/* Several statements may be in one text. */
int duck_run(struct duck_link *l, const char *sql, char *err, size_t errlen);
/* As store_select(). NULL is 0, or "". */
int duck_select(struct duck_link *l, const char *sql, store_row_fn row, void *arg, char *err,
		size_t errlen);
/* The first value of the first row, which is a number; 0 when there is none. */
int duck_number(struct duck_link *l, const char *sql, uint64_t *ret, char *err, size_t errlen);

extern const struct schema_types duck_types;

struct duck_appender {
	struct duck_link *link; /* NULL: not open */
	const char *table;
	void *appender, *chunk;
	enum store_type types[SCHEMA_COLUMNS_MAX];
	void *vectors[SCHEMA_COLUMNS_MAX], *data[SCHEMA_COLUMNS_MAX];
	size_t columns;
	uint64_t rows, capacity;
};

int duck_appender_open(struct duck_appender *a, struct duck_link *l, const char *table,
		       const struct schema_column *columns, size_t count, char *err, size_t errlen);
int duck_appender_row(struct duck_appender *a, const struct store_value *values, char *err,
		      size_t errlen);
/* Rows are within the transaction after this. Nothing to do when it is not open. */
int duck_appender_finish(struct duck_appender *a, char *err, size_t errlen);
/* Also after an error. */
void duck_appender_drop(struct duck_appender *a);

#endif
