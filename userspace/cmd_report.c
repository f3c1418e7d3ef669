/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost report: reader -> profile -> costs -> a view or an exporter. */
#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/commands.h"
#include "userspace/counter_share.h"
#include "userspace/endpoint_choice.h"
#include "userspace/export.h"
#include "userspace/output.h"
#include "userspace/report_endpoints.h"
#include "userspace/view_owner.h"

#define ERROR_SIZE 512
#define LIMIT_DEFAULT 30
#define LIMIT_DEFAULT_BY 10 /* for each endpoint */
#define MIN_PERCENT_DEFAULT 0.5
#define EXIT_USAGE 2

enum option_key {
	OPTION_CALLERS = 256,
	OPTION_CALLEES,
	OPTION_TREE,
	OPTION_MIN_PERCENT,
	OPTION_RAW,
	OPTION_PID,
	OPTION_EXACT,
	OPTION_LINES,
	OPTION_OPCODES,
	OPTION_NATIVES,
	OPTION_BY,
	OPTION_ENDPOINT,
	OPTION_TAG,
};

static const struct argp_option options[] = {
	{ "sort", 's', "KEY", 0, "Sort by self (default), cumulative, calls, kernel or kernel-cumulative" },
	{ "limit", 'n', "N", 0, "Show N rows; 0: all (default 30; 10 of each endpoint; all of a tree)" },
	{ "callers", OPTION_CALLERS, "NAME", 0, "Show who calls the function NAME" },
	{ "callees", OPTION_CALLEES, "NAME", 0, "Show what the function NAME calls" },
	{ "tree", OPTION_TREE, NULL, 0, "Show the call tree" },
	{ "lines", OPTION_LINES, "NAME", 0,
	  "Show the source of the function NAME with what each line cost (of samples)" },
	{ "opcodes", OPTION_OPCODES, "NAME", OPTION_ARG_OPTIONAL,
	  "Show the shares of opcodes, of everything or of the function NAME itself (of samples)" },
	{ "natives", OPTION_NATIVES, "NAME", OPTION_ARG_OPTIONAL,
	  "Show in which native functions the samples were, likewise; with --format folded, put "
	  "them below the Python ones" },
	{ "min-percent", OPTION_MIN_PERCENT, "P", 0,
	  "Leave out of the tree what costs less than P % (default 0.5)" },
	{ "by", OPTION_BY, "endpoint", 0,
	  "Show the functions of each endpoint apart (recorded with --requests)" },
	{ "endpoint", OPTION_ENDPOINT, "GLOB", 0,
	  "Only what was done for requests of these endpoints: '/shop/*', 'GET /shop/*'" },
	{ "tag", OPTION_TAG, "KEY=GLOB", 0,
	  "Only what was done for requests with this tag, of those that costs were split by; as "
	  "often as wanted" },
	{ "pid", OPTION_PID, "PID", 0, "Only this process" },
	{ "raw", OPTION_RAW, NULL, 0, "Leave the probes' own cost in" },
	{ "exact", OPTION_EXACT, NULL, 0, "Print numbers in full instead of 1.234 M" },
	{ "format", 'f', "FORMAT", 0,
	  "table (default), json, folded, folded-kernel, speedscope, pprof, callgrind or pstats" },
	{ "output", 'o', "OUT", 0, "Write to the file OUT instead of standard output" },
	{ 0 },
};

static const char doc[] =
	"Show what each Python function cost, from a recording.\n"
	"FILE is what pycost record wrote; - reads standard input.\n"
	"After record --mode sample, costs are estimates and their standard errors.\n"
	"\v"
	"NAME is a qualified name, with or without its module; without an exact match,\n"
	"every function whose name contains it is shown.\n\n"
	"Examples:\n"
	"  pycost report run.pycost\n"
	"  pycost report run.pycost --sort cumulative --limit 10\n"
	"  pycost report run.pycost --callers Shop.checkout\n"
	"  pycost report run.pycost --tree --min-percent 2\n"
	"  pycost report run.pycost --lines Shop.checkout\n"
	"  pycost report run.pycost --opcodes=Shop.checkout\n"
	"  pycost report run.pycost --natives -f folded | flamegraph.pl > run.svg\n"
	"  pycost report run.pycost --by endpoint --sort cumulative\n"
	"  pycost report run.pycost --endpoint 'GET /shop/*' --tree\n"
	"  pycost report run.pycost --tag client_version='7.*' -f folded\n"
	"  pycost report run.pycost -f speedscope -o run.speedscope.json\n"
	"  pycost report run.pycost -f pstats -o run.pstats\n"
	"  pycost report run.pycost -f folded | flamegraph.pl > run.svg\n"
	"  pycost record -p 1234 -o - | pycost report -\n";

