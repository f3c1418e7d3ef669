// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>

#include "userspace/store/schema.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define KEY(n) { n, STORE_U64, COLUMN_KEY }
#define TEXT_KEY(n) { n, STORE_TEXT, COLUMN_KEY }
#define COUNTED(n) { n, STORE_U64, COLUMN_SUM }
#define AMOUNT(n) { n, STORE_F64, COLUMN_SUM }
#define MEASURED(n) AMOUNT(n "_sum"), AMOUNT(n "_squares")

static const struct schema_column costs[] = {
	KEY("function"),
	COUNTED("minutes"),
	COUNTED("calls"),
	COUNTED("samples"),
	AMOUNT("self"),
	AMOUNT("cumulative"),
	AMOUNT("self_squares"),
	AMOUNT("cumulative_squares"),
	AMOUNT("self_variance"),
	AMOUNT("cumulative_variance"),
};

static const struct schema_column path_costs[] = {
	KEY("path"),
	COUNTED("calls"),
	COUNTED("samples"),
	AMOUNT("self"),
};

/* In the order of enum request_measure, by request_measure_name(). */
static const struct schema_column requests[] = {
	COUNTED("n"),
	AMOUNT("estimate"),
	AMOUNT("estimate_variance"),
	AMOUNT("estimate_weight"), /* estimate * (estimate - n) / n */
	AMOUNT("cost_estimate"),   /* cost_sum * estimate / n */
	MEASURED("cost"),
	MEASURED("kernel_cost"),
	MEASURED("latency"),
	MEASURED("cpu"),
	MEASURED("run_queue"),
	MEASURED("syscall"),
	MEASURED("gil"),
	MEASURED("gc"),
	MEASURED("gcs"),
	MEASURED("gc_cost"),
	MEASURED("import"),
	MEASURED("imports"),
	MEASURED("import_cost"),
	MEASURED("rss"),
	MEASURED("bytes_in"),
	MEASURED("bytes_out"),
	MEASURED("threads"),
	MEASURED("head"),
	MEASURED("probed_calls"),
};
_Static_assert(COUNT(requests) == 5 + 2 * REQUEST_MEASURES, "a measure without its columns");
_Static_assert(COUNT(requests) + SCHEMA_MINUTE_FRONT <= SCHEMA_COLUMNS_MAX, "too many columns");

static const struct schema_column bins[] = {
	KEY("distribution"), /* enum request_distribution */
	KEY("bin"),
	COUNTED("n"),
};

static const struct schema_column backends[] = {
	TEXT_KEY("backend"),
	COUNTED("calls"),
	AMOUNT("ns"),
};

static const struct schema_column users[] = {
	KEY("slot"),
	{ "level", STORE_U64, COLUMN_MAX },
};

static const struct schema_column counters[] = {
	TEXT_KEY("name"),
	AMOUNT("value"),
};

static const struct schema_table facts[STORE_FACTS] = {
	[FACT_COSTS] = { "costs", costs, COUNT(costs) },
	[FACT_PATH_COSTS] = { "path_costs", path_costs, COUNT(path_costs) },
	[FACT_REQUESTS] = { "requests", requests, COUNT(requests) },
	[FACT_BINS] = { "bins", bins, COUNT(bins) },
	[FACT_BACKENDS] = { "backends", backends, COUNT(backends) },
	[FACT_USERS] = { "users", users, COUNT(users) },
	[FACT_COUNTERS] = { "counters", counters, COUNT(counters) },
};

static const struct schema_column tags[] = {
	KEY("slice"),
	TEXT_KEY("key"),
	TEXT_KEY("value"),
};

static const struct schema_column functions[] = {
	KEY("function"),     TEXT_KEY("name"), TEXT_KEY("qualname"), TEXT_KEY("class_name"),
	TEXT_KEY("module"), TEXT_KEY("file"), TEXT_KEY("wraps"),    KEY("line"),
};

static const struct schema_column paths[] = {
	KEY("path"),
	KEY("parent"),
	KEY("function"),
};

static const struct schema_table names[SCHEMA_NAMES] = {
	[NAMES_TAGS] = { "tags", tags, COUNT(tags) },
	[NAMES_FUNCTIONS] = { "functions", functions, COUNT(functions) },
	[NAMES_PATHS] = { "paths", paths, COUNT(paths) },
};

bool schema_by_host(enum store_fact fact)
{
	return fact == FACT_REQUESTS || fact == FACT_BACKENDS || fact == FACT_COUNTERS;
}

const struct schema_table *schema_fact(enum store_fact fact)
{
	return &facts[fact];
}

const struct schema_table *schema_names(enum schema_names which)
{
	return &names[which];
}

const char *schema_step_name(uint32_t step_s)
{
	return step_s == 86400 ? "day" : step_s == 3600 ? "hour" : "minute";
}

size_t schema_fact_columns(enum store_fact fact, uint32_t step_s, struct schema_column *ret)
{
	size_t n = 0;

	if (step_s == 60)
		ret[n++] = (struct schema_column)KEY("attempt");
	ret[n++] = (struct schema_column)KEY("t");
	ret[n++] = (struct schema_column)KEY("slice");
	if (step_s == 60)
		ret[n++] = (struct schema_column)KEY("fleet");
	for (size_t i = 0; i < facts[fact].count; i++)
		ret[n++] = facts[fact].columns[i];
	return n;
}

void schema_write_columns(const struct schema_column *columns, size_t count,
			  const struct schema_types *types, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s %s", i ? ", " : "(", columns[i].name,
			types->names[columns[i].type]);
	fputc(')', out);
}

/* The columns are renamed on the way out of the inner SELECT: see the dialect on aliases. */
void schema_write_rollup(enum store_fact fact, uint32_t from_s, uint32_t to_s, uint64_t since,
			 uint64_t until, const char *also, FILE *out)
{
	const struct schema_table *table = &facts[fact];
	const char *slice = from_s == 60 ? "fleet" : "slice";

	fprintf(out, "SELECT bucket, %s", slice);
	for (size_t i = 0; i < table->count; i++) {
		const struct schema_column *c = &table->columns[i];

		fprintf(out, c->role == COLUMN_SUM ? ", sum(%s)" :
			     c->role == COLUMN_MAX ? ", max(%s)" : ", %s", c->name);
	}
	fprintf(out, " FROM (SELECT intDiv(t, %" PRIu32 ") * %" PRIu32 " AS bucket, %s", to_s,
		to_s, slice);
	for (size_t i = 0; i < table->count; i++)
		fprintf(out, ", %s", table->columns[i].name);
	fprintf(out, " FROM %s_%s WHERE t >= %" PRIu64 " AND t < %" PRIu64 "%s) AS facts"
		" GROUP BY bucket, %s", table->name, schema_step_name(from_s), since, until, also,
		slice);
	for (size_t i = 0; i < table->count; i++)
		if (table->columns[i].role == COLUMN_KEY)
			fprintf(out, ", %s", table->columns[i].name);
}
