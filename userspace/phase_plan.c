/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/phase_plan.h"

#include <stdlib.h>

/* What was not spent is kept, but no more than is earned in so long. */
#define KEEP_NS 10e9
/* Less is not worth to let go for; more is as good as not to watch. */
#define GAP_MIN_NS 250e6
#define GAP_MAX_NS 600e9
/* Served processes are taken to be busy for that part of one CPU's time, at the least. */
#define LEAST 0.5
/* The weight of what is new. */
#define SMOOTH 0.3

unsigned budget_parse(const char *percent)
{
	char *end;
	double value = strtod(percent, &end);

	if (*end || end == percent || !(value >= 0.01 && value <= 100))
		return 0;
	return value * (BUDGET_UNIT / 100) + 0.5;
}

void phase_plan_init(struct phase_plan *p, unsigned budget)
{
	*p = (struct phase_plan){.budget = budget, .rate = LEAST};
}

static double earned(const struct phase_plan *p, double ns)
{
	return ns * p->budget / BUDGET_UNIT;
}

void phase_plan_earn(struct phase_plan *p, uint64_t wall_ns, uint64_t cpu_ns)
{
	double most = cpu_ns > LEAST * wall_ns ? cpu_ns : LEAST * wall_ns;

	if (!wall_ns)
		return;
	p->balance += earned(p, most);
	p->rate += SMOOTH * (most / wall_ns - p->rate);
	if (p->balance > earned(p, KEEP_NS * p->rate))
		p->balance = earned(p, KEEP_NS * p->rate);
}

void phase_plan_spend(struct phase_plan *p, double cost_ns)
{
	p->balance -= cost_ns;
}

uint64_t phase_plan_gap(const struct phase_plan *p, uint32_t random)
{
	double ns;

	if (p->balance >= 0)
		return 0;
	ns = -p->balance / earned(p, p->rate);
	if (ns < GAP_MIN_NS)
		return 0;
	/* Half of it to one and a half. */
	ns *= 0.5 + random / 4294967296.0;
	return ns < GAP_MAX_NS ? ns : GAP_MAX_NS;
}
