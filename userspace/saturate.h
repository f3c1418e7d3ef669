/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of foreign numbers: stay at the top instead of wrapping to a small lie. */
#ifndef PYCOST_SATURATE_H
#define PYCOST_SATURATE_H

#include <stdint.h>

static inline uint64_t saturating_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline int64_t saturating_add_signed(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return a < 0 ? INT64_MIN : INT64_MAX;
}

#endif
