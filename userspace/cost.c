/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "userspace/cost.h"
#include "userspace/saturate.h"

/* Far above any real correction, and sums of it still fit an int64. */
#define CORRECTION_MAX 0x1p61

/* What the calibration takes out of each node, in the metric's unit. */
static void corrections_compute(const struct profile *p, double *corrections,
				uint64_t *calibrated_calls)
{
	for (size_t i = 1; i < p->node_count; i++) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *calibration =
			profile_calibration(p, &p->processes[node->process]);
		uint64_t *calls = &calibrated_calls[calibration - p->calibrations];

		corrections[i] += node->calls * calibration->entry;
		corrections[node->parent] += node->calls * calibration->exit;
		*calls = saturating_add(*calls, node->calls);
	}
}

static uint64_t debt_of(double correction)
{
	return correction > 0 ? llround(fmin(correction, CORRECTION_MAX)) : 0;
}

static uint64_t bonus_of(double correction)
{
	return correction < 0 ? llround(fmin(-correction, CORRECTION_MAX)) : 0;
}

/*
 * Children have higher ids than their parents, so one pass from the last node
 * to the first sees every child's debt and cost before the node itself.
 */
static void costs_settle(const struct profile *p, const double *corrections, struct costs *c,
			 uint64_t *debts)
{
	for (size_t i = p->node_count; --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		uint64_t debt = saturating_add(debts[i], debt_of(corrections[i]));
		uint64_t self = saturating_add(node->self_raw, bonus_of(corrections[i]));

		if (debt > self) {
			uint64_t *payer = node->parent ? &debts[node->parent] : &c->unpaid;

			*payer = saturating_add(*payer, debt - self);
			c->clamped++;
			debt = self;
		}
		c->self[i] = self - debt;
		c->cumulative[i] = saturating_add(c->cumulative[i], c->self[i]);
		c->cumulative_raw[i] = saturating_add(c->cumulative_raw[i], node->self_raw);
		c->cumulative[node->parent] =
			saturating_add(c->cumulative[node->parent], c->cumulative[i]);
		c->cumulative_raw[node->parent] =
			saturating_add(c->cumulative_raw[node->parent], c->cumulative_raw[i]);
	}
}

int costs_compute(const struct profile *p, bool raw, struct costs *ret)
{
	struct costs c = {
		.self = calloc(p->node_count, sizeof(uint64_t)),
		.cumulative = calloc(p->node_count, sizeof(uint64_t)),
		.cumulative_raw = calloc(p->node_count, sizeof(uint64_t)),
		.calibrated_calls = calloc(p->calibration_count, sizeof(uint64_t)),
	};
	double *corrections = calloc(p->node_count, sizeof(*corrections));
	uint64_t *debts = calloc(p->node_count, sizeof(*debts));
	int err = 0;

	if (!c.self || !c.cumulative || !c.cumulative_raw || !c.calibrated_calls ||
	    !corrections || !debts) {
		costs_free(&c);
		err = -ENOMEM;
		goto out;
	}
	if (!raw)
		corrections_compute(p, corrections, c.calibrated_calls);
	costs_settle(p, corrections, &c, debts);
	*ret = c;
out:
	free(corrections);
	free(debts);
	return err;
}

void costs_free(struct costs *c)
{
	free(c->self);
	free(c->cumulative);
	free(c->cumulative_raw);
	free(c->calibrated_calls);
	*c = (struct costs){ 0 };
}
