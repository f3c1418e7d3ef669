/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A minute of a service, drawn sample by sample and request by request. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fleet/simulator/fleet_service.h"
#include "userspace/histogram.h"

const char *const service_statuses[SERVICE_STATUSES] = {"200", "404", "500"};
static const double status_shares[SERVICE_STATUSES] = {0.965, 0.03, 0.005};

/* Samples by node; what is below `least` counts for its caller, as an agent would have it. */
#define LEAST_SAMPLES 3

static uint32_t node_hit(const struct service *s, double where)
{
	uint32_t low = 0, high = s->node_count - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s->nodes[middle].weight < where)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int path_costs(const struct service *s, struct service_pattern *p, const uint32_t *hits,
		      uint64_t period)
{
	uint32_t *kept = malloc(s->node_count * sizeof(*kept));

	p->path_costs = calloc(s->node_count, sizeof(*p->path_costs));
	if (!kept || !p->path_costs) {
		free(kept);
		return -ENOMEM;
	}
	memcpy(kept, hits, s->node_count * sizeof(*kept));
	/* Callers come before those whom they call. */
	for (uint32_t i = s->node_count; i-- > 0;) {
		const struct service_node *n = &s->nodes[i];

		if (kept[i] < LEAST_SAMPLES && n->parent != UINT32_MAX)
			kept[n->parent] += kept[i];
		else if (kept[i])
			p->path_costs[p->path_cost_count++] = (struct batch_path_cost){
				.slice = SERVICE_SLICE(n->endpoint), .path = s->paths[i].id,
				.samples = kept[i], .self = kept[i] * period};
	}
	free(kept);
	return 0;
}

/* By endpoint and function: an endpoint's nodes are side by side. */
static int function_costs(const struct service *s, struct service_pattern *p, const uint32_t *hits,
			  uint64_t period)
{
	uint32_t *below = malloc(s->node_count * sizeof(*below));
	uint32_t *row = calloc(s->function_count, sizeof(*row)), endpoint = UINT32_MAX, first = 0;

	p->costs = calloc(s->node_count, sizeof(*p->costs));
	if (!below || !row || !p->costs) {
		free(below);
		free(row);
		return -ENOMEM;
	}
	memcpy(below, hits, s->node_count * sizeof(*below));
	for (uint32_t i = s->node_count; i-- > 0;)
		if (s->nodes[i].parent != UINT32_MAX)
			below[s->nodes[i].parent] += below[i];
	for (uint32_t i = 0; i < s->node_count; i++) {
		const struct service_node *n = &s->nodes[i];
		struct batch_cost *c;

		if (n->endpoint != endpoint) {
			endpoint = n->endpoint;
			first = p->cost_count + 1;
		}
		if (!below[i])
			continue;
		if (row[n->function] < first) {
			p->costs[p->cost_count] = (struct batch_cost){
				.slice = SERVICE_SLICE(endpoint),
				.function = s->functions[n->function].id};
			row[n->function] = ++p->cost_count;
		}
		c = &p->costs[row[n->function] - 1];
		c->samples += hits[i];
		c->self += hits[i] * period;
		c->self_variance = (double)c->samples * period * period;
		if (n->outermost) {
			c->cumulative += below[i] * period;
			c->cumulative_variance += (double)below[i] * period * period;
		}
	}
	free(below);
	free(row);
	return 0;
}

static double spread(uint64_t *random, double median, double sigma)
{
	double a = fleet_even(random), b = fleet_even(random);

	return median * exp(sigma * sqrt(-2 * log(a)) * cos(2 * M_PI * b));
}

static int draw_request(struct batch_requests *r, struct histogram *h, uint32_t endpoint,
			uint64_t *random)
{
	static const unsigned measured[REQUEST_DISTRIBUTIONS] = {REQUEST_COST, REQUEST_LATENCY,
								 REQUEST_CPU};
	double cost = spread(random, 2e6 * (1 + endpoint % 17), 0.4);
	uint64_t values[REQUEST_DISTRIBUTIONS] = {cost, cost / 2.5 + spread(random, 2e6, 0.8),
						  cost / 3};
	int err = 0;

	r->count++;
	for (unsigned d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		r->sums[measured[d]] += values[d];
		r->squares[measured[d]] += (double)values[d] * values[d];
		if (!err)
			err = histogram_add(&h[d], values[d]);
	}
	r->sums[REQUEST_BYTES_OUT] += 2000 + endpoint * 100;
	r->squares[REQUEST_BYTES_OUT] += pow(2000 + endpoint * 100, 2);
	return err;
}

static int requests(const struct fleet_options *o, const struct service *s,
		    struct service_pattern *p, uint64_t *random)
{
	double each = (double)o->workers * o->requests_per_worker / s->endpoint_count;
	int err = 0;

	p->requests = calloc((size_t)s->endpoint_count * SERVICE_STATUSES, sizeof(*p->requests));
	if (!p->requests)
		return -ENOMEM;
	for (uint32_t e = 0; e < s->endpoint_count; e++)
		for (unsigned i = 0; i < SERVICE_STATUSES && !err; i++) {
			struct batch_requests *r = &p->requests[p->request_count];
			struct histogram h[REQUEST_DISTRIBUTIONS] = {0};
			uint32_t n = each * status_shares[i] * (0.8 + 0.4 * fleet_even(random)) +
				     fleet_even(random);

			r->slice = SERVICE_REQUEST_SLICE(s, e, i);
			for (uint32_t k = 0; k < n && !err; k++)
				err = draw_request(r, h, e, random);
			r->estimate = r->count;
			p->totals.requests += r->count;
			p->totals.request_cost += r->sums[REQUEST_COST];
			for (unsigned d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
				r->bins[d] = h[d].bins; /* freed with the pattern */
				r->bin_counts[d] = h[d].count;
				p->totals.bins += h[d].count;
			}
			p->request_count += n > 0;
		}
	return err;
}

static int pattern(const struct fleet_options *o, const struct service *s,
		   struct service_pattern *p, uint64_t *random)
{
	double all = s->nodes[s->node_count - 1].weight;
	uint32_t *hits = calloc(s->node_count, sizeof(*hits));
	uint64_t n = (uint64_t)o->workers * o->samples_per_worker * (0.8 + 0.4 * fleet_even(random));
	int err = hits ? 0 : -ENOMEM;

	for (uint64_t i = 0; hits && i < n; i++)
		hits[node_hit(s, fleet_even(random) * all)]++;
	if (!err)
		err = path_costs(s, p, hits, o->period);
	if (!err)
		err = function_costs(s, p, hits, o->period);
	if (!err)
		err = requests(o, s, p, random);
	p->totals.batches = 1;
	p->totals.samples = n;
	p->totals.self = n * o->period;
	p->totals.cost_rows = p->cost_count;
	p->totals.path_rows = p->path_cost_count;
	p->totals.request_rows = p->request_count;
	free(hits);
	return err;
}

int service_patterns(const struct fleet_options *o, struct service *s, uint64_t *random)
{
	int err = 0;

	s->patterns = calloc(o->patterns, sizeof(*s->patterns));
	if (!s->patterns)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->patterns && !err; i++)
		err = pattern(o, s, &s->patterns[i], random);
	return err;
}
