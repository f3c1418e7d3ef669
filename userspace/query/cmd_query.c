/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost query: a question to a collector, or to a store without one. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/output.h"
#include "userspace/query/query_client.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_view.h"
#include "userspace/text.h"

#define EXIT_USAGE 2
#define ERROR_SIZE 1024
#define PARTS_MAX 64
#define URL_DEFAULT "http://127.0.0.1:7680"
#define TIMEOUT_DEFAULT 120

enum {
	OPT_URL = 256, OPT_STORE, OPT_WHERE, OPT_BY, OPT_SINCE, OPT_UNTIL, OPT_STEP, OPT_FUNCTION,
	OPT_MEASURE, OPT_EXACT, OPT_WIDE, OPT_TOKEN, OPT_CA, OPT_CERTIFICATE, OPT_KEY, OPT_TIMEOUT,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What is asked:", 1 },
	{ "since", OPT_SINCE, "TIME", 0,
	  "From then on: 30m, 6h, 2d ago (default 1h), 2026-11-22, 2026-11-22T16:05 (UTC)", 1 },
	{ "until", OPT_UNTIL, "TIME", 0, "Up to then (default now)", 1 },
	{ "where", OPT_WHERE, "KEY=GLOB", 0,
	  "Only what has such a tag, != for what has not: service, version, host, endpoint, status "
	  "and what agents were told to keep; as often as wanted", 1 },
	{ "by", OPT_BY, "KEY,...", 0, "Keep apart by these tags", 1 },
	{ "function", OPT_FUNCTION, "GLOB", 0,
	  "Only functions called so: 'shop.*', or the end of a name: Cart.total", 1 },
	{ "measure", OPT_MEASURE, "NAME", 0,
	  "Of a series: cost (default), requests, rate, failed, users, latency.p99, gc.mean, self, "
	  "cumulative, calls...", 1 },
	{ "step", OPT_STEP, "TIME", 0, "Of a series: a point each 1m, 5m, 1h, 1d", 1 },
	{ "sort", 's', "KEY", 0, "What comes first; see below", 1 },
	{ "limit", 'n', "N", 0, "No more than N rows (0: as many as there are)", 1 },
	{ NULL, 0, NULL, 0, "Who is asked:", 2 },
	{ "url", OPT_URL, "URL", 0,
	  "The collector (default $PYCOST_URL, or " URL_DEFAULT ")", 2 },
	{ "store", OPT_STORE, "STORE", 0,
	  "No collector, but a store itself: a directory that no collector has open, or ClickHouse "
	  "by http://HOST:PORT/DATABASE", 2 },
	{ "token-file", OPT_TOKEN, "FILE", 0, "Send the token in it", 2 },
	{ "ca", OPT_CA, "FILE", 0, "Who the collector's certificate may be from", 2 },
	{ "certificate", OPT_CERTIFICATE, "FILE", 0, "Our own certificate, for mTLS", 2 },
	{ "key", OPT_KEY, "FILE", 0, "Its key", 2 },
	{ "timeout", OPT_TIMEOUT, "SECONDS", 0, "Wait no longer (default 120)", 2 },
	{ NULL, 0, NULL, 0, "How it is shown:", 3 },
	{ "format", 'f', "FORMAT", 0,
	  "table (default), json or csv; of paths folded, pprof or speedscope, too", 3 },
	{ "output", 'o', "OUT", 0, "Write to the file OUT instead of standard output", 3 },
	{ "wide", OPT_WIDE, NULL, 0, "Show all columns", 3 },
	{ "exact", OPT_EXACT, NULL, 0, "Print numbers in full instead of 1.234 M", 3 },
	{ 0 },
};