struct format {
	const char *name;
	int (*export)(const struct report *r, FILE *out); /* NULL: the views for people */
	bool binary;
	bool kernel; /* of costs in kernel mode only */
	bool calls;  /* nothing without numbers of calls */
};

static const struct format formats[] = {
	{ "table", NULL, false },
	{ "json", export_json, false },
	{ "folded", export_folded, false },
	{ "folded-kernel", export_folded_kernel, false, true },
	{ "speedscope", export_speedscope, false },
	{ "pprof", export_pprof, true },
	{ "callgrind", export_callgrind, false },
	{ "pstats", export_pstats, true, .calls = true },
};

/* The views of samples alone. */
struct sampled_view {
	const char *option;
	enum place_kind kind;
	int (*print)(const struct report *r, const struct report_style *style,
		     const uint32_t *rows, size_t row_count, FILE *out);
};

static const struct sampled_view view_lines = { "--lines", PLACE_LINE, report_print_lines };
static const struct sampled_view view_opcodes = { "--opcodes", PLACE_OPCODE,
						  report_print_opcodes };
static const struct sampled_view view_natives = { "--natives", PLACE_NATIVE,
						  report_print_natives };

struct arguments {
	const char *file;
	const char *out;
	const char *callers;
	const char *callees;
	const struct sampled_view *view; /* NULL: none of them */
	const char *function;		 /* of that view; NULL: everything */
	const struct format *format;
	enum report_sort sort;
	long limit; /* -1: not said */
	long pid;   /* 0: all */
	struct endpoint_choice endpoints;
	bool by_endpoint;
	double min_percent;
	bool tree;
	bool raw;
	bool exact;
};

static long parse_number(struct argp_state *state, const char *option, const char *arg, long least)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(arg, &end, 10);
	if (errno || end == arg || *end || value < least || value > INT32_MAX)
		argp_error(state, "%s takes a whole number from %ld, not '%s'", option, least, arg);
	return value;
}

static double parse_percent(struct argp_state *state, const char *arg)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end || !(value >= 0 && value <= 100))
		argp_error(state, "--min-percent takes a number from 0 to 100, not '%s'", arg);
	return value;
}

static enum report_sort parse_sort(struct argp_state *state, const char *arg)
{
	for (size_t i = 0; i < SORTS; i++)
		if (!strcmp(arg, report_sort_names[i]))
			return i;
	argp_error(state,
		   "--sort takes self, cumulative, calls, kernel or kernel-cumulative, not '%s'",
		   arg);
	return SORT_SELF;
}

static const struct format *parse_format(struct argp_state *state, const char *arg)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(arg, formats[i].name))
			return &formats[i];
	argp_error(state,
		   "--format takes table, json, folded, folded-kernel, speedscope, pprof, callgrind "
		   "or pstats, not '%s'",
		   arg);
	return formats;
}

static void parse_tag(struct argp_state *state, struct endpoint_choice *c, const char *arg)
{
	if (!strchr(arg, '=') || *arg == '=')
		argp_error(state, "--tag takes KEY=GLOB, not '%s'", arg);
	if (c->tag_count == ENDPOINT_TAGS_MAX)
		argp_error(state, "--tag may be given %d times", ENDPOINT_TAGS_MAX);
	c->tags[c->tag_count++] = arg;
}

static void check_by(struct argp_state *state, const struct arguments *a)
{
	if (a->callers || a->callees || a->tree || a->view)
		argp_error(state, "--by endpoint is a view of its own: of one endpoint, the others "
				  "go with --endpoint");
	if (a->format->export && a->format->export != export_json)
		argp_error(state, "--by endpoint goes with --format table or json; the trees of the "
				  "other formats begin with their endpoint by themselves");
}

static void check_arguments(struct argp_state *state, const struct arguments *a)
{
	if (!a->file)
		argp_error(state, "name the recording to report on (- for standard input)");
	if (!!a->callers + !!a->callees + a->tree + !!a->view > 1)
		argp_error(state, "--callers, --callees, --tree, --lines, --opcodes and --natives "
				  "are views of their own: choose one");
	if (a->format->export && (a->callers || a->callees || a->tree))
		argp_error(state, "--format %s has no views: leave --callers, --callees and "
				  "--tree out",
			   a->format->name);
	if (a->view && a->format->export && a->format->export != export_json &&
	    (a->format->export != export_folded || a->view != &view_natives || a->function))
		argp_error(state, "%s goes with --format table or json%s", a->view->option,
			   a->view == &view_natives ? ", and of everything with folded" : "");
	if (a->by_endpoint)
		check_by(state, a);
	if (a->format->binary && (!a->out || !strcmp(a->out, "-")) && isatty(STDOUT_FILENO))
		argp_error(state, "--format %s is not for a terminal: name a file with -o",
			   a->format->name);
}

