/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/phase_estimate.h"

#include <math.h>
#include <string.h>

static void merge(double *batches)
{
	for (int i = 0; i < PHASE_BATCHES / 2; i++)
		batches[i] = batches[2 * i] + batches[2 * i + 1];
	memset(batches + PHASE_BATCHES / 2, 0, PHASE_BATCHES / 2 * sizeof(*batches));
}

void phase_sum_merge(struct phase_sum *s)
{
	merge(s->batches);
}

int phase_times_add(struct phase_times *t, uint64_t gap_ns, uint64_t watched_ns)
{
	int merged = 0;

	if (!t->count || t->filled == t->size) {
		if (t->count == PHASE_BATCHES) {
			merge(t->batches);
			t->count /= 2;
			t->size *= 2;
			merged = 1;
		}
		t->size += !t->size;
		t->count++;
		t->filled = 0;
	}
	t->filled++;
	t->phases++;
	t->gap_ns += gap_ns;
	t->watched_ns += watched_ns;
	t->batches[t->count - 1] += (double)gap_ns + watched_ns;
	return merged;
}

double phase_weight(uint64_t gap_ns, uint64_t watched_ns)
{
	return ((double)gap_ns + watched_ns) / watched_ns;
}

void phase_sum_add(const struct phase_times *t, struct phase_sum *s, double weight, double sum,
		   double squares)
{
	s->sum += weight * sum;
	s->chance += weight * (weight - 1) * squares;
	s->batches[t->count - 1] += weight * sum;
}

void phase_sum_join(struct phase_sum *ret, const struct phase_sum *s)
{
	ret->sum += s->sum;
	ret->chance += s->chance;
	for (int i = 0; i < PHASE_BATCHES; i++)
		ret->batches[i] += s->batches[i];
}

double phase_share(const struct phase_times *t)
{
	double all = (double)t->gap_ns + t->watched_ns + t->tail_ns;

	return all > 0 ? t->watched_ns / all : 1;
}

double phase_sum_error(const struct phase_times *t, const struct phase_sum *s)
{
	double all = (double)t->gap_ns + t->watched_ns, between = 0, n = t->count, before = 0;

	if (phase_share(t) == 1)
		return 0;
	/* Of neighbours: what goes up and down slowly, the phases follow. */
	for (uint32_t i = 0; i < t->count; i++) {
		double off = s->batches[i] - s->sum * t->batches[i] / all;

		if (i)
			between += (off - before) * (off - before) / 2;
		before = off;
	}
	between *= n > 1 ? n / (n - 1) * (1 - phase_share(t)) : 0;
	return sqrt(fmax(between, s->chance));
}
