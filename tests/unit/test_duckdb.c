/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store in a directory: what goes in comes out, once, whatever way it is read. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fleet_sample.h"
#include "tests/unit/suites.h"
#include "tests/unit/tree.h"
#include "userspace/clock.h"
#include "userspace/store/duckdb_store.h"

#define HOUR 3600ull
#define DAY 86400ull
#define MIDNIGHT (FLEET_BEGIN_S - FLEET_BEGIN_S % DAY)

static char err[512];

static struct store *open_store(void)
{
	struct store *s = NULL;

	CU_ASSERT_FATAL(!store_open(tree_at("store"), NULL, &s, err, sizeof(err)));
	return s;
}

static void write_one(struct store *s, unsigned int host, uint64_t minute, int expected)
{
	struct fleet_sample f;
	const struct batch *b = &f.batch;
	enum store_written written = 0;

	fleet_sample_make(&f, host, minute);
	CU_ASSERT(!store_write(s, &b, 1, &written, err, sizeof(err)));
	CU_ASSERT((int)written == expected);
}

static int take(void *arg, const struct store_value *v, size_t count)
{
	*(double *)arg = v->type == STORE_U64 ? (double)v->u64 : v->f64;
	return 0;
}

static double number(struct store *s, const char *sql)
{
	double value = -1;
	int failed = store_select(s, sql, take, &value, err, sizeof(err));

	if (failed)
		printf("%s: %s\n", sql, err);
	CU_ASSERT(!failed);
	return value;
}

/* A sum over a stretch, as the queries ask for it. */
static double total(struct store *s, const char *what, enum store_fact fact, uint64_t since,
		    uint64_t until, uint32_t step_s, bool by_host)
{
	struct store_source source;
	char *sql = NULL;
	size_t size;
	FILE *out;
	double value;

	CU_ASSERT_FATAL(!store_source(s, since, until, step_s, by_host, &source, err, sizeof(err)));
	out = open_memstream(&sql, &size);
	fprintf(out, "SELECT %s FROM ", what);
	store_from(s, &source, fact, out);
	fputs(" AS facts", out);
	fclose(out);
	value = number(s, sql);
	free(sql);
	return value;
}

static double self_of_day(struct store *s)
{
	return total(s, "sum(self)", FACT_COSTS, MIDNIGHT, MIDNIGHT + DAY, 86400, false);
}

static void test_written_once(void)
{
	struct store *s = open_store();
	double self = (double)(fleet_sample_self(0, 0) + fleet_sample_self(1, 0));

	write_one(s, 0, 0, STORE_NEW);
	write_one(s, 1, 0, STORE_NEW);
	write_one(s, 0, 0, STORE_DUPLICATE);
	CU_ASSERT(self_of_day(s) == self);
	store_close(s);
	s = open_store();
	write_one(s, 1, 0, STORE_DUPLICATE);
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(number(s, "SELECT count(*) FROM ledger") == 2);
	store_close(s);
}

/* The same batch twice in one group counts once, too. */
static void test_group(void)
{
	struct store *s = open_store();
	struct fleet_sample f[3];
	const struct batch *b[] = { &f[0].batch, &f[1].batch, &f[0].batch, &f[2].batch };
	enum store_written w[4];

	for (unsigned int i = 0; i < 3; i++)
		fleet_sample_make(&f[i], i, 3);
	CU_ASSERT(!store_write(s, b, 4, w, err, sizeof(err)));
	CU_ASSERT(w[0] == STORE_NEW && w[1] == STORE_NEW && w[2] == STORE_DUPLICATE &&
		  w[3] == STORE_NEW);
	CU_ASSERT(self_of_day(s) == (double)(fleet_sample_self(0, 3) + fleet_sample_self(1, 3) +
					     fleet_sample_self(2, 3)));
	store_close(s);
}

