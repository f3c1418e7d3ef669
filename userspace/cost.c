/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "userspace/cost.h"
#include "userspace/saturate.h"

/* Far above any real correction, and sums of it still fit an int64. */
#define CORRECTION_MAX 0x1p61

/* Fewer calls than this say little about the cost of one. */
#define BOUND_CALLS 10000
/* The split is known less well than the sum: a node's own calls must be few. */
#define BOUND_OWN 20

static const struct sink_calibration *calibration_of(const struct profile *p, size_t node)
{
	return profile_calibration(p, &p->processes[p->nodes[node].process]);
}

/*
 * The calls below a node and the raw cost they were part of give the bound.  Of
 * the node's own calls only the entries are in it: their exits are its caller's.
 */
static int scales_compute(const struct profile *p, struct costs *c)
{
	double *calls = calloc(p->node_count, sizeof(*calls));
	double *raw = calloc(p->node_count, sizeof(*raw));
	double *search = calloc(p->node_count, sizeof(*search));

	for (size_t i = p->node_count; calls && raw && search && --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		double added;

		raw[i] += node->self_raw;
		search[i] += node->search_self;
		added = calls[i] * (k->entry + k->exit) + node->calls * k->entry + search[i];
		if (calls[i] >= BOUND_CALLS && calls[i] / BOUND_OWN >= node->calls && added > 0 &&
		    k->plain > 0) {
			double bound = (raw[i] - calls[i] * k->plain) / added;

			c->scale[k - p->calibrations] =
				fmin(c->scale[k - p->calibrations], fmax(bound, 0));
		}
		calls[node->parent] += calls[i] + node->calls;
		raw[node->parent] += raw[i];
		search[node->parent] += search[i] + node->search_caller;
	}
	free(calls);
	free(raw);
	free(search);
	return calls && raw && search ? 0 : -ENOMEM;
}

static void errors_compute(const struct profile *p, struct costs *c)
{
	for (size_t i = p->node_count; --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		double own = node->calls * k->entry_error +
			     fabs((double)node->search_self) * k->search_error;
		double callers = fabs((double)node->search_caller) * k->search_error;

		c->self_error[i] += own;
		c->self_error[node->parent] += node->calls * k->exit_error + callers;
		/* Until here: the calls below, each with both its parts. */
		c->cumulative_error[node->parent] +=
			c->cumulative_error[i] + node->calls * k->total_error + callers +
			fabs((double)node->search_self) * k->search_error;
		c->cumulative_error[i] += own;
	}
}

/* What the calibration takes out of each node, in the metric's unit. */
static void corrections_compute(const struct profile *p, double *corrections, struct costs *c)
{
	for (size_t i = 1; i < p->node_count; i++) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		double scale = c->scale[k - p->calibrations];
		uint64_t *calls = &c->calibrated_calls[k - p->calibrations];

		corrections[i] += (node->calls * k->entry + node->search_self) * scale;
		corrections[node->parent] += (node->calls * k->exit + node->search_caller) * scale;
		c->searched[k - p->calibrations] +=
			((double)node->search_self + node->search_caller) * scale;
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
		.self_error = calloc(p->node_count, sizeof(double)),
		.cumulative_error = calloc(p->node_count, sizeof(double)),
		.scale = calloc(p->calibration_count, sizeof(double)),
		.calibrated_calls = calloc(p->calibration_count, sizeof(uint64_t)),
		.searched = calloc(p->calibration_count, sizeof(double)),
	};
	double *corrections = calloc(p->node_count, sizeof(*corrections));
	uint64_t *debts = calloc(p->node_count, sizeof(*debts));
	int err = 0;

	if (!c.self || !c.cumulative || !c.cumulative_raw || !c.self_error ||
	    !c.cumulative_error || !c.scale || !c.calibrated_calls || !c.searched ||
	    !corrections || !debts) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < p->calibration_count; i++)
		c.scale[i] = 1;
	if (!raw) {
		err = scales_compute(p, &c);
		if (err)
			goto out;
		errors_compute(p, &c);
		corrections_compute(p, corrections, &c);
	}
	costs_settle(p, corrections, &c, debts);
	*ret = c;
out:
	if (err)
		costs_free(&c);
	free(corrections);
	free(debts);
	return err;
}

void costs_free(struct costs *c)
{
	free(c->self);
	free(c->cumulative);
	free(c->cumulative_raw);
	free(c->self_error);
	free(c->cumulative_error);
	free(c->scale);
	free(c->calibrated_calls);
	free(c->searched);
	*c = (struct costs){ 0 };
}