static void choose_view(struct argp_state *state, struct arguments *a,
			const struct sampled_view *view, const char *function)
{
	if (a->view)
		argp_error(state, "%s and %s are views of their own: choose one", a->view->option,
			   view->option);
	a->view = view;
	a->function = function;
}

/* The name of a view that can do without may stand on its own, on either side of FILE. */
static void parse_argument(struct argp_state *state, struct arguments *a, const char *arg)
{
	if (!a->file) {
		a->file = arg;
	} else if (!a->view || a->function) {
		argp_error(state, "one recording at a time: what is '%s'?", arg);
	} else if (strcmp(a->file, "-") && access(a->file, F_OK) && !access(arg, F_OK)) {
		a->function = a->file;
		a->file = arg;
	} else {
		a->function = arg;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 's': a->sort = parse_sort(state, arg); break;
	case 'n': a->limit = parse_number(state, "--limit", arg, 0); break;
	case 'f': a->format = parse_format(state, arg); break;
	case 'o': a->out = arg; break;
	case OPTION_CALLERS: a->callers = arg; break;
	case OPTION_CALLEES: a->callees = arg; break;
	case OPTION_TREE: a->tree = true; break;
	case OPTION_MIN_PERCENT: a->min_percent = parse_percent(state, arg); break;
	case OPTION_RAW: a->raw = true; break;
	case OPTION_EXACT: a->exact = true; break;
	case OPTION_PID: a->pid = parse_number(state, "--pid", arg, 1); break;
	case OPTION_LINES: choose_view(state, a, &view_lines, arg); break;
	case OPTION_OPCODES: choose_view(state, a, &view_opcodes, arg); break;
	case OPTION_NATIVES: choose_view(state, a, &view_natives, arg); break;
	case OPTION_BY:
		if (strcmp(arg, "endpoint"))
			argp_error(state, "--by takes endpoint, not '%s'; pycost requests adds "
					  "requests up by anything", arg);
		a->by_endpoint = true;
		break;
	case OPTION_ENDPOINT: a->endpoints.glob = arg; break;
	case OPTION_TAG: parse_tag(state, &a->endpoints, arg); break;
	case ARGP_KEY_ARG: parse_argument(state, a, arg); break;
	case ARGP_KEY_END: check_arguments(state, a); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int complain(const struct arguments *a, const char *what)
{
	fprintf(stderr, "pycost report: %s: %s\n",
		strcmp(a->file, "-") ? a->file : "standard input", what);
	return EXIT_FAILURE;
}

static struct report_style style_choose(const struct arguments *a)
{
	struct report_style style = { .exact = a->exact, .min_percent = a->min_percent };

	style.color = output_is_colored(a->out, &style.width);
	style.limit = a->limit >= 0	? a->limit
		      : a->tree		? 0
		      : a->by_endpoint ? LIMIT_DEFAULT_BY
				       : LIMIT_DEFAULT;
	return style;
}

static int print_named(const struct report *r, const struct arguments *a,
		       const struct report_style *style, const uint32_t *rows, size_t count,
		       FILE *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++) {
		if (i)
			fputc('\n', out);
		err = report_print_edges(r, style, rows[i], a->callers, out);
	}
	return err;
}

static int print_views(struct report *r, const struct arguments *a, const uint32_t *rows,
		       size_t row_count, FILE *out)
{
	struct report_style style = style_choose(a);
	int err;

	report_print_header(r, &style, out);
	if (a->view)
		err = a->view->print(r, &style, rows, row_count, out);
	else if (row_count)
		err = print_named(r, a, &style, rows, row_count, out);
	else if (a->tree)
		err = report_print_tree(r, &style, out);
	else if (a->by_endpoint)
		err = report_print_endpoints(r, &style, a->sort, out);
	else
		err = report_print_functions(r, &style, out);
	report_print_notes(r, &style, out);
	return err;
}

static int print_format(struct report *r, const struct arguments *a, const uint32_t *rows,
			size_t row_count, FILE *out)
{
	if (a->by_endpoint)
		return export_json_endpoints(r, a->sort, out);
	if (!a->view)
		return a->format->export(r, out);
	if (a->format->export == export_folded)
		return export_folded_natives(r, out);
	return export_json_places(r, a->view->kind, rows, row_count, out);
}

static int report_deliver(struct report *r, const struct arguments *a)
{
	const char *name = a->callers ? a->callers : a->callees ? a->callees : a->function;
	char message[ERROR_SIZE];
	struct output output;
	uint32_t *rows = NULL;
	size_t row_count = 0;
	int err = 0;

	if (name)
		err = report_find(r, name, &rows, &row_count, message, sizeof(message));
	if (err)
		return complain(a, err == -ENOENT ? message : strerror(-err));
	err = output_open(a->out, &output);
	if (!err) {
		err = a->format->export ? print_format(r, a, rows, row_count, output.file)
					: print_views(r, a, rows, row_count, output.file);
		if (err)
			output_discard(&output);
		else
			err = output_commit(&output);
	}
	free(rows);
	/* Whoever read it has seen enough. */
	if (err == -EPIPE)
		return EXIT_SUCCESS;
	if (err) {
		fprintf(stderr, "pycost report: cannot write %s: %s\n",
			a->out ? a->out : "standard output", strerror(-err));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* Why this recording cannot be shown so, or NULL. */
static const char *report_objection(const struct profile *p, const struct arguments *a)
{
	bool sampled = p->meta.period > 0;

	if (p->meta.no_functions)
		return "it has requests and no functions: pycost requests, imports and gc show it";
	if (a->by_endpoint && !p->meta.requests)
		return "recorded without requests: record with --requests";
	if ((a->format->kernel || report_sort_is_kernel(a->sort)) && !p->meta.kernel_mode)
		return "it has no costs in kernel mode: record with --kernel";
	if (a->view && !sampled)
		return "it is exact, and lines, opcodes and native functions are known of samples "
		       "only: record with --mode sample";
	if (sampled && a->format->calls)
		return "it is sampled, and pstats cannot do without numbers of calls: use --format "
		       "pprof, speedscope or json, or record in exact mode";
	if (sampled && a->sort == SORT_CALLS)
		return "it is sampled, and knows no calls: sort by self or cumulative";
	if (sampled && a->raw)
		return "it is sampled without probes: there is nothing that --raw could leave in";
	return NULL;
}

static int report_profile(struct profile *p, const struct arguments *a)
{
	char message[ERROR_SIZE] = "", share[128];
	struct recording_status status;
	const char *objection;
	struct report r;
	int err = recording_read(a->file, &p->sink, &status, message, sizeof(message));

	if (err)
		return complain(a, message);
	if (!p->has_meta)
		return complain(a, status.corrupt ? "it is damaged from the start"
						  : "the recorder did not get to its first flush");
	err = a->pid ? profile_keep_pid(p, a->pid) : 0;
	if (err == -ESRCH) {
		snprintf(message, sizeof(message), "process %ld is not in it", a->pid);
		return complain(a, message);
	}
	objection = report_objection(p, a);
	if (objection)
		return complain(a, objection);
	if (!err)
		err = view_owners_of_profile(p);
	if (!err) {
		err = endpoint_choose(p, &a->endpoints, message, sizeof(message));
		if (err == -ENODATA || err == -ENOENT)
			return complain(a, message);
	}
	if (!err)
		err = report_compute(p, &status, a->raw, a->sort, &r);
	if (err)
		return complain(a, strerror(-err));
	/* The views say it themselves, most formats cannot. */
	if (a->format->export && (status.corrupt || status.incomplete))
		complain(a, status.corrupt ? "warning: damaged: only a part of it could be read"
					   : "warning: incomplete: recorder did not finish");
	if (a->format->export && counter_share_text(r.losses, share, sizeof(share))) {
		snprintf(message, sizeof(message), "warning: %s", share);
		complain(a, message);
	}
	err = report_deliver(&r, a);
	report_free(&r);
	return err;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = { options, parse_option, "FILE", doc };
	struct arguments a = {
		.format = formats,
		.limit = -1,
		.min_percent = MIN_PERCENT_DEFAULT,
	};
	struct profile *p;
	int err;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	/* Names are UTF-8 whatever the locale, and wcwidth() has to know them. */
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8"))
		setlocale(LC_CTYPE, "C.UTF-8");
	err = profile_create(&p);
	if (err)
		return complain(&a, strerror(-err));
	err = report_profile(p, &a);
	profile_free(p);
	return err;
}
