/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/agent/agent.h"
#include "userspace/commands.h"

#define EXIT_USAGE 2
#define HOME_SPOOL "/.local/state/pycost/spool"

enum { OPT_MATCH = 256, OPT_TO, OPT_SERVICE, OPT_CONFIG, OPT_CHECK, OPT_SPOOL, OPT_LISTEN, OPT_TOKEN,
       OPT_RATE, OPT_REQUESTS };

struct agent_options {
	struct agent_config *config;
	const char *path, *service;
	bool check, direct; /* direct: some option says what a file would */
};

static const struct argp_option options[] = {
	{"match", OPT_MATCH, "REGEX", 0,
	 "Measure every Python whose command line matches; may be repeated", 0},
	{"to", OPT_TO, "URL", 0, "The collector: see pycost serve", 0},
	{"service", OPT_SERVICE, "NAME", 0,
	 "The service that they are (default: their unit, container or server)", 0},
	{"config", OPT_CONFIG, "FILE", 0, "All of this from a YAML file, and more", 0},
	{"check", OPT_CHECK, NULL, 0, "Look at the configuration and end", 0},
	{"spool", OPT_SPOOL, "DIR", 0,
	 "Where batches wait (default: /var/lib/pycost/spool; ~" HOME_SPOOL " for who is not root)", 0},
	{"listen", OPT_LISTEN, "ADDRESS:PORT", 0,
	 "Answer /metrics and /health there; nothing secret is told", 0},
	{"token-file", OPT_TOKEN, "FILE", 0, "Send the token in it", 0},
	{"rate", OPT_RATE, "HZ", 0, "Samples a second on a busy CPU (default: 99); 0: none", 0},
	{"requests", OPT_REQUESTS, "FILE", 0,
	 "What to make of requests, as record's --config; they are measured anyway", 0},
	{"quiet", 'q', NULL, 0, "Log what is wrong, and no more", 0},
	{0},
};

static const char doc[] =
	"Measure the Python services of this host all the time, and send what they cost.\v"
	"Finds processes by rule as they come, samples them and watches their requests, adds "
	"that up by minute, and sends it to a collector (pycost serve) by way of a spool on disk: "
	"what cannot be sent waits. What it takes of this host and of the targets is measured and "
	"kept to a budget.\n\n"
	"Examples:\n"
	"  pycost agent --match gunicorn --to http://127.0.0.1:7680\n"
	"                                        every gunicorn on this machine\n"
	"  pycost agent --match 'gunicorn.*shop' --service shop --to http://127.0.0.1:7680\n"
	"                                        those of the shop, by that name\n"
	"  pycost agent --config /etc/pycost/agent.yaml --check\n"
	"                                        is it right? errors name the line\n"
	"  pycost agent --config /etc/pycost/agent.yaml --listen 127.0.0.1:7681\n"
	"  curl http://127.0.0.1:7681/metrics    what it does, what waits, what it costs\n\n"
	"SIGHUP reads the file again; SIGTERM puts the minute under way into the spool, sends what "
	"it can in five seconds, and ends. It needs the rights of record --mode sample: see pycost "
	"doctor.\n";

static void text_take(char *to, size_t size, const char *text, const char *what,
		      struct argp_state *state)
{
	if (strlen(text) >= size)
		argp_error(state, "%s is too long", what);
	strcpy(to, text);
}

static void match_take(struct agent_options *o, const char *expression, struct argp_state *state)
{
	struct rule *r = agent_config_rule(o->config);
	char why[256];

	if (!r)
		argp_error(state, "more than %d expressions", RULES_MAX);
	if (rule_match_set(r, expression, why, sizeof(why)))
		argp_error(state, "'%s' is no regular expression: %s", expression, why);
}

static void rate_take(struct agent_config *c, const char *text, struct argp_state *state)
{
	char *end;
	unsigned long rate = strtoul(text, &end, 10);

	if (*end || end == text || rate > 10000)
		argp_error(state, "'%s' is not a number from 0 to 10000", text);
	c->rate = rate;
}

static void requests_take(struct agent_config *c, const char *path, struct argp_state *state)
{
	char why[768];

	if (request_config_file(&c->requests, path, why, sizeof(why)))
		argp_error(state, "%s", why);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct agent_options *o = state->input;
	struct agent_config *c = o->config;

	switch (key) {
	case OPT_CONFIG:
		o->path = arg;
		return 0;
	case OPT_CHECK:
		o->check = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case OPT_MATCH:
		match_take(o, arg, state);
		break;
	case OPT_TO:
		text_take(c->collector, sizeof(c->collector), arg, "the URL", state);
		break;
	case OPT_SERVICE:
		o->service = arg;
		break;
	case OPT_SPOOL:
		text_take(c->spool, sizeof(c->spool), arg, "the directory", state);
		break;
	case OPT_LISTEN:
		text_take(c->listen, sizeof(c->listen), arg, "the address", state);
		break;
	case OPT_TOKEN:
		text_take(c->token_file, sizeof(c->token_file), arg, "the path", state);
		break;
	case OPT_RATE:
		rate_take(c, arg, state);
		break;
	case OPT_REQUESTS:
		requests_take(c, arg, state);
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is no option", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	o->direct = true;
	return 0;
}

/* Whoever is not root has no /var/lib of his own. */
static void spool_default(struct agent_config *c)
{
	const char *home = getenv("HOME");

	if (geteuid() && home && !strcmp(c->spool, "/var/lib/pycost/spool") &&
	    strlen(home) + sizeof(HOME_SPOOL) < sizeof(c->spool))
		sprintf(c->spool, "%s" HOME_SPOOL, home);
}

static int config_read(struct agent_options *o, char *why, size_t len)
{
	struct agent_config *c = o->config;
	int err = 0;

	if (o->path)
		return agent_config_file(c, o->path, why, len);
	spool_default(c);
	for (size_t i = 0; o->service && i < c->rule_count; i++) {
		c->rules[i].service.source = VALUE_TEXT;
		snprintf(c->rules[i].service.text, RULE_TEXT_MAX, "%s", o->service);
	}
	return err;
}

int cmd_agent(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct agent_options o = {.config = malloc(sizeof(*o.config))};
	struct agent_start start;
	char why[1024] = "no memory";
	int err = o.config ? agent_config_init(o.config) : -ENOMEM;

	setlocale(LC_CTYPE, ""); /* numbers are as in files and metrics: with a point */
	argp_err_exit_status = EXIT_USAGE;
	if (!err) {
		argp_parse(&argp, argc, argv, 0, NULL, &o);
		err = -EINVAL;
		if (o.path && o.direct)
			snprintf(why, sizeof(why), "--config says it all: leave the other options away");
		else
			err = config_read(&o, why, sizeof(why));
	}
	if (!err)
		err = agent_config_finish(o.config, why, sizeof(why));
	if (err || o.check) {
		if (err)
			fprintf(stderr, "pycost agent: %s\n", why);
		else
			printf("%s: no error, %zu rule%s\n", o.path ? o.path : "the options",
			       o.config->rule_count, o.config->rule_count == 1 ? "" : "s");
		if (o.config)
			agent_config_clear(o.config);
		free(o.config);
		return err ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	start = (struct agent_start){.config = o.config, .path = o.path};
	return agent_run(&start);
}
