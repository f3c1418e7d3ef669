/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The session that measures now, and the next one. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/wire.h"
#include "symbolizer/interpreter.h"
#include "userspace/agent/agent_parts.h"
#include "userspace/agent/turns.h"
#include "userspace/clock.h"
#include "userspace/fleet/daemon_log.h"
#include "userspace/rights.h"

#define NS 1000000000ull
#define RETRY_FIRST_S 5
#define RETRY_LAST_S 300
/* Of the call paths that there may be; then another session begins. */
#define PATHS_FULL 0.8
#define PATHS_DEFAULT 131071
/* Processes that a session has followed: what it knows of each stays with it. */
#define FOLLOWED_MOST 20000
/* How soon after another a session may be renewed because it is full. */
#define RENEW_LEAST_NS (60 * NS)

/* ---- time that nobody was measured in ---- */

void agent_unwatched_add(struct agent *a, uint64_t now)
{
	if (!a->unwatched_since_ns)
		return;
	a->unwatched_ns += now - a->unwatched_since_ns;
	a->unwatched_since_ns = now;
}

static void unwatched(struct agent *a, bool is)
{
	uint64_t now = clock_ns();

	agent_unwatched_add(a, now);
	a->unwatched_since_ns = is ? now : 0;
}

/* ---- opening ---- */

static int on_process(void *arg, uint32_t pid, struct slice_tags *to)
{
	struct agent *a = arg;

	if (!roster_tags(a->roster, pid, 0, &a->scratch))
		return -ESRCH;
	for (uint32_t i = 0; i < a->scratch.count; i++)
		slice_tags_set(to, a->scratch.tags[i].key, a->scratch.tags[i].value);
	return 0;
}

static bool on_known(void *arg, uint64_t id)
{
	return spool_knows(((struct agent *)arg)->spool, id);
}

static int fold_make(struct agent *a, struct measuring *m)
{
	const struct agent_config *c = a->config;
	struct fold_options o = {.sender = c->host, .tags = m->tags, .tag_count = c->common_count,
				 .process = on_process, .keep = m->keep, .keep_count = c->tag_count,
				 .is_known = on_known, .emit = agent_batch_emit, .arg = a,
				 .limits = {.slices = c->max_slices, .values = c->max_values,
					    .endpoints = c->requests.max_endpoints},
				 .path_share = c->min_path_share};

	for (unsigned i = 0; i < c->common_count; i++)
		m->tags[i] = (struct batch_tag){c->common[i].key, c->common[i].value.text};
	for (unsigned i = 0; i < c->tag_count; i++)
		m->keep[i] = c->tags[i];
	return fold_create(&o, &m->fold);
}

/* In 0.01 %, at least one of them: 0 would be all that it takes. */
static unsigned requests_budget(const struct agent_config *c, const struct budget_plan *plan)
{
	unsigned parts = c->budget_requests * 1e4 * plan->requests / 8;

	return parts ? parts : 1;
}

static int measuring_open(struct agent *a, bool exact, struct measuring *ret, char *text, size_t len)
{
	const struct agent_config *c = a->config;
	const struct budget_plan *plan = budget_plan(a->budget.level);
	unsigned rate = c->rate * plan->rate / 8;
	struct session_options o = {.sample = !exact, .no_samples = !exact && !rate, .metric = c->metric,
				    .rate = rate, .requests = &c->requests,
				    .budget = requests_budget(c, plan),
				    .max_nodes = c->max_paths ? c->max_paths + 1 : 0};
	int err;

	if (exact) {
		o.one_in = c->exact_one_in;
		o.endpoint = *c->exact_endpoint ? c->exact_endpoint : NULL;
	}
	*ret = (struct measuring){.exact = exact, .level = a->budget.level, .opened_ns = clock_ns()};
	err = fold_make(a, ret);
	if (err)
		snprintf(text, len, "cannot fold: %s", strerror(-err));
	else
		err = session_open(&o, fold_sink(ret->fold), &ret->session, text, len);
	if (err) {
		fold_free(ret->fold);
		*ret = (struct measuring){0};
	}
	return err;
}

/* ---- closing ---- */

static void status_add(struct session_status *sum, const struct session_status *st)
{
	sum->requests += st->requests;
	sum->samples += st->samples;
	sum->calls += st->calls;
	for (int i = 0; i < LOSS_MAX; i++)
		if (i != LOSS_MULTIPLEXED)
			sum->losses[i] += st->losses[i];
		else if (st->losses[i] > sum->losses[i])
			sum->losses[i] = st->losses[i];
}

