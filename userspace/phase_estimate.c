/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/phase_estimate.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/confidence.h"

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

static double watched_in(const struct phase_times *t, uint32_t i)
{
	return (i + 1 < t->count ? t->size : t->filled) * (double)t->watched_ns / t->phases;
}

/* What the rate's variance makes of the sum's: a phase's own time is no estimate. */
static double leverage(const struct phase_times *t, uint32_t i)
{
	return t->batches[i] * fmax(t->batches[i] - watched_in(t, i), 0);
}

static bool has_gap(const struct phase_times *t, uint32_t i)
{
	return t->batches[i] > 1.4 * watched_in(t, i);
}

static double rate(const struct phase_times *t, const struct phase_sum *s, uint32_t i)
{
	return s->batches[i] / t->batches[i];
}

/* The next in that direction, or the next that stands for a gap, too; -1: there is none. */
static int64_t neighbour(const struct phase_times *t, int64_t i, int step, bool any)
{
	do
		i += step;
	while (i >= 0 && i < t->count && !any && !has_gap(t, i));
	return i < t->count ? i : -1;
}

/*
 * Of its rate, as its neighbours differ from it: what goes up and down slowly, phases follow.
 * In those without a gap probes may be on, so they are asked only where there are no others.
 */
static double rate_variance(const struct phase_times *t, const struct phase_sum *s, uint32_t i)
{
	bool any = neighbour(t, i, -1, false) < 0 && neighbour(t, i, 1, false) < 0;
	double sum = 0;
	int n = 0;

	for (int step = -1; step <= 1; step += 2) {
		int64_t beside = neighbour(t, i, step, any);

		if (beside < 0)
			continue;
		sum += pow(rate(t, s, i) - rate(t, s, beside), 2) / 2;
		n++;
	}
	return n ? sum / n : 0;
}

double phase_sum_variance(const struct phase_times *t, const struct phase_sum *s)
{
	double between = 0;

	if (phase_share(t) == 1)
		return 0;
	for (uint32_t i = 0; i < t->count; i++)
		between += leverage(t, i) * rate_variance(t, s, i);
	return fmax(between, s->chance);
}

/* Of batches that stand for as much each, their number: a few that stand for most are few. */
static double batches_like(const struct phase_times *t)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < t->count; i++) {
		sum += leverage(t, i);
		squares += pow(leverage(t, i), 2);
	}
	return squares > 0 ? sum * sum / squares : t->count;
}

double phase_sum_error(const struct phase_times *t, const struct phase_sum *s)
{
	double all = (double)t->gap_ns + t->watched_ns;

	if (phase_share(t) == 1)
		return 0;
	if (t->count < 2)
		return all > 0 ? fmax(sqrt(s->chance), s->sum * t->gap_ns / all) : 0;
	return sqrt(phase_sum_variance(t, s)) *
	       student_factor(fmax(round(batches_like(t)) - 1, 1));
}