static void test_every_fact(void)
{
	struct store *s = open_store();
	uint64_t since = FLEET_BEGIN_S, until = since + HOUR;

	write_one(s, 0, 0, STORE_NEW);
	write_one(s, 4, 1, STORE_NEW);
	CU_ASSERT(total(s, "sum(self)", FACT_PATH_COSTS, since, until, 60, false) == 2 * 5);
	CU_ASSERT(total(s, "sum(n)", FACT_REQUESTS, since, until, 60, false) == 2 + 6);
	CU_ASSERT(total(s, "sum(cost_sum)", FACT_REQUESTS, since, until, 60, false) == 201);
	CU_ASSERT(total(s, "sum(rss_sum)", FACT_REQUESTS, since, until, 60, false) == -8192);
	CU_ASSERT(total(s, "sum(estimate)", FACT_REQUESTS, since, until, 60, false) == 9);
	CU_ASSERT(total(s, "sum(n)", FACT_BINS, since, until, 60, false) == 1 + 1 + 1 + 5);
	CU_ASSERT(total(s, "sum(ns)", FACT_BACKENDS, since, until, 60, false) == 8000);
	CU_ASSERT(total(s, "max(level)", FACT_USERS, since, until, 60, false) == 5);
	CU_ASSERT(total(s, "sum(value)", FACT_COUNTERS, since, until, 60, false) == 4);
	store_close(s);
}

/* All ways to read a stretch tell the same, before hours and days are made and after. */
static void test_rollups(void)
{
	struct store *s = open_store();
	uint64_t minute, since = FLEET_BEGIN_S + 600, until = FLEET_BEGIN_S + 58 * HOUR + 1200;
	double all = 0, within = 0;

	for (minute = 0; minute < 60 * 60; minute += 7) {
		uint64_t t = FLEET_BEGIN_S + 60 * minute;

		write_one(s, minute % 3, minute, STORE_NEW);
		all += (double)fleet_sample_self(minute % 3, minute);
		if (t >= since && t < until)
			within += (double)fleet_sample_self(minute % 3, minute);
	}
	for (int round = 0; round < 2; round++) {
		CU_ASSERT(total(s, "sum(self)", FACT_COSTS, since, until, 60, false) == within);
		CU_ASSERT(total(s, "sum(self)", FACT_COSTS, since, until, 3600, false) == within);
		CU_ASSERT(total(s, "sum(self)", FACT_COSTS, since, until, 86400, false) == within);
		CU_ASSERT(!store_maintain(s, MIDNIGHT + 3 * DAY - 1, err, sizeof(err)));
	}
	CU_ASSERT(number(s, "SELECT sum(self) FROM costs_hour") == all);
	CU_ASSERT(number(s, "SELECT count(*) FROM touched WHERE seconds = 3600") == 0);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_day") > 0);
	CU_ASSERT(total(s, "count(*)", FACT_REQUESTS, since, until, 86400, false) <
		  total(s, "count(*)", FACT_REQUESTS, since, until, 60, false) / 10);
	store_close(s);
}

/* Of a minute that came in many groups, one row of the same keys is left. */
static void test_packed(void)
{
	struct store *s = open_store();
	double self = 0;

	for (unsigned int host = 0; host < 6; host++) {
		write_one(s, host, 0, STORE_NEW);
		write_one(s, host, 1 + host, STORE_NEW);
		self += (double)fleet_sample_self(host, 0) + (double)fleet_sample_self(host, 1 + host);
	}
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_minute") == 12 * 10);
	CU_ASSERT(!store_maintain(s, FLEET_BEGIN_S + 300, err, sizeof(err)));
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_minute") == 7 * 10);
	CU_ASSERT(number(s, "SELECT count(*) FROM requests_minute") == 12);
	CU_ASSERT(number(s, "SELECT max(minutes) FROM costs_minute") == 6);
	CU_ASSERT(number(s, "SELECT max(level) FROM users_minute WHERE slot = 4095") == 6);
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(total(s, "sum(n)", FACT_BINS, MIDNIGHT, MIDNIGHT + DAY, 60, false) ==
		  2 * (6 + 1 + 2 + 3 + 4 + 5 + 6));
	store_close(s);
}

/* What comes late counts at once, and its hour alone is made anew. */
static void test_late(void)
{
	struct store *s = open_store();
	uint64_t now = MIDNIGHT + DAY + HOUR;
	double self = 0;

	for (unsigned int host = 0; host < 3; host++) {
		write_one(s, host, host * 60, STORE_NEW);
		self += (double)fleet_sample_self(host, host * 60);
		CU_ASSERT(self_of_day(s) == self);
		CU_ASSERT(!store_maintain(s, now, err, sizeof(err)));
		CU_ASSERT(self_of_day(s) == self);
	}
	CU_ASSERT(number(s, "SELECT count(*) FROM touched") == 0);
	write_one(s, 7, 60, STORE_NEW);
	self += (double)fleet_sample_self(7, 60);
	CU_ASSERT(number(s, "SELECT count(*) FROM touched") == 2);
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(!store_maintain(s, now, err, sizeof(err)));
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(number(s, "SELECT sum(self) FROM costs_day") == self);
	store_close(s);
}

