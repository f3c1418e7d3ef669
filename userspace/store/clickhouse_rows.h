/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows on their way: answers in TabSeparatedWithNamesAndTypes, as they come in, and what
 * is to be inserted, in RowBinary, gzipped.
 */
#ifndef PYCOST_CLICKHOUSE_ROWS_H
#define PYCOST_CLICKHOUSE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "userspace/store/store.h"

/* Foreign bytes: lines and columns beyond these are refused. */
#define CLICKHOUSE_LINE_MAX (16u << 20)
#define CLICKHOUSE_COLUMNS_MAX 256

struct clickhouse_answer {
	store_row_fn row;
	void *arg;
	/* Private. */
	char *line;
	size_t used, room;
	unsigned lines; /* up to 2: names, then types */
	size_t columns;
	enum store_type types[CLICKHOUSE_COLUMNS_MAX];
	bool whole[CLICKHOUSE_COLUMNS_MAX]; /* F64: it is of Int */
	struct store_value values[CLICKHOUSE_COLUMNS_MAX];
};

void clickhouse_answer_init(struct clickhouse_answer *a, store_row_fn row, void *arg);
/* As clickhouse_call.take wants it. -EBADMSG: no such answer; else what row() returned. */
int clickhouse_answer_take(void *answer, const char *bytes, size_t size);
/* -EBADMSG: it ended within a line. */
int clickhouse_answer_end(struct clickhouse_answer *a);
void clickhouse_answer_free(struct clickhouse_answer *a);

/* All zero is empty. */
struct clickhouse_rows {
	unsigned char *bytes; /* gzipped, after clickhouse_rows_end() */
	size_t size;
	uint64_t count; /* of rows */
	/* Private. */
	size_t room;
	unsigned char plain[1 << 16];
	size_t plain_used;
	z_stream zip;
	int begun;
};

/* A rows_fn. -ENOMEM. */
int clickhouse_rows_add(void *rows, const struct store_value *values, size_t count);
int clickhouse_rows_end(struct clickhouse_rows *r);
void clickhouse_rows_free(struct clickhouse_rows *r); /* empty, then */

#endif