static const char doc[] =
	"Ask what functions, requests and users of a fleet cost.\n"
	"\v"
	"KIND is one of functions, callers, paths, requests, series, users, tags, counters.\n\n"
	"Examples:\n"
	"  pycost query functions --where service=shop --since 6h\n"
	"                                     the most expensive functions\n"
	"  pycost query functions --by endpoint --sort cumulative -n 10\n"
	"  pycost query callers --function Cart.total\n"
	"                                     who calls it, and whom it calls\n"
	"  pycost query paths --where endpoint='/shop/*' -f pprof -o shop.pb.gz\n"
	"  pycost query paths --since 1d -f folded | flamegraph.pl > fleet.svg\n"
	"  pycost query requests --by service,endpoint --sort p99\n"
	"  pycost query series --measure latency.p99 --by version --since 2d --step 15m\n"
	"  pycost query series --measure gc_cost.mean --by endpoint\n"
	"                                     its garbage; or import_cost.mean\n"
	"  pycost query users --by service    and what one costs at the peak minute\n"
	"  pycost query tags --by service,version\n"
	"  pycost query requests --url https://collector:7680 --token-file ~/.pycost -f csv\n\n"
	"Rows are sorted by self, cumulative, calls, samples or name (functions); cost, count, mean, "
	"p50, p90, p99, latency, latency-p99, cpu, blocked, gc, imports, rss, failed or name "
	"(requests); time, users or cost-per-user (users); name or count (tags); name or value "
	"(counters). Of functions and requests the limit is of each metric, as two metrics are "
	"never added up or compared; nor are exact and sampled costs.\n\n"
	"Errors (\xc2\xb1) are standard errors as a share of what is before them; of requests' means, half "
	"of the 95 % confidence interval. Numbers in json and csv are in full, times in ns.\n\n"
	"Exit status: 0, 1 for a failure or no data, 2 for a wrong question.\n";

struct arguments {
	const char *kind, *store, *out, *format;
	struct query_client client;
	struct query_part parts[PARTS_MAX];
	size_t part_count;
	struct query query;
	bool wide, exact, remote_option;
};

static int complain(const char *message)
{
	fprintf(stderr, "pycost query: %s\n", message);
	return EXIT_FAILURE;
}

static void part_add(struct argp_state *state, struct arguments *a, const char *key,
		     const char *value)
{
	if (a->part_count == PARTS_MAX)
		argp_error(state, "more than %d parts of a question", PARTS_MAX);
	a->parts[a->part_count++] = (struct query_part){ key, value };
}

/* What is asked of the same parser that the collector has: its errors are ours. */
static void question_check(struct argp_state *state, struct arguments *a)
{
	uint64_t now = time(NULL);
	enum query_what what = query_by_name(a->kind);
	char err[ERROR_SIZE];

	if (!what) {
		const char *nearest = query_kinds[0].name;

		for (size_t i = 1; i < query_kind_count; i++)
			if (text_distance(a->kind, query_kinds[i].name) < text_distance(a->kind, nearest))
				nearest = query_kinds[i].name;
		argp_error(state, "'%s' is no question: did you mean '%s'?", a->kind, nearest);
	}
	query_init(&a->query, what, now);
	for (size_t i = 0; i < a->part_count; i++)
		if (query_set(&a->query, a->parts[i].key, a->parts[i].value, now, err, sizeof(err)))
			argp_error(state, "--%s", err);
	if (a->query.since >= a->query.until)
		argp_error(state, "--since is not before --until");
	if (what == QUERY_CALLERS && !*a->query.function)
		argp_error(state, "callers of which function? Say --function NAME");
}

static void format_check(struct argp_state *state, struct arguments *a)
{
	bool paths = a->query.what == QUERY_PATHS;

	if (!query_word_is_in("table json csv folded pprof speedscope", a->format))
		argp_error(state, "--format takes table, json or csv; of paths folded, pprof or "
				  "speedscope, too");
	if (query_word_is_in("folded pprof speedscope", a->format) && !paths)
		argp_error(state, "--format %s is of paths", a->format);
	if (!strcmp(a->format, "pprof") && (!a->out || !strcmp(a->out, "-")) && isatty(STDOUT_FILENO))
		argp_error(state, "--format pprof is not for a terminal: name a file with -o");
	if (a->store && a->remote_option)
		argp_error(state, "--store asks no collector: there is no use for --url, --token-file, "
				  "--ca, --certificate and --key");
}

static unsigned timeout_parse(struct argp_state *state, const char *arg)
{
	char *end;
	unsigned long value = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || !value || value > 86400)
		argp_error(state, "--timeout takes seconds from 1 to 86400");
	return value;
}

static bool parse_question(int key, char *arg, struct argp_state *state)
{
	static const struct {
		int key;
		const char *name;
	} parts[] = {
		{ OPT_SINCE, "since" },	      { OPT_UNTIL, "until" }, { OPT_WHERE, "where" },
		{ OPT_BY, "by" },	      { OPT_STEP, "step" },   { OPT_FUNCTION, "function" },
		{ OPT_MEASURE, "measure" },   { 's', "sort" },	      { 'n', "limit" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].key == key) {
			part_add(state, state->input, parts[i].name, arg);
			return true;
		}
	return false;
}

