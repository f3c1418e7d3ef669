/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost requests: a recording, or a session -> profile -> table of requests. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/commands.h"
#include "userspace/export_json_parts.h"
#include "userspace/request_line.h"
#include "userspace/request_run.h"
#include "userspace/request_view.h"

#define EXIT_USAGE 2
#define FILTERS_MAX 32

enum { OPT_BY = 256, OPT_WHERE, OPT_ENDPOINT, OPT_STATUS, OPT_SHOW, OPT_EACH, OPT_WORKERS };

static const struct argp_option options[] = {
	{"by", OPT_BY, "FIELD,...", 0,
	 "Add up by endpoint, route, method, status, status-class, pid, host, view or the key of any "
	 "tag (default: endpoint)", 0},
	{"where", OPT_WHERE, "FIELD=GLOB", 0,
	 "Only requests whose field matches, != for those that do not; as often as wanted", 0},
	{"endpoint", OPT_ENDPOINT, "GLOB", 0, "The same as --where endpoint=GLOB", 0},
	{"status", OPT_STATUS, "STATUS", 0, "The same as --where status=STATUS: 404, 5xx", 0},
	{"sort", 's', "KEY", 0,
	 "Sort by cost (default: the sum), count, mean, p50, p90, p99, latency, latency-p99, cpu, "
	 "blocked, gc, imports, rss, failed or name", 0},
	{"show", OPT_SHOW, "COLUMNS,...", 0,
	 "Columns of the table: cost and latency (default), time, memory, backends or all", 0},
	{"each", OPT_EACH, NULL, 0, "Print a line for each request as it ends, instead of a table", 0},
	{"workers", OPT_WORKERS, NULL, 0,
	 "Show the lives of the workers instead: forks, ends and their reasons, requests, memory", 0},
	{0},
};

static const char doc[] =
	"Show what requests cost: live, or of a recording that was made with --requests.\v"
	"Requests of HTTP/1.1, uwsgi and TLS within the worker are seen from the kernel; the "
	"application is not changed.\n\n"
	"Examples:\n"
	"  pycost requests --match gunicorn -d 10\n"
	"                                     ten seconds of every gunicorn, by endpoint\n"
	"  pycost requests -p 1234 --interval 1 --show cost,time\n"
	"                                     a table each second: where the time went\n"
	"  pycost requests run.pycost --by endpoint,status --sort p99\n"
	"  pycost requests run.pycost --where endpoint='GET /shop/*' --by client_version\n"
	"                                     one endpoint, by a tag\n"
	"  pycost requests run.pycost --status 5xx --by endpoint,pid -f json\n"
	"  pycost requests -p 1234 --each     a line for each request, as it ends\n"
	"  pycost requests run.pycost --workers\n"
	"                                     who was forked, who died of what\n\n"
	"Costs are in the metric that the header names; all times are nanoseconds in json and csv. "
	"Blocked is latency without time on a CPU and in the run queue; waiting for the GIL is "
	"within it.\n";

struct requests_command {
	struct request_run run; /* first */
	struct request_field by[REQUEST_BY_MAX];
	size_t by_count;
	struct request_filter filters[FILTERS_MAX];
	size_t filter_count;
	enum request_sort sort;
	unsigned columns;
	bool each, workers;
	struct request_moment previous;
	struct request_lines lines;
};

static void each_begin(struct request_run *run, const struct profile *p, FILE *out)
{
	struct requests_command *c = (struct requests_command *)run;

	c->lines = (struct request_lines){.out = out, .profile = p, .exact = run->exact,
					  .json = run->format == REQUEST_JSON,
					  .filters = c->filters, .filter_count = c->filter_count};
	request_lines_begin(&c->lines);
}

static void each(void *arg, const struct request_seen *r)
{
	request_lines_put(&((struct requests_command *)arg)->lines, r);
}

static int field_take(void *arg, const char *part)
{
	struct requests_command *c = arg;

	if (c->by_count == REQUEST_BY_MAX)
		return -E2BIG;
	return request_field_parse(part, &c->by[c->by_count++]);
}

static int columns_take(void *arg, const char *part)
{
	struct requests_command *c = arg;
	unsigned columns = request_columns_by_name(part);

	c->columns |= columns;
	return columns ? 0 : -EINVAL;
}

static void parse_by(struct argp_state *state, struct requests_command *c, char *arg)
{
	int err;

	c->by_count = 0;
	err = request_run_list(arg, field_take, c);
	if (err == -E2BIG)
		argp_error(state, "--by takes at most %d fields", REQUEST_BY_MAX);
	if (err)
		argp_error(state, "--by takes names of fields with a comma between any two");
}

static void parse_where(struct argp_state *state, struct requests_command *c, const char *field,
			const char *arg)
{
	char *text = NULL;
	int err;

	if (c->filter_count == FILTERS_MAX)
		argp_error(state, "no more than %d conditions", FILTERS_MAX);
	if (asprintf(&text, "%s%s%s", field ? field : "", field ? "=" : "", arg) < 0)
		argp_failure(state, EXIT_FAILURE, ENOMEM, "--where");
	err = request_filter_parse(text, &c->filters[c->filter_count]);
	if (err)
		argp_error(state, "--where takes FIELD=GLOB or FIELD!=GLOB, not '%s'", text);
	/* The pattern is the end of the argument, which stays. */
	c->filters[c->filter_count++].pattern = field ? arg : strchr(arg, '=') + 1;
	free(text);
}