static void maintain_twice(struct store *s, uint64_t now)
{
	CU_ASSERT(!store_maintain(s, now, err, sizeof(err)));
	CU_ASSERT(!store_maintain(s, now + HOUR, err, sizeof(err)));
}

/* Totals outlive the minutes, and then the hours, that they were made of. */
static void test_retention(void)
{
	struct store *s = open_store();
	struct store_source source;
	double self = (double)(fleet_sample_self(0, 0) + fleet_sample_self(1, 0));

	write_one(s, 0, 0, STORE_NEW);
	maintain_twice(s, FLEET_BEGIN_S + 4 * DAY);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_minute") == 0);
	CU_ASSERT(number(s, "SELECT count(*) FROM requests_minute") == 0);
	CU_ASSERT(store_source(s, FLEET_BEGIN_S, FLEET_BEGIN_S + 60, 60, true, &source, err,
			       sizeof(err)) == -ERANGE);
	CU_ASSERT(strstr(err, "hosts are kept since 2025-10-11 00:00 UTC") != NULL);
	/* So late that there is no minute to put it beside. */
	write_one(s, 1, 0, STORE_NEW);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_minute") == 0);
	CU_ASSERT(self_of_day(s) == self);
	maintain_twice(s, FLEET_BEGIN_S + 5 * DAY);
	CU_ASSERT(number(s, "SELECT sum(self) FROM costs_day") == self);
	CU_ASSERT(self_of_day(s) == self);

	maintain_twice(s, FLEET_BEGIN_S + 100 * DAY);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_hour") == 0);
	write_one(s, 2, 0, STORE_NEW);
	self += (double)fleet_sample_self(2, 0);
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_hour") == 0);
	CU_ASSERT(number(s, "SELECT count(*) FROM touched") == 0);
	maintain_twice(s, FLEET_BEGIN_S + 1000 * DAY);
	CU_ASSERT(number(s, "SELECT count(*) FROM costs_day") == 0);
	store_close(s);
}

static void test_names(void)
{
	struct store *s = open_store();

	for (unsigned int host = 0; host < 3; host++)
		write_one(s, host, host, STORE_NEW);
	/* Three slices of each host, and three of the fleet. */
	CU_ASSERT(number(s, "SELECT count(DISTINCT slice) FROM tags") == 12);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags") == 9 * 5 + 3 * 4);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags WHERE key = 'host' AND value = 'host-2'") == 3);
	CU_ASSERT(number(s, "SELECT count(*) FROM functions") == FLEET_FUNCTIONS);
	CU_ASSERT(number(s, "SELECT count(*) FROM paths") == 2);
	store_close(s);
	s = open_store();
	write_one(s, 3, 3, STORE_NEW);
	CU_ASSERT(number(s, "SELECT count(*) FROM functions") == FLEET_FUNCTIONS);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags WHERE key = 'service'") == 15);
	CU_ASSERT(number(s, "SELECT sum(calls) FROM costs_minute JOIN (SELECT function FROM functions"
			    " WHERE match(qualname, '^Shop\\..*_3$')) AS f USING (function)") ==
		  2 * (1 + 2 + 3 + 4));
	/* Hosts' names go with their minutes, those of what is kept stay. */
	maintain_twice(s, FLEET_BEGIN_S + 4 * DAY);
	maintain_twice(s, FLEET_BEGIN_S + 5 * DAY);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags WHERE key = 'host'") == 0);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags") == 3 * 4);
	CU_ASSERT(number(s, "SELECT count(*) FROM functions") == FLEET_FUNCTIONS);
	maintain_twice(s, FLEET_BEGIN_S + 1000 * DAY);
	maintain_twice(s, FLEET_BEGIN_S + 1001 * DAY);
	write_one(s, 4, 1001 * 1440, STORE_NEW);
	CU_ASSERT(number(s, "SELECT count(*) FROM functions") == FLEET_FUNCTIONS);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags WHERE key = 'host'") == 3);
	store_close(s);
}

static void test_one_process(void)
{
	struct store *s = open_store(), *other = NULL;

	CU_ASSERT(store_open(tree_at("store"), NULL, &other, err, sizeof(err)) == -EBUSY);
	CU_ASSERT(strstr(err, "in use by process ") && strstr(err, "pycost query --url"));
	store_close(s);
	store_close(open_store());
}