/* The last of it goes into a batch; nothing is measured any more. */
static void measuring_finish(struct agent *a, struct measuring *m)
{
	struct session_status st;
	int err;

	if (!m->session)
		return;
	err = session_finish(m->session);
	if (err) {
		daemon_log(LOG_ERR, "measuring_failed", "why=\"%s\"", strerror(-err));
		fold_finish(m->fold);
	}
	session_status(m->session, &st);
	status_add(&a->closed, &st);
}

/* The kernel takes its time to let go. */
static void measuring_free(struct measuring *m)
{
	if (!m->session)
		return;
	session_close(m->session);
	fold_free(m->fold);
	*m = (struct measuring){0};
}

static void measuring_close(struct agent *a, struct measuring *m)
{
	measuring_finish(a, m);
	measuring_free(m);
}

void agent_session_end(struct agent *a)
{
	measuring_close(a, &a->now);
}

/* ---- processes ---- */

static void refusal_tell(pid_t pid, const char *why)
{
	char value[LOG_VALUE_SIZE];

	daemon_log_some(LOG_WARNING, "not_measured", "pid=%d why=%s", pid, daemon_log_value(value, why));
}

int agent_session_attach(void *arg, pid_t pid)
{
	struct agent *a = arg;
	struct interpreter in;
	char why[512] = "";
	int err;

	if (a->now.session) {
		err = session_attach(a->now.session, pid, why, sizeof(why));
		if (err && err != -ENOENT && err != -ESRCH)
			refusal_tell(pid, why);
		return err;
	}
	/* A session is worth opening for a Python only. */
	err = interpreter_find(pid, &in);
	if (err && err != -ENOENT && err != -ESRCH) {
		interpreter_explain(err, why, sizeof(why));
		rights_explain(err, RIGHTS_SAMPLE, why, sizeof(why));
		refusal_tell(pid, why);
	}
	if (err)
		return err;
	interpreter_clear(&in);
	a->wanted = true;
	return -EAGAIN;
}

/* ---- when ---- */

static bool is_exact_turn(const struct agent *a)
{
	uint64_t now_s = time(NULL);

	return a->config->exact_share > 0 && budget_plan(a->budget.level)->exact &&
	       now_s >= a->inexact_until_s &&
	       turn_is_exact(a->config->host, now_s, a->config->exact_window_s, a->config->exact_share);
}

static bool is_full(const struct agent *a, const struct session_status *st)
{
	unsigned most = a->config->max_paths ? a->config->max_paths : PATHS_DEFAULT;

	return st->paths > PATHS_FULL * most || st->followed > FOLLOWED_MOST;
}

/* Exact costs are a matter of turns. */
static bool plan_differs(const struct budget_plan *a, const struct budget_plan *b)
{
	return a->rate != b->rate || a->requests != b->requests || a->nothing != b->nothing;
}

/* Why the session is to be another one; NULL: it is not. */
static const char *renewal_reason(struct agent *a, uint64_t now)
{
	struct session_status st;

	if (a->renew)
		return "configuration";
	if (plan_differs(budget_plan(a->now.level), budget_plan(a->budget.level)))
		return "budget";
	if (a->now.exact != is_exact_turn(a))
		return "turn";
	if (now - a->now.opened_ns >= a->config->renew_s * NS)
		return "age";
	session_status(a->now.session, &st);
	if (now - a->now.opened_ns >= RENEW_LEAST_NS && is_full(a, &st))
		return "size";
	return NULL;
}

static void failed(struct agent *a, const char *why)
{
	unsigned wait_s = RETRY_FIRST_S << (a->failures < 6 ? a->failures : 6);
	char value[LOG_VALUE_SIZE];

	if (wait_s > RETRY_LAST_S)
		wait_s = RETRY_LAST_S;
	a->failures++;
	a->numbers.failed_sessions++;
	a->retry_ns = clock_ns() + wait_s * NS;
	snprintf(a->numbers.trouble, sizeof(a->numbers.trouble), "%s", why);
	daemon_log(LOG_ERR, "cannot_measure", "why=%s retry_s=%u", daemon_log_value(value, why), wait_s);
}

/* In a turn of exact costs nobody could be attached to: sampling is better than nothing. */
static void exact_check(struct agent *a)
{
	struct roster_status st;

	roster_status(a->roster, &st);
	if (!a->now.exact || st.attached || !st.refused)
		return;
	a->inexact_until_s = turn_end(time(NULL), a->config->exact_window_s);
	daemon_log(LOG_WARNING, "no_exact_costs", "refused=%u until=%llu", st.refused,
		  (unsigned long long)a->inexact_until_s);
}