static enum request_sort parse_sort(struct argp_state *state, const char *arg)
{
	for (size_t i = 0; i < REQUEST_SORTS; i++)
		if (!strcmp(arg, request_sort_names[i]))
			return i;
	argp_error(state, "--sort takes cost, count, mean, p50, p90, p99, latency, latency-p99, cpu, "
			  "blocked, gc, imports, rss, failed or name, not '%s'", arg);
	return 0;
}

static void check(struct argp_state *state, struct requests_command *c)
{
	if (c->each && c->workers)
		argp_error(state, "--each and --workers are views of their own: choose one");
	if (c->each && c->run.file)
		argp_error(state, "--each is of requests as they end: a recording has their sums");
	if (c->each && c->run.format == REQUEST_CSV)
		argp_error(state, "--each prints lines for people, or json: --format csv is of tables");
	if (c->each && c->run.interval)
		argp_error(state, "--each prints no table: leave --interval out");
	if (!c->by_count)
		field_take(c, "endpoint");
	if (!c->columns)
		c->columns = REQUEST_COLUMNS_COST | REQUEST_COLUMNS_LATENCY;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct requests_command *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &c->run; break;
	case OPT_BY: parse_by(state, c, arg); break;
	case OPT_WHERE: parse_where(state, c, NULL, arg); break;
	case OPT_ENDPOINT: parse_where(state, c, "endpoint", arg); break;
	case OPT_STATUS: parse_where(state, c, "status", arg); break;
	case 's': c->sort = parse_sort(state, arg); break;
	case OPT_SHOW:
		if (request_run_list(arg, columns_take, c))
			argp_error(state, "--show takes cost, latency, time, memory, backends or all");
		break;
	case OPT_EACH:
		c->each = true;
		c->run.each = each;
		break;
	case OPT_WORKERS: c->workers = true; break;
	case ARGP_KEY_END: check(state, c); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int show_workers(struct requests_command *c, const struct profile *p,
			const struct recording_status *status, FILE *out)
{
	struct report_style style = request_run_style(&c->run);

	switch (c->run.format) {
	case REQUEST_JSON: return worker_json(p, status, out);
	case REQUEST_CSV: return worker_csv(p, out);
	case REQUEST_TABLE: break;
	}
	return worker_print(p, &style, out);
}

static int show_table(struct requests_command *c, const struct request_table *t,
		      const struct recording_status *status, bool last, FILE *out)
{
	struct request_style style = {request_run_style(&c->run), c->by, c->by_count, c->columns};
	int err;

	if (c->run.format == REQUEST_JSON)
		return request_json(t, status, &style, out);
	if (c->run.format == REQUEST_CSV)
		return request_csv(t, &style, out);
	request_print_header(t, &style.style, out);
	err = request_print_table(t, &style, out);
	if (last)
		request_print_notes(t, status, &style.style, out);
	else
		fputc('\n', out);
	return err;
}

/* The requests themselves have been told. */
static int show_losses(struct requests_command *c, const struct profile *p, FILE *out)
{
	struct report_style style = request_run_style(&c->run);
	json_t *json;
	int err;

	if (c->run.format != REQUEST_JSON) {
		report_print_losses(p->losses, &style, out);
		return 0;
	}
	json = json_pack("{s:o}", "losses", json_losses(p->losses));
	err = json && !json_dumpf(json, out, JSON_COMPACT) && fputc('\n', out) != EOF ? 0 : -EIO;
	json_decref(json);
	return err;
}

static int show(struct request_run *run, const struct profile *p,
		const struct recording_status *status, bool last, FILE *out)
{
	struct requests_command *c = (struct requests_command *)run;
	struct endpoint_views views = {0};
	struct request_query query = {c->by, c->by_count, c->filters, c->filter_count, &views};
	struct request_table t;
	int err;

	if (c->each)
		return show_losses(c, p, out);
	if (c->workers)
		return show_workers(c, p, status, out);
	err = endpoint_views_compute(p, &views);
	query.since = run->interval && c->previous.groups ? &c->previous : NULL;
	if (!err)
		err = request_table_compute(p, &query, &t);
	if (!err) {
		request_table_sort(&t, c->sort);
		err = show_table(c, &t, status, last, out);
		request_table_free(&t);
	}
	endpoint_views_free(&views);
	request_moment_free(&c->previous);
	if (!err && run->interval)
		err = request_moment_take(p, &c->previous);
	return err;
}

int cmd_requests(int argc, char **argv)
{
	static const struct argp_child children[] = {{&request_run_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct requests_command c = {.run = {.show = show, .each_begin = each_begin}};
	int code;

	argp_err_exit_status = EXIT_USAGE;
	if (request_run_init(&c.run, "pycost requests"))
		return EXIT_FAILURE;
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	code = request_run(&c.run);
	request_moment_free(&c.previous);
	for (size_t i = 0; i < c.filter_count; i++)
		request_filter_free(&c.filters[i]);
	return code;
}
