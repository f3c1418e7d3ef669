/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions as words, and as SQL: what users write is in literals, and nowhere else. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/glob.h"
#include "userspace/query/query.h"
#include "userspace/query/query_glob.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_measure.h"
#include "userspace/query/query_time.h"
#include "userspace/query/query_tree.h"
#include "userspace/query/query_view.h"
#include "userspace/store/engine.h"

#define NOW 1800000000ull /* 2027-01-15 08:00 */
#define DAY 86400

/* ---- a store that only listens ---- */

struct listener {
	struct store store;
	char *sql; /* all that was asked */
	size_t size;
	FILE *out;
	const char *rows[16]; /* metric, mode of the totals */
};

static int listener_select(struct store *s, const char *sql, uint64_t until_ns, store_row_fn row, void *arg, char *err,
			   size_t errlen)
{
	struct listener *l = (struct listener *)s;
	struct store_value v[5] = { { STORE_TEXT, { .text = "instructions:u" } },
				    { STORE_TEXT, { .text = "exact" } },
				    { STORE_F64, { .f64 = 100 } }, { STORE_U64, { .u64 = 1 } },
				    { STORE_U64, { .u64 = 0 } } };

	fprintf(l->out, "%s\n", sql);
	/* There are costs of one kind, so that these are asked for. */
	return strncmp(sql, "SELECT metric, mode, sum(x_self)", 32) ? 0 : row(arg, v, 5);
}

static void listener_quote(const struct store *s, FILE *out, const char *text)
{
	fputs("'...'", out);
}

static int listener_buckets(struct store *s, uint64_t since, uint64_t until,
			    struct store_buckets *ret, char *err, size_t errlen)
{
	*ret = (struct store_buckets){ .minutes_from = NOW / DAY * DAY - 2 * DAY,
				       .hours_from = NOW / DAY * DAY - 90 * DAY };
	return 0;
}

static const struct store_engine listening = { .select = listener_select, .quote = listener_quote,
					       .buckets = listener_buckets };

/* The SQL that a question comes to; words: "key", "value"..., NULL. To be freed. */
static char *sql_of(enum query_what what, const char *const *words)
{
	struct listener l = { .store = { .engine = &listening } };
	struct query q;
	char err[512];
	json_t *answer;

	l.out = open_memstream(&l.sql, &l.size);
	query_init(&q, what, NOW);
	for (; words[0]; words += 2)
		CU_ASSERT_EQUAL(query_set(&q, words[0], words[1], NOW, err, sizeof(err)), 0);
	if (query_run(&l.store, &q, &answer, err, sizeof(err)))
		fprintf(l.out, "ERROR %s", err);
	else
		json_decref(answer);
	fclose(l.out);
	return l.sql;
}

static void test_injection(void)
{
	static const char *const hostile[] = {
		"x' OR '1'='1", "\"; DROP TABLE tags; --", "\\'", "/* */", "k0, (SELECT 1)", "%s%n",
	};

	for (int what = QUERY_FUNCTIONS; what <= QUERY_COUNTERS; what++) {
		bool function = what == QUERY_FUNCTIONS || what == QUERY_CALLERS;
		const char *by = what == QUERY_CALLERS ? "limit" : "by";

		for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
			/* Of one class: none is a pattern but the one with a backslash. */
			const char *plain = glob_is_pattern(hostile[i]) ? "a*" : "a";
			bool comma = strchr(hostile[i], ',');
			char bad[64], good[64];
			char *a, *b;

			snprintf(bad, sizeof(bad), "service=%s", hostile[i]);
			snprintf(good, sizeof(good), "service=%s", plain);
			a = sql_of(what, (const char *const[]){
						 "where", bad, by, *by == 'l' ? "7" : comma ? "p,q" : hostile[i],
						 function ? "function" : NULL, hostile[i], NULL });
			b = sql_of(what, (const char *const[]){
						 "where", good, by, *by == 'l' ? "7" : comma ? "p,q" : "a",
						 function ? "function" : NULL, plain, NULL });
			CU_ASSERT_STRING_EQUAL(a, b);
			CU_ASSERT_PTR_NOT_NULL(strstr(a, "SELECT"));
			CU_ASSERT_PTR_NULL(strstr(a, "ERROR"));
			free(a);
			free(b);
		}
	}
}