static void prepare_one(void *arg, pid_t pid)
{
	struct measuring *m = arg;
	char why[512];

	/* What it cannot do for one is told when that is attached to. */
	session_prepare(m->session, pid, why, sizeof(why));
}

/* Made ready while the last one still measures. */
static int next_open(struct agent *a, struct measuring *next)
{
	bool exact = is_exact_turn(a);
	char why[512] = "";
	int err = measuring_open(a, exact, next, why, sizeof(why));

	if (err && exact) {
		a->inexact_until_s = turn_end(time(NULL), a->config->exact_window_s);
		err = measuring_open(a, false, next, why, sizeof(why));
	}
	if (err)
		failed(a, why);
	else
		roster_each(a->roster, prepare_one, next);
	return err;
}

static void begin(struct agent *a, const char *reason)
{
	struct measuring next, last = a->now;
	uint64_t before = clock_ns(), gap;
	struct session_status st;
	char value[LOG_VALUE_SIZE];

	a->renew = a->wanted = false;
	usage_once_begin(&a->usage);
	if (next_open(a, &next)) {
		measuring_close(a, &a->now);
		unwatched(a, true);
		a->wanted = true;
		usage_once_end(&a->usage);
		return;
	}
	gap = clock_ns();
	unwatched(a, true);
	measuring_finish(a, &last);
	a->now = next;
	roster_attach(a->roster, agent_session_attach, a);
	unwatched(a, false);
	gap = clock_ns() - gap;
	measuring_free(&last);
	malloc_trim(0);
	usage_once_end(&a->usage);
	a->failures = 0;
	*a->numbers.trouble = 0;
	a->numbers.sessions++;
	a->numbers.exact_turns += a->now.exact;
	a->budget.settling = true; /* what follows the opening is not what it is like */
	exact_check(a);
	session_status(a->now.session, &st);
	if (st.fallback_reason && a->numbers.sessions == 1)
		daemon_log(LOG_NOTICE, "metric", "metric=%s why=%s", metric_name(st.metric),
			  daemon_log_value(value, st.fallback_reason));
	daemon_log(LOG_INFO, "session",
		  "reason=%s mode=%s metric=%s processes=%u level=%u gap_ms=%.0f took_ms=%.0f", reason,
		  a->now.exact ? "exact" : "sampled", metric_name(st.metric), st.targets,
		  a->now.level, gap / 1e6, (clock_ns() - before) / 1e6);
}

void agent_session_look(struct agent *a, uint64_t now)
{
	struct roster_status st;
	const char *reason;

	if (budget_plan(a->budget.level)->nothing) {
		if (a->now.session)
			measuring_close(a, &a->now);
		if (!a->unwatched_since_ns)
			unwatched(a, true);
		a->wanted = true;
		return;
	}
	if (a->now.session) {
		reason = renewal_reason(a, now);
		if (!reason)
			return;
		roster_tidy(a->roster);
		roster_status(a->roster, &st);
		if (st.chosen) {
			begin(a, reason);
		} else {
			/* Nobody is left: the next one comes when somebody does. */
			measuring_close(a, &a->now);
			a->renew = false;
		}
		return;
	}
	if (a->wanted && now >= a->retry_ns)
		begin(a, "processes");
}

void agent_session_poll(struct agent *a, int timeout_ms)
{
	struct timespec pause = {timeout_ms / 1000, timeout_ms % 1000 * 1000000l};
	char value[LOG_VALUE_SIZE];
	struct session_status st;
	const char *note;
	int err;

	if (a->now.session)
		session_status(a->now.session, &st);
	if (!a->now.session || !st.duration_ns) { /* its time runs from the first process on */
		nanosleep(&pause, NULL);
		return;
	}
	err = session_poll(a->now.session, timeout_ms);
	while ((note = session_notice(a->now.session)))
		daemon_log_some(LOG_NOTICE, "notice", "text=%s", daemon_log_value(value, note));
	if (!err)
		return;
	measuring_close(a, &a->now);
	unwatched(a, true);
	a->wanted = true;
	failed(a, strerror(-err));
}

void agent_session_numbers(struct agent *a, struct board_numbers *n)
{
	struct session_status sum = a->closed, st = {0};

	if (a->now.session) {
		session_status(a->now.session, &st);
		status_add(&sum, &st);
	}
	n->measuring = a->now.session != NULL;
	n->exact = a->now.exact;
	n->requests = sum.requests;
	n->samples = sum.samples;
	n->calls = sum.calls;
	n->paths = st.paths;
	memcpy(n->losses, sum.losses, sizeof(n->losses));
	agent_unwatched_add(a, clock_ns());
	n->unwatched_s = a->unwatched_ns / 1e9;
}