static bool parse_remote(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case OPT_URL:
		a->client.url = arg;
		break;
	case OPT_TOKEN:
		a->client.token_file = arg;
		break;
	case OPT_CA:
		a->client.ca = arg;
		break;
	case OPT_CERTIFICATE:
		a->client.certificate = arg;
		break;
	case OPT_KEY:
		a->client.key = arg;
		break;
	default:
		return false;
	}
	a->remote_option = true;
	return true;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	if (parse_question(key, arg, state) || parse_remote(key, arg, state))
		return 0;
	switch (key) {
	case OPT_STORE:
		a->store = arg;
		break;
	case OPT_TIMEOUT:
		a->client.timeout_s = timeout_parse(state, arg);
		break;
	case 'f':
		a->format = arg;
		break;
	case 'o':
		a->out = arg;
		break;
	case OPT_WIDE:
		a->wide = true;
		break;
	case OPT_EXACT:
		a->exact = true;
		break;
	case ARGP_KEY_ARG:
		if (a->kind)
			argp_error(state, "one question at a time: '%s' is too much", arg);
		a->kind = arg;
		break;
	case ARGP_KEY_END:
		if (!a->kind)
			argp_error(state, "what? One of functions, callers, paths, requests, series, "
					  "users, tags, counters");
		question_check(state, a);
		format_check(state, a);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int store_ask(const struct arguments *a, json_t **ret, char *err, size_t errlen)
{
	static const struct store_options defaults = { 0 };
	struct store *store;
	int error;

	/* To ask is not to make one. */
	if (strncmp(a->store, "http", 4) && access(a->store, F_OK)) {
		error = -errno;
		snprintf(err, errlen, "--store %s: %s", a->store, strerror(errno));
		return error;
	}
	error = store_open(a->store, &defaults, &store, err, errlen);
	if (error)
		return error;
	error = query_run(store, &a->query, ret, err, errlen);
	store_close(store);
	return error;
}

static struct query_style style_choose(const struct arguments *a)
{
	struct query_style style = { .exact = a->exact, .wide = a->wide };

	style.color = output_is_colored(a->out, &style.width);
	return style;
}

static int answer_print(const struct arguments *a, const json_t *answer, FILE *out, char *err,
			size_t errlen)
{
	struct query_style style = style_choose(a);

	*err = '\0';
	if (!strcmp(a->format, "table"))
		return query_print_table(answer, &style, out);
	if (!strcmp(a->format, "csv"))
		return query_print_csv(answer, out);
	if (!strcmp(a->format, "json")) {
		int failed = json_dumpf(answer, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER);

		fputc('\n', out);
		return failed ? -ENOMEM : 0;
	}
	return query_export(answer, a->format, out, err, errlen);
}

/* Formats that can say "none" do; a table or a flame graph cannot. */
static int answer_deliver(const struct arguments *a, const json_t *answer)
{
	bool says = query_word_is_in("json csv", a->format);
	char err[ERROR_SIZE] = "", none[ERROR_SIZE];
	struct output output;
	int error;

	query_no_data_text(answer, none, sizeof(none));
	if (*none)
		complain(none);
	if (*none && !says)
		return EXIT_FAILURE;
	error = output_open(a->out, &output);
	if (!error) {
		error = answer_print(a, answer, output.file, err, sizeof(err));
		if (error)
			output_discard(&output);
		else
			error = output_commit(&output);
	}
	/* Whoever read it has seen enough. */
	if (!error || error == -EPIPE)
		return EXIT_SUCCESS;
	if (!*err)
		snprintf(err, sizeof(err), "%s%s%s", error == -EBADMSG ? "what came is no answer" :
			 a->out ? a->out : "standard output", error == -EBADMSG ? "" : ": ",
			 error == -EBADMSG ? "" : strerror(-error));
	complain(err);
	return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int cmd_query(int argc, char **argv)
{
	static const struct argp argp = { options, parse_option, "KIND", doc };
	const char *url = getenv("PYCOST_URL");
	struct arguments a = { .format = "table",
			       .client = { .url = url && *url ? url : URL_DEFAULT,
					   .timeout_s = TIMEOUT_DEFAULT } };
	char err[ERROR_SIZE] = "";
	json_t *answer;
	int error;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	/* Names are UTF-8 whatever the locale, and wcwidth() has to know them. */
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	error = a.store ? store_ask(&a, &answer, err, sizeof(err))
			: query_client_ask(&a.client, a.kind, a.parts, a.part_count, &answer, err,
					   sizeof(err));
	if (error) {
		complain(*err ? err : strerror(-error));
		return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
	}
	error = answer_deliver(&a, answer);
	json_decref(answer);
	return error;
}
