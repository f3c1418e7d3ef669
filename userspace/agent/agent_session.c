/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The session that measures now, and the next one. */
#include <errno.h>
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

static void options_make(struct agent *a, bool exact, struct measuring_options *ret)
{
	*ret = (struct measuring_options){.config = a->config, .exact = exact,
					  .level = a->budget.level, .process = on_process,
					  .is_known = on_known, .emit = agent_batch_emit, .arg = a};
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

/* The last of it goes into a batch; nothing is measured any more. It is to be freed. */
static struct measuring *measuring_finish(struct agent *a)
{
	struct measuring *m = a->now;
	struct session_status st;
	int err;

	if (!m)
		return NULL;
	a->now = NULL;
	err = session_finish(m->session);
	if (err) {
		daemon_log(LOG_ERR, "measuring_failed", "why=\"%s\"", strerror(-err));
		fold_finish(m->fold);
	}
	session_status(m->session, &st);
	status_add(&a->closed, &st);
	return m;
}

/* NULL: nothing. */
static void drop(struct agent *a, struct measuring *m)
{
	workshop_drop(a->workshop, m);
	if (m && workshop_state(a->workshop) != WORKSHOP_IDLE && !a->usage.beside)
		usage_beside_begin(&a->usage);
}

static void measuring_close(struct agent *a)
{
	drop(a, measuring_finish(a));
}

void agent_session_end(struct agent *a)
{
	measuring_free(measuring_finish(a));
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

	if (a->now) {
		err = session_attach(a->now->session, pid, why, sizeof(why));
		agent_alive(a);
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

	if (plan_differs(budget_plan(a->now->level), budget_plan(a->budget.level)))
		return "budget";
	if (a->now->exact != is_exact_turn(a))
		return "turn";
	if (now - a->now->opened_ns >= a->config->renew_s * NS)
		return "age";
	session_status(a->now->session, &st);
	if (now - a->now->opened_ns >= RENEW_LEAST_NS && is_full(a, &st))
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
	if (!a->now->exact || st.attached || !st.refused)
		return;
	a->inexact_until_s = turn_end(time(NULL), a->config->exact_window_s);
	daemon_log(LOG_WARNING, "no_exact_costs", "refused=%u until=%llu", st.refused,
		  (unsigned long long)a->inexact_until_s);
}

/* ---- from one to the next ---- */

struct pids {
	pid_t *v;
	size_t n, room;
};

static void pid_add(void *arg, pid_t pid)
{
	struct pids *to = arg;

	if (to->n < to->room)
		to->v[to->n++] = pid;
}

/* The next session is made ready while the last one, if there is one, still measures. */
static void next_order(struct agent *a, const char *reason)
{
	struct measuring_options o;
	struct roster_status st;
	struct pids pids;
	int err;

	a->wanted = false;
	a->reason = reason;
	if (!a->now)
		unwatched(a, true);
	roster_status(a->roster, &st);
	pids = (struct pids){.v = calloc(st.chosen + 1, sizeof(pid_t)), .room = st.chosen};
	if (pids.v)
		roster_each(a->roster, pid_add, &pids);
	options_make(a, is_exact_turn(a), &o);
	err = pids.v ? workshop_open(a->workshop, &o, pids.v, pids.n) : -ENOMEM;
	free(pids.v);
	if (err) {
		a->wanted = true;
		failed(a, strerror(-err));
	} else {
		usage_beside_begin(&a->usage);
	}
}

static void next_failed(struct agent *a, const char *why)
{
	measuring_close(a);
	unwatched(a, true);
	a->wanted = true;
	failed(a, why);
}

static void begun_tell(struct agent *a, const struct workshop_work *w, uint64_t gap_ns)
{
	char value[LOG_VALUE_SIZE];
	struct session_status st;

	session_status(a->now->session, &st);
	if (st.fallback_reason && a->numbers.sessions == 1)
		daemon_log(LOG_NOTICE, "metric", "metric=%s why=%s", metric_name(st.metric),
			  daemon_log_value(value, st.fallback_reason));
	daemon_log(LOG_INFO, "session",
		  "reason=%s mode=%s metric=%s processes=%u level=%u gap_ms=%.0f took_ms=%.0f", a->reason,
		  a->now->exact ? "exact" : "sampled", metric_name(st.metric), st.targets,
		  a->now->level, gap_ns / 1e6, (clock_ns() - w->began_ns) / 1e6);
}

static void next_begin(struct agent *a, const struct workshop_work *w)
{
	uint64_t gap = clock_ns();
	struct measuring *last;

	unwatched(a, true);
	usage_once_begin(&a->usage);
	last = measuring_finish(a);
	a->now = w->made;
	a->wanted = false;
	roster_attach(a->roster, agent_session_attach, a);
	unwatched(a, false);
	gap = clock_ns() - gap;
	usage_once_end(&a->usage);
	usage_opened(&a->usage, !last);
	drop(a, last);
	a->failures = 0;
	*a->numbers.trouble = 0;
	a->numbers.sessions++;
	a->numbers.exact_turns += a->now->exact;
	exact_check(a);
	begun_tell(a, w, gap);
}

/* What the workshop was at, when it is done. */
static void work_take(struct agent *a)
{
	struct roster_status st;
	struct workshop_work w;

	workshop_take(a->workshop, &w);
	usage_beside_end(&a->usage);
	if (!w.opening)
		return;
	if (w.fell_back)
		a->inexact_until_s = turn_end(time(NULL), a->config->exact_window_s);
	if (!w.made) {
		next_failed(a, w.why);
		return;
	}
	roster_tidy(a->roster);
	roster_status(a->roster, &st);
	if (st.chosen && !budget_plan(a->budget.level)->nothing) {
		next_begin(a, &w);
		return;
	}
	/* Nobody is left: the next one comes when somebody does. */
	measuring_close(a);
	drop(a, w.made);
	unwatched(a, st.chosen);
}

void agent_session_look(struct agent *a, uint64_t now)
{
	struct roster_status st;
	const char *reason;

	if (workshop_state(a->workshop) == WORKSHOP_DONE)
		work_take(a);
	if (budget_plan(a->budget.level)->nothing) {
		measuring_close(a);
		unwatched(a, true);
		a->wanted = true;
		return;
	}
	if (workshop_state(a->workshop) != WORKSHOP_IDLE)
		return;
	if (!a->now) {
		if (a->wanted && now >= a->retry_ns)
			next_order(a, "processes");
		return;
	}
	reason = renewal_reason(a, now);
	if (!reason)
		return;
	roster_tidy(a->roster);
	roster_status(a->roster, &st);
	if (st.chosen)
		next_order(a, reason);
	else
		measuring_close(a);
}

void agent_session_poll(struct agent *a, int timeout_ms)
{
	struct timespec pause = {timeout_ms / 1000, timeout_ms % 1000 * 1000000l};
	char value[LOG_VALUE_SIZE];
	struct session_status st;
	const char *note;
	int err;

	if (a->now)
		session_status(a->now->session, &st);
	if (!a->now || !st.duration_ns) { /* its time runs from the first process on */
		nanosleep(&pause, NULL);
		return;
	}
	err = session_poll(a->now->session, timeout_ms);
	while ((note = session_notice(a->now->session)))
		daemon_log_some(LOG_NOTICE, "notice", "text=%s", daemon_log_value(value, note));
	if (!err)
		return;
	next_failed(a, strerror(-err));
}

void agent_session_numbers(struct agent *a, struct board_numbers *n)
{
	struct session_status sum = a->closed, st = {0};

	if (a->now) {
		session_status(a->now->session, &st);
		status_add(&sum, &st);
	}
	n->measuring = a->now != NULL;
	n->exact = a->now && a->now->exact;
	n->requests = sum.requests;
	n->samples = sum.samples;
	n->calls = sum.calls;
	n->paths = st.paths;
	memcpy(n->losses, sum.losses, sizeof(n->losses));
	agent_unwatched_add(a, clock_ns());
	n->unwatched_s = a->unwatched_ns / 1e9;
}
