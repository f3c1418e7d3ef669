// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/duckdb_store.h"

#define LEDGER_CAPACITY_MIN 1000000

/* From a version of the tables to the next. */
static const char *const upgrades[SCHEMA_VERSION + 1];

static int run_text(struct duck_link *l, char *sql, char *err, size_t errlen)
{
	int failed = duck_run(l, sql, err, errlen);

	free(sql);
	return failed;
}

static void write_tables(FILE *out)
{
	struct schema_column columns[SCHEMA_COLUMNS_MAX];

	for (int fact = 0; fact < STORE_FACTS; fact++)
		for (int step = 0; step < DUCK_STEPS; step++) {
			uint32_t seconds = duck_step_seconds[step];
			size_t count = schema_fact_columns(fact, seconds, columns);

			fprintf(out, "CREATE TABLE %s_%s ", schema_fact(fact)->name,
				schema_step_name(seconds));
			schema_write_columns(columns, count, &duck_types, out);
			fputs(";\n", out);
		}
	for (int which = 0; which < SCHEMA_NAMES; which++) {
		const struct schema_table *table = schema_names(which);

		fprintf(out, "CREATE TABLE %s ", table->name);
		schema_write_columns(table->columns, table->count, &duck_types, out);
		fputs(";\n", out);
	}
}

/* The version is in the same transaction as the tables. */
static int make_tables(struct duck_link *l, char *err, size_t errlen)
{
	char *sql = NULL;
	size_t size;
	FILE *out = open_memstream(&sql, &size);

	if (!out)
		return -ENOMEM;
	fputs("BEGIN;\n", out);
	write_tables(out);
	fputs("CREATE TABLE ledger (high UBIGINT, low UBIGINT, attempt UBIGINT, t UBIGINT,"
	      " received UBIGINT, n UBIGINT, sender VARCHAR);\n"
	      "CREATE TABLE touched (seconds UBIGINT, t UBIGINT);\n"
	      "CREATE TABLE state (name VARCHAR, value UBIGINT);\n"
	      "CREATE MACRO intDiv(a, b) AS a // b;\n"
	      "CREATE MACRO match(a, b) AS regexp_matches(a, b);\n"
	      "CREATE MACRO toFloat64(a) AS CAST(a AS DOUBLE);\n"
	      "CREATE MACRO toUInt64(a) AS CAST(a AS UBIGINT);\n", out);
	fprintf(out, "INSERT INTO state VALUES ('version', %d), ('minute_from', 0),"
		" ('hour_from', 0), ('day_from', 0);\nCOMMIT", SCHEMA_VERSION);
	fclose(out);
	return run_text(l, sql, err, errlen);
}

/* Each step is a transaction, which also raises the version. */
int duck_upgrade(struct duck_link *l, const char *const *steps, uint64_t from, uint64_t to,
		 char *err, size_t errlen)
{
	char ignored[256];
	int failed = 0;

	for (uint64_t v = from; !failed && v < to; v++) {
		char *sql = NULL;

		if (asprintf(&sql, "BEGIN; %s; UPDATE state SET value = %" PRIu64
			     " WHERE name = 'version'; COMMIT", steps[v] ? steps[v] : "", v + 1) < 0)
			return -ENOMEM;
		failed = run_text(l, sql, err, errlen);
	}
	if (failed)
		duck_run(l, "ROLLBACK", ignored, sizeof(ignored));
	return failed;
}

static int check_version(struct duck_store *s, struct duck_link *l, char *err, size_t errlen)
{
	uint64_t tables, version;
	int failed = duck_number(l, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'state'",
				 &tables, err, errlen);

	if (failed)
		return failed;
	if (!tables)
		return make_tables(l, err, errlen);
	failed = duck_number(l, "SELECT value FROM state WHERE name = 'version'", &version, err,
			     errlen);
	if (failed)
		return failed;
	if (version > SCHEMA_VERSION) {
		snprintf(err, errlen, "%s: written by a newer pycost (tables of version %" PRIu64
			 ", this one knows %d): use that one", s->directory, version, SCHEMA_VERSION);
		return -ENOTSUP;
	}
	return duck_upgrade(l, upgrades, version, SCHEMA_VERSION, err, errlen);
}

static int take_touched(void *arg, const struct store_value *v, size_t count)
{
	struct duck_store *s = arg;
	int step = v[0].u64 == duck_step_seconds[DUCK_DAY] ? DUCK_DAY : DUCK_HOUR;
	int added = id_set_add(&s->touched[step], v[1].u64);

	return added < 0 ? added : 0;
}

static int take_state(void *arg, const struct store_value *v, size_t count)
{
	struct duck_store *s = arg;

	for (int step = 0; step < DUCK_STEPS; step++) {
		const char *name = schema_step_name(duck_step_seconds[step]);
		size_t length = strlen(name);

		if (!strncmp(v[0].text, name, length) && !strcmp(v[0].text + length, "_from"))
			s->kept_from[step] = v[1].u64;
	}
	return 0;
}

static int take_batch(void *arg, const struct store_value *v, size_t count)
{
	struct duck_store *s = arg;

	ledger_filter_add(&s->ledger, (struct batch_halves){ v[0].u64, v[1].u64 });
	return 0;
}

int duck_load_ledger(struct duck_store *s, struct duck_link *l, char *err, size_t errlen)
{
	uint64_t count;
	int failed = duck_number(l, "SELECT count(*) FROM ledger", &count, err, errlen);

	if (failed)
		return failed;
	if (ledger_filter_make(&s->ledger, count < LEDGER_CAPACITY_MIN / 2 ? LEDGER_CAPACITY_MIN :
					   2 * count))
		return -ENOMEM;
	return duck_select(l, "SELECT high, low FROM ledger", take_batch, s, err, errlen);
}

int duck_tables(struct duck_store *s, struct duck_link *l, char *err, size_t errlen)
{
	int failed = check_version(s, l, err, errlen);

	if (failed)
		return failed;
	pthread_mutex_lock(&s->state_lock);
	for (int step = 0; step < DUCK_STEPS; step++)
		id_set_empty(&s->touched[step]);
	failed = duck_select(l, "SELECT name, value FROM state", take_state, s, err, errlen);
	if (!failed)
		failed = duck_select(l, "SELECT seconds, t FROM touched", take_touched, s, err,
				     errlen);
	pthread_mutex_unlock(&s->state_lock);
	if (!failed)
		failed = duck_load_ledger(s, l, err, errlen);
	if (failed == -ENOMEM)
		snprintf(err, errlen, "out of memory");
	return failed;
}
