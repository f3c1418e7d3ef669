/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/estimate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "userspace/text.h"

uint64_t estimate_cost(uint64_t n, uint64_t period)
{
	uint64_t cost;

	return __builtin_mul_overflow(n, period, &cost) ? UINT64_MAX : cost;
}

/* The standard error of n itself. */
static double count_error(uint64_t n, uint64_t all)
{
	/* Sums of foreign counts may have stayed at their top. */
	double p = n < all ? ((double)n + 1) / ((double)all + 2)
			   : ((double)all + 1) / ((double)all + 2);

	return sqrt(all * p * (1 - p));
}

double estimate_error(uint64_t n, uint64_t all, uint64_t period)
{
	return period * count_error(n, all);
}

double estimate_percent(uint64_t n, uint64_t all)
{
	return all ? 100.0 * n / all : 0;
}

double estimate_percent_error(uint64_t n, uint64_t all)
{
	return all ? 100 * count_error(n, all) / all : 0;
}

void estimate_count_text(char out[ESTIMATE_COUNT_SIZE], uint64_t count)
{
	char digits[24];
	size_t size = snprintf(digits, sizeof(digits), "%" PRIu64, count), used = 0;

	for (size_t i = 0; i < size; i++) {
		if (i && !((size - i) % 3))
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = 0;
}

void estimate_period_text(char *out, size_t size, const struct sink_meta *meta)
{
	bool time = meta->metric == METRIC_TASK_CLOCK;
	double rate = meta->period ? 1e9 / meta->period : 0;
	char amount[TEXT_AMOUNT_SIZE];

	text_amount(amount, meta->period, time, false);
	if (time)
		snprintf(out, size, "1 sample per %s on CPU (%.*f Hz)", amount, rate < 10 ? 1 : 0,
			 rate);
	else
		snprintf(out, size, "1 sample per %s %s", amount, metric_unit(meta->metric));
}