/* Whole days are read from the table of days; minutes only where the stretch ends in an hour. */
static void test_rollups_only(void)
{
	static const char *const month[] = { "since", "2026-12-16", "until", "2027-01-15", NULL };
	static const char *const to_now[] = { "since", "30d", NULL };

	for (int what = QUERY_FUNCTIONS; what <= QUERY_COUNTERS; what++) {
		char *sql = sql_of(what, what == QUERY_CALLERS
						 ? (const char *const[]){ "since", "2026-12-16", "until",
									  "2027-01-15", "function", "f",
									  NULL }
						 : month);

		CU_ASSERT_PTR_NOT_NULL(strstr(sql, what == QUERY_USERS ? "_hour" : "_day"));
		CU_ASSERT_PTR_NULL(strstr(sql, "_minute WHERE t >= 17"));
		free(sql);
		if (what == QUERY_CALLERS)
			continue;
		sql = sql_of(what, to_now);
		CU_ASSERT_PTR_NULL(strstr(sql, "ERROR"));
		free(sql);
	}
}

static void test_steps(void)
{
	char *sql = sql_of(QUERY_SERIES, (const char *const[]){ "since", "5d", "step", "5m", NULL });

	CU_ASSERT_PTR_NOT_NULL(strstr(sql, "ERROR minutes are kept since"));
	free(sql);
	/* Nobody asked for minutes: hours do. */
	sql = sql_of(QUERY_USERS, (const char *const[]){ "since", "5d", "until", "4d", NULL });
	CU_ASSERT_PTR_NOT_NULL(strstr(sql, "users_hour"));
	free(sql);
	sql = sql_of(QUERY_FUNCTIONS, (const char *const[]){ "by", "host", NULL });
	CU_ASSERT_PTR_NOT_NULL(strstr(sql, "ERROR host: only requests"));
	free(sql);
}

/* ---- words ---- */

static void test_times(void)
{
	static const struct {
		const char *text;
		uint64_t t;
	} good[] = {
		{ "now", NOW },		      { "90", NOW - 90 },
		{ "5m", NOW - 300 },	      { "2d", NOW - 2 * DAY },
		{ "1w", NOW - 7 * DAY },      { "1700000000", 1700000000 },
		{ "2027-01-15", 1799971200 }, { "2027-01-15T08:00", NOW },
		{ "2027-01-15 08:00:30Z", NOW + 30 },
	};
	static const char *const bad[] = { "", "-1h", "1x", "1hh", "2027-02-30", "2027-1-15", "0x10",
					   "tomorrow", "99999999999999999999", "60000d", " 1h",
					   "2027-01-15T25:00", "1960-01-01" };
	uint64_t t;
	char text[QUERY_TIME_SIZE];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CU_ASSERT_EQUAL(query_time_parse(good[i].text, NOW, &t), 0);
		CU_ASSERT_EQUAL(t, good[i].t);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CU_ASSERT_NOT_EQUAL(query_time_parse(bad[i], NOW, &t), 0);
	query_time_text(text, NOW);
	CU_ASSERT_STRING_EQUAL(text, "2027-01-15 08:00");
	query_span_text(text, 7200);
	CU_ASSERT_STRING_EQUAL(text, "2 h");
}

static void glob_is(const char *glob, const char *expression)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	query_glob_write(glob, out);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, expression);
	free(text);
}

static void test_globs(void)
{
	glob_is("GET /shop/*", "GET /shop/.*");
	glob_is("a.b?c", "a\\.b.c");
	glob_is("[!a-z]x", "[^a-z]x");
	glob_is("[]^-]", "[\\]\\^\\-]");
	glob_is("a\\*(", "a\\*\\(");
	glob_is("open[", "open\\[");
	glob_is("\\", "\\\\");
	CU_ASSERT_TRUE(query_name_matches("Cart.total", "shop.cart.Cart.total"));
	CU_ASSERT_FALSE(query_name_matches("art.total", "shop.cart.Cart.total"));
	CU_ASSERT_TRUE(query_name_matches("shop.*", "shop.cart.Cart.total"));
}

