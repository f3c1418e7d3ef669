/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables, and the SQL that both engines understand.
 *
 * Facts are kept three times: by the minute as they came (costs_minute), by the hour and by
 * the day (costs_hour, costs_day), added up over hosts. Each row begins with
 *	minute		attempt, t, slice, fleet
 *	hour, day	t, slice (which is the fleet's)
 * where t is the begin of the interval in Unix seconds, slice an id with the host and fleet
 * the same without. attempt tells which writing of a group of batches made the row.
 * After them come the columns below, keys before values; there is at most one row of the
 * same keys in a group of batches that is written together, and any number in a table:
 * whoever asks adds them up.
 *
 * Of function costs, call paths, bins and users there would be too many by host: a thousand
 * hosts tell of the same functions. They are added up over the hosts of a group before they
 * are written, and their slice is the fleet's by the minute too. In costs, `minutes` is how many
 * hosts' minutes a row is the sum of, and the squares are of what each of these came to.
 *
 * Of requests that were watched in part, what n of them stand for is different in each row: so
 * what they are scaled to is in columns of its own, before anything is added up.
 *
 * Names: one row of each id, under the same name as in the facts, for JOIN ... USING.
 *	tags		slice, key, value: of slices, and of fleets
 *	functions	function, name, qualname, class_name, module, file, wraps, line
 *	paths		path, parent, function
 *
 * Types are three: u64, f64 and text. Ids, times and counts are u64; amounts are f64, which
 * are exact up to 2^53 and do not overflow where a fleet's day of instructions does.
 *
 * The dialect passes on DuckDB 1.5, ClickHouse 18.16 (2018) and 26.7:
 *	sum, count, min, max; CASE WHEN; IN (list or subquery); UNION ALL; ORDER BY, LIMIT
 *	one JOIN to a SELECT, USING (column); each subquery with a JOIN has an alias
 *	intDiv(a, b), match(text, 're2'), toFloat64(x), toUInt64(x): macros in DuckDB
 *	text literals by store_quote() only
 *	no WITH, no window, no :: and no ILIKE; count() is written count(*)
 *	in ClickHouse an alias hides a column of its name in WHERE too: filter in a subquery
 */
#ifndef PYCOST_SCHEMA_H
#define PYCOST_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "userspace/store/store.h"

/* Of the tables, in the store itself: raised when they change, with a step in each engine. */
#define SCHEMA_VERSION 1

enum schema_role {
	COLUMN_KEY = 1,
	COLUMN_SUM, /* rows of the same keys: added up */
	COLUMN_MAX, /* the greatest of them */
};

struct schema_column {
	const char *name;
	enum store_type type;
	enum schema_role role;
};

struct schema_table {
	const char *name;
	const struct schema_column *columns;
	size_t count;
};

/* What is at the front of each row of facts. */
#define SCHEMA_MINUTE_FRONT 4
#define SCHEMA_ROLLED_FRONT 2
#define SCHEMA_COLUMNS_MAX 64

/* Whether a fact's minutes are kept by host; if not, slice and fleet are the same. */
bool schema_by_host(enum store_fact fact);

/* name: "costs", which "_minute", "_hour" or "_day" is appended to; columns without the front. */
const struct schema_table *schema_fact(enum store_fact fact);

enum schema_names {
	NAMES_TAGS,
	NAMES_FUNCTIONS,
	NAMES_PATHS,
	SCHEMA_NAMES,
};
/* The first column is the id, which tags alone have several rows of. */
const struct schema_table *schema_names(enum schema_names which);

/* step_s of 60, 3600, 86400: "minute", "hour", "day". */
const char *schema_step_name(uint32_t step_s);

/* Columns of a fact's table with their front. ret: SCHEMA_COLUMNS_MAX. Returns how many. */
size_t schema_fact_columns(enum store_fact fact, uint32_t step_s, struct schema_column *ret);

/* Of a language: what its three types are called, by enum store_type. */
struct schema_types {
	const char *names[STORE_TEXT + 1];
};
/* Writes "(name TYPE, ...)". */
void schema_write_columns(const struct schema_column *columns, size_t count,
			  const struct schema_types *types, FILE *out);

/*
 * Writes the SELECT that makes a longer step of a shorter one, in the order of the longer
 * one's columns: of rows with since <= t < until. also: " AND ..." on rows, or "".
 */
void schema_write_rollup(enum store_fact fact, uint32_t from_s, uint32_t to_s, uint64_t since,
			 uint64_t until, const char *also, FILE *out);

#endif
