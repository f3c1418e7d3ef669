/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pycost serve: a configuration -> the collector, until a signal ends it. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "userspace/clock.h"
#include "userspace/collector/collector.h"
#include "userspace/commands.h"
#include "userspace/fleet/daemon_log.h"

#define EXIT_USAGE 2
#define SETTINGS_MAX 64
#define STATUS_S 10

enum { OPT_CHECK = 256, OPT_INSECURE, OPT_TOKENS, OPT_SET };

struct setting {
	const char *key, *value;
};

struct serve {
	const char *file;
	struct setting settings[SETTINGS_MAX]; /* after the file, in their order */
	size_t setting_count;
	bool check, quiet;
};

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "Read this file (YAML)", 0 },
	{ "listen", 'l', "ADDRESS:PORT", 0, "Where to listen (default: " SERVE_LISTEN_DEFAULT ")", 0 },
	{ "store", 's', "WHERE", 0,
	  "Where batches are kept: a directory, or http://HOST:PORT/DATABASE of ClickHouse", 0 },
	{ "tokens", OPT_TOKENS, "FILE", 0, "Who may do what (YAML)", 0 },
	{ "insecure", OPT_INSECURE, NULL, 0,
	  "Let everybody who reaches the address write and read everything", 0 },
	{ "set", OPT_SET, "KEY=VALUE", 0, "As in the file, as --set limits.body=8M; repeatable", 0 },
	{ "check", OPT_CHECK, NULL, 0, "Say whether configuration, tokens and certificates are good", 0 },
	{ "quiet", 'q', NULL, 0, "Say nothing of what goes well", 0 },
	{ 0 },
};

static const char doc[] =
	"Collect what agents measure, keep it in a store, and answer questions about it.\v"
	"Agents post batches; each is answered when it is durable, and counted once however often "
	"it is sent. Questions are asked by pycost query.\n\n"
	"SIGTERM: what has come is stored and answered, then it ends. SIGHUP: tokens and "
	"certificates are read again.\n\n"
	"Examples:\n"
	"  pycost serve --store /var/lib/pycost      for this machine only\n"
	"  pycost serve --config /etc/pycost/serve.yaml\n"
	"  pycost serve --config /etc/pycost/serve.yaml --check\n"
	"  pycost serve --listen :7680 --tokens /etc/pycost/tokens.yaml --store http://db:8123/pycost\n\n"
	"The file with tokens:\n"
	"  tokens:\n"
	"  - name: shop               # what logs call it\n"
	"    sha256: 9f86d0...        # of the token; or token: or certificate: *.shop.example\n"
	"    services: [shop, shop-*] # that it is for\n"
	"    may: [push, query]\n";

static void set(struct argp_state *state, const char *key, const char *value)
{
	struct serve *s = state->input;

	if (s->setting_count == SETTINGS_MAX)
		argp_error(state, "too many options");
	s->settings[s->setting_count++] = (struct setting){ key, value };
}

