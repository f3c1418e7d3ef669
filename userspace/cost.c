/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "userspace/cost.h"
#include "userspace/estimate.h"
#include "userspace/saturate.h"

/* Far above any real correction, and sums of it still fit an int64. */
#define CORRECTION_MAX 0x1p61

/* Fewer calls than this say little about the cost of one. */
#define BOUND_CALLS 10000
/* The split is known less well than the sum: a node's own calls must be few. */
#define BOUND_OWN 20

/* What the probes add to one call, of the cost in question. */
struct overhead {
	double entry, exit;
	double entry_error, exit_error, total_error;
	double plain; /* an unprobed call: none costs less */
	bool is_bound; /* plain is known */
};

static struct overhead overhead_of(const struct sink_calibration *k, enum cost_of what)
{
	if (what == COST_KERNEL)
		return (struct overhead){k->kernel_entry, k->kernel_exit, k->kernel_entry_error,
					 k->kernel_exit_error, k->kernel_total_error, 0, true};
	return (struct overhead){k->entry, k->exit, k->entry_error, k->exit_error, k->total_error,
				 k->plain, k->plain > 0};
}

/* What a node's calls hold beyond that, in its own self and in its caller's. */
struct beyond {
	double self, caller;
	double self_error, caller_error;
};

static struct beyond beyond_of(const struct profile_node *n, const struct sink_calibration *k,
			       enum cost_of what)
{
	/* Of the two hits of a call, one takes half. */
	double hit = (k->kernel_entry + k->kernel_exit) / 2, hit_error = k->kernel_total_error / 2;

	if (what == COST_KERNEL)
		return (struct beyond){n->lone_self * hit, n->lone_caller * hit,
				       fabs((double)n->lone_self) * hit_error,
				       fabs((double)n->lone_caller) * hit_error};
	return (struct beyond){n->search_self, n->search_caller,
			       fabs((double)n->search_self) * k->search_error,
			       fabs((double)n->search_caller) * k->search_error};
}

static uint64_t raw_of(const struct profile_node *n, enum cost_of what)
{
	return what == COST_KERNEL ? n->kernel_raw : n->self_raw;
}

static const struct sink_calibration *calibration_of(const struct profile *p, size_t node)
{
	return profile_calibration(p, &p->processes[p->nodes[node].process]);
}

/*
 * The calls below a node and the raw cost they were part of give the bound.  Of
 * the node's own calls only the entries are in it: their exits are its caller's.
 */
static int scales_compute(const struct profile *p, enum cost_of what, struct costs *c)
{
	double *calls = calloc(p->node_count, sizeof(*calls));
	double *raw = calloc(p->node_count, sizeof(*raw));
	double *beyond = calloc(p->node_count, sizeof(*beyond));

	for (size_t i = p->node_count; calls && raw && beyond && --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		struct overhead o = overhead_of(k, what);
		struct beyond b = beyond_of(node, k, what);
		double added;

		raw[i] += raw_of(node, what);
		beyond[i] += b.self;
		added = calls[i] * (o.entry + o.exit) + node->calls * o.entry + beyond[i];
		if (calls[i] >= BOUND_CALLS && calls[i] / BOUND_OWN >= node->calls && added > 0 &&
		    o.is_bound) {
			double bound = (raw[i] - calls[i] * o.plain) / added;

			c->scale[k - p->calibrations] =
				fmin(c->scale[k - p->calibrations], fmax(bound, 0));
		}
		calls[node->parent] += calls[i] + node->calls;
		raw[node->parent] += raw[i];
		beyond[node->parent] += beyond[i] + b.caller;
	}
	free(calls);
	free(raw);
	free(beyond);
	return calls && raw && beyond ? 0 : -ENOMEM;
}

static void errors_compute(const struct profile *p, enum cost_of what, struct costs *c)
{
	for (size_t i = p->node_count; --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		struct overhead o = overhead_of(k, what);
		struct beyond b = beyond_of(node, k, what);
		double own = node->calls * o.entry_error + b.self_error;

		c->self_error[i] += own;
		c->self_error[node->parent] += node->calls * o.exit_error + b.caller_error;
		/* Until here: the calls below, each with both its parts. */
		c->cumulative_error[node->parent] += c->cumulative_error[i] +
						     node->calls * o.total_error + b.caller_error +
						     b.self_error;
		c->cumulative_error[i] += own;
	}
}

/* What the calibration takes out of each node, in the unit of the cost. */
static void corrections_compute(const struct profile *p, enum cost_of what, double *corrections,
				struct costs *c)
{
	for (size_t i = 1; i < p->node_count; i++) {
		const struct profile_node *node = &p->nodes[i];
		const struct sink_calibration *k = calibration_of(p, i);
		struct overhead o = overhead_of(k, what);
		struct beyond b = beyond_of(node, k, what);
		double scale = c->scale[k - p->calibrations];
		uint64_t *calls = &c->calibrated_calls[k - p->calibrations];

		corrections[i] += (node->calls * o.entry + b.self) * scale;
		corrections[node->parent] += (node->calls * o.exit + b.caller) * scale;
		c->searched[k - p->calibrations] += (b.self + b.caller) * scale;
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
static void costs_settle(const struct profile *p, enum cost_of what, const double *corrections,
			 struct costs *c, uint64_t *debts)
{
	for (size_t i = p->node_count; --i > 0;) {
		const struct profile_node *node = &p->nodes[i];
		uint64_t raw = raw_of(node, what);
		uint64_t debt = saturating_add(debts[i], debt_of(corrections[i]));
		uint64_t self = saturating_add(raw, bonus_of(corrections[i]));

		if (debt > self) {
			uint64_t *payer = node->parent ? &debts[node->parent] : &c->unpaid;

			*payer = saturating_add(*payer, debt - self);
			c->clamped++;
			debt = self;
		}
		c->self[i] = self - debt;
		c->cumulative[i] = saturating_add(c->cumulative[i], c->self[i]);
		c->cumulative_raw[i] = saturating_add(c->cumulative_raw[i], raw);
		c->cumulative[node->parent] =
			saturating_add(c->cumulative[node->parent], c->cumulative[i]);
		c->cumulative_raw[node->parent] =
			saturating_add(c->cumulative_raw[node->parent], c->cumulative_raw[i]);
	}
}

static void estimates_compute(const struct profile *p, struct costs *c)
{
	uint64_t period = p->meta.period, all = c->cumulative_raw[0] / period;

	for (size_t i = 1; i < p->node_count; i++) {
		c->self_error[i] = estimate_error(p->nodes[i].self_raw / period, all, period);
		c->cumulative_error[i] = estimate_error(c->cumulative_raw[i] / period, all, period);
	}
}

int costs_compute(const struct profile *p, enum cost_of what, bool raw, struct costs *ret)
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
	if (!raw && !p->meta.period) {
		err = scales_compute(p, what, &c);
		if (err)
			goto out;
		errors_compute(p, what, &c);
		corrections_compute(p, what, corrections, &c);
	}
	costs_settle(p, what, corrections, &c, debts);
	if (p->meta.period)
		estimates_compute(p, &c);
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