static void test_words(void)
{
	struct query q;
	char err[256];

	query_init(&q, QUERY_REQUESTS, NOW);
	CU_ASSERT_EQUAL(q.since, NOW - 3600);
	CU_ASSERT_EQUAL(q.until, NOW);
	CU_ASSERT_STRING_EQUAL(q.sort, "cost");
	CU_ASSERT_EQUAL(query_set(&q, "where", "a!=b=c", NOW, err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(q.where[0].key, "a");
	CU_ASSERT_STRING_EQUAL(q.where[0].glob, "b=c");
	CU_ASSERT_TRUE(q.where[0].not);
	CU_ASSERT_EQUAL(query_set(&q, "by", "service,metric,version,service", NOW, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(q.by_count, 2);
	CU_ASSERT_EQUAL(query_set(&q, "by", "a,b,c,d,e,f", NOW, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(query_set(&q, "by", "g", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "by", "a,,b", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "limit", "0", NOW, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(q.limit, QUERY_LIMIT_MAX);
	CU_ASSERT_EQUAL(query_set(&q, "limit", "-1", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "where", "=x", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "where", "!=x", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "where", "a=\xff", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_set(&q, "nonsense", "x", NOW, err, sizeof(err)), -EINVAL);
	for (int i = 1; i < QUERY_CONDITIONS_MAX; i++)
		CU_ASSERT_EQUAL(query_set(&q, "where", "a=b", NOW, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(query_set(&q, "where", "a=b", NOW, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_by_name("functions"), QUERY_FUNCTIONS);
	CU_ASSERT_EQUAL(query_by_name("function"), 0);
}

static void test_measures(void)
{
	struct query_measure m;
	char err[512];

	CU_ASSERT_EQUAL(query_measure_parse("latency.p99", &m, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(m.kind, MEASURE_QUANTILE);
	CU_ASSERT_EQUAL(m.distribution, DISTRIBUTION_LATENCY);
	CU_ASSERT_EQUAL(query_measure_parse("gc.mean", &m, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(m.measure, REQUEST_GC);
	CU_ASSERT_EQUAL(query_measure_parse("counter.loss.nodes", &m, err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(m.name, "loss.nodes");
	CU_ASSERT_EQUAL(query_measure_parse("gc.p99", &m, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_measure_parse("counter.", &m, err, sizeof(err)), -EINVAL);
	CU_ASSERT_EQUAL(query_measure_parse(".mean", &m, err, sizeof(err)), -EINVAL);
}

/* ---- answers that came over a wire ---- */

#define COLUMNS \
	"\"columns\":[{},{},{},{},{},{},{},{},{},{}]"
#define ROW(node, parent, self) \
	"[\"instructions:u\",\"exact\"," node "," parent ",\"f\",\"x.py\",3,1,0," self "]"

static int tree_of(const char *text, size_t *ret_nodes)
{
	json_t *answer = json_loads(text, 0, NULL);
	struct query_tree tree;
	int err;

	CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
	err = query_tree_parse(answer, &tree);
	json_decref(answer);
	if (!err) {
		*ret_nodes = tree.node_count;
		query_tree_free(&tree);
	}
	return err;
}

static void test_answers(void)
{
	size_t nodes;

	CU_ASSERT_EQUAL(tree_of("{" COLUMNS ",\"rows\":[" ROW("1", "0", "5") "," ROW("2", "1", "7.5")
				"]}", &nodes), 0);
	CU_ASSERT_EQUAL(nodes, 3);
	CU_ASSERT_EQUAL(tree_of("{" COLUMNS ",\"rows\":[" ROW("2", "0", "5") "]}", &nodes), -EBADMSG);
	CU_ASSERT_EQUAL(tree_of("{" COLUMNS ",\"rows\":[" ROW("1", "1", "5") "]}", &nodes), -EBADMSG);
	CU_ASSERT_EQUAL(tree_of("{" COLUMNS ",\"rows\":[" ROW("1", "0", "-5") "]}", &nodes), -EBADMSG);
	CU_ASSERT_EQUAL(tree_of("{" COLUMNS ",\"rows\":[[1]]}", &nodes), -EBADMSG);
	CU_ASSERT_EQUAL(tree_of("{\"rows\":[]}", &nodes), -EBADMSG);
}

int suite_query(void)
{
	static CU_TestInfo tests[] = {
		{ "what looks like SQL is a text like any other", test_injection },
		{ "a month is read from days", test_rollups_only },
		{ "steps that are not kept any more", test_steps },
		{ "times", test_times },
		{ "globs", test_globs },
		{ "words of a question", test_words },
		{ "measures", test_measures },
		{ "answers are not believed", test_answers },
		CU_TEST_INFO_NULL,
	};

	return suite_register("query", tests);
}
