/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "userspace/agent/agent_parts.h"
#include "userspace/clock.h"
#include "userspace/fleet/daemon_log.h"
#include "userspace/kernel.h"

#define NS 1000000000ull
#define POLL_MS 200
#define LOOK_NS NS
#define TIDY_NS (10 * NS)
#define LINGER_MS 5000 /* to send what is left, when told to end */
#define MAX_NAMES 400000
#define NAMES_LAST_S 86400 /* a store that was emptied learns them again within a day or two */

static volatile sig_atomic_t ending, reloading;

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		reloading = 1;
	else
		ending = 1;
}

static void signals_catch(void)
{
	struct sigaction catch = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &catch, NULL);
	sigaction(SIGTERM, &catch, NULL);
	sigaction(SIGHUP, &catch, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* a limit on files is a disk that is full */
}

/* Only this thread is to be woken by signals. */
static void signals_block(bool block)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &all, NULL);
}

/* ---- start and end ---- */

static int fail(const char *event, const char *why)
{
	char value[LOG_VALUE_SIZE];

	daemon_log(LOG_ERR, event, "why=%s", daemon_log_value(value, why));
	return EXIT_FAILURE;
}

static int spool_start(struct agent *a, char *why, size_t len)
{
	const struct agent_config *c = a->config;
	struct spool_options o = {.directory = c->spool, .collector = c->collector,
				  .limit = c->spool_limit, .memory_limit = c->spool_memory,
				  .max_names = MAX_NAMES, .names_last_s = NAMES_LAST_S};
	struct spool_status st;
	int err = spool_open(&o, &a->spool, why, len);

	if (err)
		return err;
	spool_status(a->spool, &st);
	a->told = st;
	if (st.set_aside || st.batches)
		daemon_log(LOG_NOTICE, "spool", "waiting=%llu bytes=%llu damaged_files=%llu",
			  (unsigned long long)st.batches, (unsigned long long)st.bytes,
			  (unsigned long long)st.set_aside);
	return 0;
}

static int parts_start(struct agent *a, char *why, size_t len)
{
	int err = kernel_prepare(why, len);

	if (!err)
		err = spool_start(a, why, len);
	if (!err) {
		err = roster_new(a->config, &a->roster);
		if (err)
			snprintf(why, len, "%s", strerror(-err));
	}
	if (!err && (err = workshop_new(&a->workshop)))
		snprintf(why, len, "%s", strerror(-err));
	if (err)
		return err;
	signals_block(true);
	err = sender_start(a->config, a->spool, &a->sender, why, len);
	if (!err && *a->config->listen)
		err = board_open(a->config->listen, a->spool, a->sender, &a->board, why, len);
	signals_block(false);
	return err;
}

static void parts_stop(struct agent *a)
{
	struct spool_status st;

	agent_session_end(a);
	workshop_free(a->workshop);
	board_close(a->board); /* it asks the sender */
	sender_stop(a->sender, LINGER_MS);
	if (a->spool) {
		spool_status(a->spool, &st);
		daemon_log(LOG_INFO, "ended", "batches_waiting=%llu in_memory_only=%llu",
			  (unsigned long long)st.batches, (unsigned long long)st.memory_batches);
	}
	roster_free(a->roster);
	usage_clear(&a->usage);
	spool_close(a->spool);
	agent_config_clear(a->config);
	free(a->config);
	free(a);
}

/* ---- reload ---- */

static struct agent_config *config_again(const struct agent *a, char *why, size_t len)
{
	struct agent_config *c = malloc(sizeof(*c));
	int err = c ? agent_config_init(c) : -ENOMEM;

	if (!err)
		err = agent_config_file(c, a->path, why, len);
	if (!err)
		err = agent_config_finish(c, why, len);
	if (!err)
		return c;
	if (c)
		agent_config_clear(c);
	free(c);
	return NULL;
}

/* The old address until the new one is taken. */
static int board_again(struct agent *a, const struct agent_config *c, char *why, size_t len)
{
	struct board *fresh = NULL;
	int err = 0;

	if (!strcmp(a->config->listen, c->listen))
		return 0;
	signals_block(true);
	if (*c->listen)
		err = board_open(c->listen, a->spool, a->sender, &fresh, why, len);
	signals_block(false);
	if (err)
		return err;
	board_close(a->board);
	a->board = fresh;
	return 0;
}

static int config_take(struct agent *a, struct agent_config *c, char *why, size_t len)
{
	int err = board_again(a, c, why, len);

	if (!err)
		err = sender_config(a->sender, c, why, len);
	if (err)
		return err;
	if (strcmp(a->config->spool, c->spool))
		daemon_log(LOG_WARNING, "spool_unchanged", "why=\"another directory takes a restart\"");
	spool_limits(a->spool, c->spool_limit, c->spool_memory);
	if (strcmp(a->config->collector, c->collector) && spool_collector(a->spool, c->collector))
		daemon_log(LOG_WARNING, "names_unread", "why=\"they are sent again\"");
	agent_session_end(a); /* what it has borrowed goes */
	roster_config(a->roster, c);
	agent_config_clear(a->config);
	free(a->config);
	a->config = c;
	a->wanted = true;
	a->retry_ns = 0;
	return 0;
}

