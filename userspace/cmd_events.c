/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost imports and pycost gc: a recording, or a session -> profile -> table of events. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/commands.h"
#include "userspace/event_table.h"
#include "userspace/request_run.h"

#define EXIT_USAGE 2

enum { OPT_BY = 256, OPT_ENDPOINT };

struct events_command {
	struct request_run run; /* first */
	enum event_kind kind;
	enum event_field by[EVENT_FIELDS];
	size_t by_count;
	enum event_sort sort;
	const char *endpoint;
};

static const struct argp_option import_options[] = {
	{"by", OPT_BY, "FIELD,...", 0,
	 "Add up by endpoint, function (that imports), module or package (default: "
	 "endpoint,function,module)", 0},
	{"endpoint", OPT_ENDPOINT, "GLOB", 0, "Only imports within requests of these endpoints", 0},
	{"sort", 's', "KEY", 0, "Sort by cost (default), time, count, whole or name", 0},
	{0},
};

static const char import_doc[] =
	"Show what imports cost: by endpoint, the function that imports, and module.\v"
	"Cost and time of a module are those of its own code; whole is with all the modules that it "
	"imports in turn.\n\n"
	"Examples:\n"
	"  pycost imports --match gunicorn -d 30\n"
	"  pycost imports run.pycost --by module --sort whole\n"
	"  pycost imports run.pycost --endpoint 'GET /shop/*' --by function,module\n"
	"                                     imports that requests of one endpoint wait for\n"
	"  pycost imports run.pycost --by package -f csv\n";

static const struct argp_option gc_options[] = {
	{"by", OPT_BY, "FIELD,...", 0,
	 "Add up by endpoint, function (that ran into it) or generation (default: "
	 "endpoint,function,generation)", 0},
	{"endpoint", OPT_ENDPOINT, "GLOB", 0, "Only collections within requests of these endpoints", 0},
	{"sort", 's', "KEY", 0, "Sort by cost (default), time, count, collected or name", 0},
	{0},
};

static const char gc_doc[] =
	"Show what collections of garbage cost: by endpoint, function and generation.\v"
	"The function is that whose allocation set the collection off; it need not be the one whose "
	"garbage it is.\n\n"
	"Examples:\n"
	"  pycost gc --match gunicorn -d 30\n"
	"  pycost gc run.pycost --by generation\n"
	"  pycost gc run.pycost --by endpoint,generation -f json\n";

static int field_take(void *arg, const char *part)
{
	struct events_command *c = arg;
	enum event_field field = event_field_by_name(c->kind, part);

	if (field == EVENT_FIELDS || c->by_count == EVENT_FIELDS)
		return -EINVAL;
	c->by[c->by_count++] = field;
	return 0;
}

static void parse_by(struct argp_state *state, struct events_command *c, char *arg)
{
	c->by_count = 0;
	if (request_run_list(arg, field_take, c))
		argp_error(state, "--by takes %s, with a comma between any two",
			   c->kind == EVENT_IMPORT ? "endpoint, function, module and package"
						   : "endpoint, function and generation");
}

static enum event_sort parse_sort(struct argp_state *state, const struct events_command *c,
				  const char *arg)
{
	enum event_sort not = c->kind == EVENT_IMPORT ? EVENT_SORT_COLLECTED : EVENT_SORT_WHOLE;

	for (enum event_sort s = 0; s < EVENT_SORTS; s++)
		if (s != not && !strcmp(arg, event_sort_names[s]))
			return s;
	argp_error(state, "--sort takes cost, time, count, %s or name, not '%s'",
		   c->kind == EVENT_IMPORT ? "whole" : "collected", arg);
	return 0;
}

static void check(struct argp_state *state, struct events_command *c)
{
	if (c->run.interval)
		argp_error(state, "--interval is of pycost requests: leave it out");
	if (c->by_count)
		return;
	field_take(c, "endpoint");
	field_take(c, "function");
	field_take(c, c->kind == EVENT_IMPORT ? "module" : "generation");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct events_command *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &c->run; break;
	case OPT_BY: parse_by(state, c, arg); break;
	case OPT_ENDPOINT: c->endpoint = arg; break;
	case 's': c->sort = parse_sort(state, c, arg); break;
	case ARGP_KEY_END: check(state, c); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int show_table(struct events_command *c, const struct event_table *t, FILE *out)
{
	struct report_style style = request_run_style(&c->run);
	int err;

	event_print_header(t, &style, out);
	err = t->row_count ? event_print_table(t, &style, out)
			   : fputs("none was seen\n", out) < 0 ? -EIO : 0;
	report_print_losses(t->profile->losses, &style, out);
	return err;
}

static int show(struct request_run *run, const struct profile *p,
		const struct recording_status *status, bool last, FILE *out)
{
	struct events_command *c = (struct events_command *)run;
	struct event_table t;
	int err = event_table_compute(p, c->kind, c->by, c->by_count, c->endpoint, c->sort, &t);

	if (err)
		return err;
	switch (run->format) {
	case REQUEST_TABLE: err = show_table(c, &t, out); break;
	case REQUEST_JSON: err = event_json(&t, status, run->limit, out); break;
	case REQUEST_CSV: err = event_csv(&t, run->limit, out); break;
	}
	event_table_free(&t);
	return err;
}

static int events(struct events_command *c, const char *name, const struct argp *argp, int argc,
		  char **argv)
{
	argp_err_exit_status = EXIT_USAGE;
	if (request_run_init(&c->run, name))
		return EXIT_FAILURE;
	/* The functions are told by what is probed for these events. */
	c->run.options.rate = 0;
	c->run.options.no_samples = true;
	argp_parse(argp, argc, argv, 0, NULL, c);
	return request_run(&c->run);
}

static const struct argp_child children[] = {{&request_run_argp, 0, NULL, 0}, {0}};

int cmd_imports(int argc, char **argv)
{
	static const struct argp argp = {import_options, parse, NULL, import_doc, children, NULL, NULL};
	struct events_command c = {.run = {.show = show}, .kind = EVENT_IMPORT};

	return events(&c, "pycost imports", &argp, argc, argv);
}

int cmd_gc(int argc, char **argv)
{
	static const struct argp argp = {gc_options, parse, NULL, gc_doc, children, NULL, NULL};
	struct events_command c = {.run = {.show = show}, .kind = EVENT_COLLECTION};

	return events(&c, "pycost gc", &argp, argc, argv);
}