static void parse_set(struct argp_state *state, char *arg)
{
	char *equals = strchr(arg, '=');

	if (!equals)
		argp_error(state, "--set takes KEY=VALUE, not '%s'", arg);
	*equals = 0;
	set(state, arg, equals + 1);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct serve *s = state->input;

	switch (key) {
	case 'c': s->file = arg; break;
	case 'l': set(state, "listen", arg); break;
	case 's': set(state, "store", arg); break;
	case OPT_TOKENS: set(state, "tokens", arg); break;
	case OPT_INSECURE: set(state, "insecure", "true"); break;
	case OPT_SET: parse_set(state, arg); break;
	case OPT_CHECK: s->check = true; break;
	case 'q': s->quiet = true; break;
	case ARGP_KEY_ARG: argp_error(state, "there are no arguments, only options: '%s'", arg); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* The keys of the file, behind the rest. */
static char *help(int key, const char *text, void *input)
{
	char *ret = NULL;
	size_t size = 0;
	FILE *out;

	if (key != ARGP_KEY_HELP_POST_DOC || !text)
		return (char *)text;
	out = open_memstream(&ret, &size);
	if (!out)
		return (char *)text;
	fprintf(out, "%s\nKeys of the file; those with a dot are within a section:\n", text);
	serve_config_explain(out);
	return fclose(out) ? (char *)text : ret;
}

static int configure(const struct serve *s, struct serve_config *c, char *err, size_t errlen)
{
	int error = s->file ? serve_config_file(c, s->file, err, errlen) : 0;

	for (size_t i = 0; i < s->setting_count && !error; i++)
		error = serve_config_set(c, s->settings[i].key, s->settings[i].value, err, errlen);
	return error ? error : serve_config_check(c, err, errlen);
}

/* ---- signals, and who started us ---- */

static void reload(struct collector *c)
{
	char why[512], reason[LOG_VALUE_SIZE];

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_ns() / 1000);
	if (collector_reload(c, why, sizeof(why)))
		daemon_log(LOG_ERR, "reload_failed", "reason=%s kept=old", daemon_log_value(reason, why));
	else
		daemon_log(LOG_NOTICE, "reloaded", "by=SIGHUP");
	sd_notify(0, "READY=1");
}

static void tell_manager(struct collector *c, bool status)
{
	char text[256];

	if (collector_is_alive(c))
		sd_notify(0, "WATCHDOG=1");
	if (!status)
		return;
	collector_summary(c, text, sizeof(text));
	sd_notifyf(0, "STATUS=%s", text);
}

/* Returns the signal that ends it. */
static int live(struct collector *c, const sigset_t *signals)
{
	const struct timespec second = { .tv_sec = 1 };

	for (unsigned n = 0;; n++) {
		int got = sigtimedwait(signals, NULL, &second);

		if (got == SIGTERM || got == SIGINT)
			return got;
		if (got == SIGHUP)
			reload(c);
		collector_tick(c);
		tell_manager(c, n % STATUS_S == 0);
	}
}

static int serve(const struct serve_config *config, bool quiet)
{
	char why[1024], text[256], store[LOG_VALUE_SIZE];
	struct collector *c;
	sigset_t signals;
	int got;

	daemon_log_init(quiet);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	/* Before there are threads, which inherit it. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (collector_start(config, &c, why, sizeof(why))) {
		fprintf(stderr, "pycost serve: %s\n", why);
		return EXIT_FAILURE;
	}
	daemon_log(LOG_NOTICE, "started", "listen=%s port=%u store=%s tls=%s tokens=%s", config->listen,
		  collector_port(c), daemon_log_value(store, config->store),
		  config->tls_certificate ? "yes" : "no", config->tokens ? "yes" : "no");
	sd_notify(0, "READY=1");
	got = live(c, &signals);
	sd_notify(0, "STOPPING=1");
	daemon_log(LOG_NOTICE, "draining", "signal=%s", got == SIGTERM ? "SIGTERM" : "SIGINT");
	collector_summary(c, text, sizeof(text));
	if (collector_stop(c)) {
		daemon_log(LOG_WARNING, "stopped", "reason=\"a query did not end\"");
		_exit(EXIT_SUCCESS);
	}
	daemon_log(LOG_NOTICE, "stopped", "reason=asked");
	return EXIT_SUCCESS;
}

int cmd_serve(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL, doc, NULL, help };
	struct serve_config config;
	struct serve s = { 0 };
	char why[1024] = "no memory";
	int ret = EXIT_USAGE;

	if (argp_parse(&argp, argc, argv, 0, NULL, &s))
		return EXIT_USAGE;
	serve_config_init(&config);
	if (sodium_init() < 0 || configure(&s, &config, why, sizeof(why)) ||
	    (s.check && collector_check(&config, why, sizeof(why)))) {
		fprintf(stderr, "pycost serve: %s\n", why);
	} else if (s.check) {
		printf("%s is good\n", s.file ? s.file : "the configuration");
		ret = EXIT_SUCCESS;
	} else {
		ret = serve(&config, s.quiet);
	}
	serve_config_free(&config);
	return ret;
}