static void reload(struct agent *a)
{
	struct agent_config *c;
	char why[1024] = "";

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_ns() / 1000);
	if (!a->path) {
		daemon_log(LOG_NOTICE, "reload", "why=\"there is no --config to read again\"");
	} else {
		c = config_again(a, why, sizeof(why));
		if (c && config_take(a, c, why, sizeof(why))) {
			agent_config_clear(c);
			free(c);
			c = NULL;
		}
		if (c) {
			a->numbers.reloads++;
			daemon_log(LOG_NOTICE, "reloaded", "rules=%zu", a->config->rule_count);
		} else {
			a->numbers.failed_reloads++;
			fail("reload_failed", why);
		}
	}
	sd_notify(0, "READY=1");
}

/* ---- the loop ---- */

static void budget_keep(struct agent *a, uint64_t now)
{
	struct budget_limits limits = {a->config->budget_host, a->config->budget_targets};
	struct usage_shares *shares = &a->numbers.shares;
	enum workshop_state at = workshop_state(a->workshop);
	int step;

	/* While programs go nothing can be said of them, and nothing of their targets before they have any. */
	if (at == WORKSHOP_DROPPING || (at == WORKSHOP_OPENING && !a->now))
		return;
	if (!usage_look(&a->usage, now, roster_cpu, a->roster, shares))
		return;
	step = budget_look(&a->budget, &limits, shares->host, shares->targets);
	if (step)
		daemon_log(step < 0 ? LOG_WARNING : LOG_NOTICE, step < 0 ? "budget_down" : "budget_up",
			  "level=%u measured=\"%s\" host_share=%.5f host_limit=%.5f targets_share=%.5f "
			  "targets_limit=%.5f", a->budget.level, budget_plan(a->budget.level)->what,
			  shares->host, limits.host, shares->targets, limits.targets);
}

static void numbers_put(struct agent *a)
{
	struct board_numbers *n = &a->numbers;

	roster_status(a->roster, &n->roster);
	agent_session_numbers(a, n);
	n->budget_host = a->config->budget_host;
	n->budget_targets = a->config->budget_targets;
	n->no_program_times = a->usage.no_stats;
	n->level = a->budget.level;
	n->exceeded = a->budget.exceeded;
	n->downs = a->budget.downs;
	n->ups = a->budget.ups;
	board_put(a->board, n);
	sd_notifyf(0, "WATCHDOG=1\nSTATUS=%u processes, %llu requests, budget level %u%s%s",
		   n->roster.attached, (unsigned long long)n->requests, n->level,
		   *n->trouble ? ": " : "", n->trouble);
}

void agent_alive(struct agent *a)
{
	uint64_t now = clock_ns();

	if (now - a->numbers_ns < NS)
		return;
	a->numbers_ns = now;
	numbers_put(a);
}

static void turn(struct agent *a)
{
	uint64_t now = clock_ns();
	int err;

	if (now - a->looked_ns >= LOOK_NS) {
		a->looked_ns = now;
		err = roster_look(a->roster, agent_session_attach, a);
		if (err)
			daemon_log_some(LOG_ERR, "cannot_look", "why=\"/proc: %s\"", strerror(-err));
	}
	agent_session_look(a, now);
	agent_session_poll(a, POLL_MS);
	now = clock_ns();
	budget_keep(a, now);
	if (now - a->tidied_ns >= TIDY_NS) {
		a->tidied_ns = now;
		roster_tidy(a->roster);
	}
	agent_alive(a);
}

/* A session takes descriptors by the process and by the CPU. */
static void files_raise(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int agent_run(const struct agent_start *start)
{
	struct agent *a = calloc(1, sizeof(*a));
	char why[1024] = "";
	int err;

	if (!a)
		return fail("cannot_start", "no memory");
	a->config = start->config;
	a->path = start->path;
	daemon_log_init(a->config->quiet);
	kernel_log_setup();
	usage_init(&a->usage);
	budget_init(&a->budget);
	files_raise();
	signals_catch();
	err = parts_start(a, why, sizeof(why));
	if (err) {
		fail("cannot_start", why);
		parts_stop(a);
		return EXIT_FAILURE;
	}
	daemon_log(LOG_INFO, "started", "version=%s host=%s collector=%s rules=%zu", PYCOST_VERSION,
		  a->config->host, a->config->collector, a->config->rule_count);
	sd_notify(0, "READY=1");
	while (!ending) {
		/* What is under way has borrowed the configuration. */
		if (reloading && workshop_state(a->workshop) == WORKSHOP_IDLE) {
			reloading = 0;
			reload(a);
		}
		turn(a);
	}
	sd_notify(0, "STOPPING=1");
	parts_stop(a);
	return EXIT_SUCCESS;
}