static int stop_at_two(void *arg, const struct store_value *v, size_t count)
{
	return ++*(int *)arg == 2 ? 42 : 0;
}

static int look(void *arg, const struct store_value *v, size_t count)
{
	CU_ASSERT(count == 7 && v[0].type == STORE_U64 && v[0].u64 == UINT64_MAX);
	CU_ASSERT(v[1].type == STORE_F64 && v[1].f64 == -2.5);
	CU_ASSERT(v[2].type == STORE_TEXT && !strcmp(v[2].text, "it's"));
	CU_ASSERT(v[3].type == STORE_TEXT && !strcmp(v[3].text, "longer than twelve bytes"));
	CU_ASSERT(v[4].type == STORE_U64 && v[4].u64 == 7);
	CU_ASSERT(v[5].type == STORE_TEXT && !*v[5].text);
	CU_ASSERT(v[6].type == STORE_F64 && v[6].f64 == 0x1p65);
	*(int *)arg = 1;
	return 0;
}

static void test_values(void)
{
	struct store *s = open_store();
	char *quoted = NULL;
	int seen = 0;
	size_t size;
	FILE *out;

	CU_ASSERT(!store_select(s, "SELECT 18446744073709551615::UBIGINT, -2.5::DOUBLE, 'it''s',"
				   " 'longer than twelve bytes', intDiv(23, 3), NULL::VARCHAR,"
				   " 36893488147419103232::HUGEINT", look, &seen, err, sizeof(err)));
	CU_ASSERT(seen == 1);
	seen = 0;
	CU_ASSERT(store_select(s, "SELECT * FROM range(5000)", stop_at_two, &seen, err, sizeof(err)) ==
		  42);
	CU_ASSERT(seen == 2);
	out = open_memstream(&quoted, &size);
	fputs("SELECT length(", out);
	store_quote(s, out, "a'; DROP TABLE tags; --\\'");
	fputs(")", out);
	fclose(out);
	CU_ASSERT(number(s, quoted) == 25);
	free(quoted);
	CU_ASSERT(store_select(s, "SELECT nothing", look, &seen, err, sizeof(err)) == -EIO);
	CU_ASSERT(!strncmp(err, "DuckDB: ", 8) && !strchr(err, '\n'));
	/* Statements reach no other file, and cannot allow it. */
	CU_ASSERT(store_select(s, "SELECT * FROM read_text('/etc/passwd')", stop_at_two, &seen, err,
			       sizeof(err)) < 0);
	CU_ASSERT(store_select(s, "SET enable_external_access = true", stop_at_two, &seen, err,
			       sizeof(err)) < 0);
	store_close(s);
}

/* Foreign text: no UTF-8, and what looks like SQL. */
static void test_foreign_text(void)
{
	struct store *s = open_store();
	struct fleet_sample f;
	const struct batch *b = &f.batch;
	enum store_written w;

	fleet_sample_make(&f, 0, 0);
	f.function[0].file = "/srv/\377\376/x.py";
	f.function[1].file = "'); DROP TABLE tags; --";
	f.tags[0][0].value = "\303";
	f.counter.name = "\360\237\230\200";
	CU_ASSERT(!store_write(s, &b, 1, &w, err, sizeof(err)));
	CU_ASSERT(number(s, "SELECT count(*) FROM functions WHERE file = '/srv/\?\?/x.py'") == 1);
	CU_ASSERT(number(s, "SELECT count(*) FROM functions WHERE file LIKE '%DROP%'") == 1);
	CU_ASSERT(number(s, "SELECT count(*) FROM tags WHERE value = '?'") == 2);
	CU_ASSERT(number(s, "SELECT count(*) FROM counters_minute WHERE name = '\360\237\230\200'") ==
		  1);
	store_close(s);
}

static void test_versions(void)
{
	static const char *const steps[] = { NULL, "CREATE TABLE one (a UBIGINT)",
					     "INSERT INTO one VALUES (3)", "SELECT nothing" };
	struct store *s = open_store();
	struct duck_link link;

	CU_ASSERT_FATAL(!duck_take((struct duck_store *)s, &link, err, sizeof(err)));
	CU_ASSERT(!duck_upgrade(&link, steps, 1, 3, err, sizeof(err)));
	CU_ASSERT(duck_upgrade(&link, steps, 3, 4, err, sizeof(err)) == -EIO);
	CU_ASSERT(!duck_give((struct duck_store *)s, &link, 0));
	CU_ASSERT(number(s, "SELECT sum(a) FROM one") == 3);
	CU_ASSERT(number(s, "SELECT value FROM state WHERE name = 'version'") == 3);
	store_close(s);
	CU_ASSERT(store_open(tree_at("store"), NULL, &s, err, sizeof(err)) == -ENOTSUP);
	CU_ASSERT(strstr(err, "written by a newer pycost") != NULL);
}

