/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/measuring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/agent/budget.h"
#include "userspace/clock.h"

static int fold_make(const struct measuring_options *m, struct measuring *to)
{
	const struct agent_config *c = m->config;
	struct fold_options o = {.sender = c->host, .tags = to->tags, .tag_count = c->common_count,
				 .process = m->process, .keep = to->keep, .keep_count = c->tag_count,
				 .is_known = m->is_known, .emit = m->emit, .arg = m->arg,
				 .limits = {.slices = c->max_slices, .values = c->max_values,
					    .endpoints = c->requests.max_endpoints},
				 .path_share = c->min_path_share};

	for (unsigned i = 0; i < c->common_count; i++)
		to->tags[i] = (struct batch_tag){c->common[i].key, c->common[i].value.text};
	for (unsigned i = 0; i < c->tag_count; i++)
		to->keep[i] = c->tags[i];
	return fold_create(&o, &to->fold);
}

/* In 0.01 %, at least one of them: 0 would be all that it takes. */
static unsigned requests_budget(const struct agent_config *c, const struct budget_plan *plan)
{
	unsigned parts = c->budget_requests * 1e4 * plan->requests / 8;

	return parts ? parts : 1;
}

static int session_make(const struct measuring_options *m, struct measuring *to, char *text, size_t len)
{
	const struct agent_config *c = m->config;
	const struct budget_plan *plan = budget_plan(m->level);
	unsigned rate = c->rate * plan->rate / 8;
	struct session_options o = {.sample = !m->exact, .no_samples = !m->exact && !rate,
				    .metric = c->metric, .rate = rate, .requests = &c->requests,
				    .budget = requests_budget(c, plan),
				    .max_nodes = c->max_paths ? c->max_paths + 1 : 0};

	if (m->exact) {
		o.one_in = c->exact_one_in;
		o.endpoint = *c->exact_endpoint ? c->exact_endpoint : NULL;
	}
	return session_open(&o, fold_sink(to->fold), &to->session, text, len);
}

int measuring_open(const struct measuring_options *o, struct measuring **ret, char *text, size_t len)
{
	struct measuring *m = calloc(1, sizeof(*m));
	int err = m ? 0 : -ENOMEM;

	if (m) {
		m->exact = o->exact;
		m->level = o->level;
		m->opened_ns = clock_ns();
		err = fold_make(o, m);
	}
	if (err)
		snprintf(text, len, "cannot fold: %s", strerror(-err));
	else
		err = session_make(o, m, text, len);
	if (err) {
		measuring_free(m);
		return err;
	}
	*ret = m;
	return 0;
}

void measuring_free(struct measuring *m)
{
	if (!m)
		return;
	session_close(m->session);
	fold_free(m->fold);
	free(m);
}
