/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/budget.h"

#define PATIENCE_FIRST 30 /* looks: five minutes */
#define PATIENCE_MAX 360
/* A step up may double what is spent. */
#define ROOM 0.45

static const struct budget_plan plans[BUDGET_LEVELS] = {
	{.exact = true, .rate = 8, .requests = 8, .what = "all that is configured"},
	{.rate = 8, .requests = 8, .what = "no exact costs"},
	{.rate = 4, .requests = 8, .what = "no exact costs, half of the samples"},
	{.rate = 2, .requests = 8, .what = "no exact costs, a quarter of the samples"},
	{.rate = 2, .requests = 4, .what = "a quarter of the samples, requests for half"},
	{.rate = 1, .requests = 2, .what = "an eighth of the samples, requests for a quarter"},
	{.requests = 1, .what = "no samples, requests for an eighth"},
	{.nothing = true, .what = "nothing"},
};

const struct budget_plan *budget_plan(unsigned level)
{
	return &plans[level < BUDGET_LEVELS ? level : BUDGET_LEVELS - 1];
}

void budget_init(struct budget *b)
{
	*b = (struct budget){.patience = PATIENCE_FIRST};
}

static int step_down(struct budget *b)
{
	b->exceeded++;
	b->calm = 0;
	if (b->settling) {
		b->settling = false;
		return 0;
	}
	if (b->level == BUDGET_LEVELS - 1)
		return 0;
	/* The last step up was too much: it is not tried again so soon. */
	if (b->since_up && b->since_up <= b->patience)
		b->patience = b->patience * 2 < PATIENCE_MAX ? b->patience * 2 : PATIENCE_MAX;
	b->since_up = 0;
	b->level++;
	b->downs++;
	b->settling = true;
	return -1;
}

int budget_look(struct budget *b, const struct budget_limits *limits, double host, double targets)
{
	if (b->since_up)
		b->since_up++;
	if (host > limits->host || targets > limits->targets)
		return step_down(b);
	b->settling = false;
	b->calm = host < ROOM * limits->host && targets < ROOM * limits->targets ? b->calm + 1 : 0;
	if (!b->level || b->calm < b->patience)
		return 0;
	b->level--;
	b->ups++;
	b->calm = 0;
	b->since_up = 1;
	b->settling = true;
	return 1;
}