/* What the library gives up is opened anew by whoever comes next, and nothing is forgotten. */
static void test_opened_anew(void)
{
	struct store *s = open_store();
	struct duck_store *d = (struct duck_store *)s;
	struct duck_link link;
	double self = (double)(fleet_sample_self(0, 0) + fleet_sample_self(1, 60));

	write_one(s, 0, 0, STORE_NEW);
	CU_ASSERT_FATAL(!duck_take(d, &link, err, sizeof(err)));
	CU_ASSERT(duck_give(d, &link, -ENOTRECOVERABLE) == -EAGAIN);
	id_set_empty(&d->touched[DUCK_HOUR]);
	write_one(s, 0, 0, STORE_DUPLICATE);
	write_one(s, 1, 60, STORE_NEW);
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(!store_maintain(s, MIDNIGHT + DAY + HOUR, err, sizeof(err)));
	CU_ASSERT(self_of_day(s) == self);
	CU_ASSERT(number(s, "SELECT sum(self) FROM costs_day") == self);
	store_close(s);
}

static void (*body)(void);

static void in_tree(void)
{
	CU_ASSERT_FATAL(!tree_make());
	body();
	CU_ASSERT(!tree_remove());
}

#define IN_TREE(test) \
	static void test##_in_tree(void) { body = test; in_tree(); }
IN_TREE(test_written_once)
IN_TREE(test_group)
IN_TREE(test_every_fact)
IN_TREE(test_rollups)
IN_TREE(test_packed)
IN_TREE(test_late)
IN_TREE(test_retention)
IN_TREE(test_names)
IN_TREE(test_one_process)
IN_TREE(test_values)
/* A question without an end is given up in time; what comes after it is not. */
static void test_patience(void)
{
	static const char *const endless = "SELECT count(*) FROM range(4000000000) AS a(x), "
					   "range(4000000000) AS b(y) WHERE (x * y) % 7 = 3";
	struct store *s = open_store();
	uint64_t began = clock_ns();
	double value;

	CU_ASSERT_EQUAL(store_select_until(s, endless, began + 200000000, take, &value, err,
					   sizeof(err)), -ETIMEDOUT);
	CU_ASSERT(clock_ns() - began > 200000000 && clock_ns() - began < 20000000000);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "too long"));
	for (int i = 0; i < 3; i++)
		CU_ASSERT(number(s, "SELECT 40 + 2") == 42);
	CU_ASSERT(!store_select_until(s, "SELECT 7", clock_ns() + 60000000000, take, &value, err,
				      sizeof(err)));
	CU_ASSERT(value == 7);
	store_close(s);
}

IN_TREE(test_foreign_text)
IN_TREE(test_patience)
IN_TREE(test_versions)
IN_TREE(test_opened_anew)

int suite_duckdb(void)
{
	CU_TestInfo tests[] = {
		{ "a batch counts once", test_written_once_in_tree },
		{ "a group of batches", test_group_in_tree },
		{ "every fact comes out", test_every_fact_in_tree },
		{ "hours and days tell what minutes do", test_rollups_in_tree },
		{ "minutes of many groups are packed", test_packed_in_tree },
		{ "what comes late counts", test_late_in_tree },
		{ "totals outlive minutes and hours", test_retention_in_tree },
		{ "names are kept once, as long as facts", test_names_in_tree },
		{ "a store is one process's", test_one_process_in_tree },
		{ "values, and what statements may do", test_values_in_tree },
		{ "foreign text", test_foreign_text_in_tree },
		{ "a question without an end", test_patience_in_tree },
		{ "tables of other versions", test_versions_in_tree },
		{ "opened anew when it must be", test_opened_anew_in_tree },
		CU_TEST_INFO_NULL,
	};
	const struct duck_api *api;

	if (duck_api_load(&api, err, sizeof(err))) {
		printf("SKIP duckdb: %s\n", err);
		return 0;
	}
	return suite_register("duckdb", tests);
}
