/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The estimate is that of O. Ertl, "New cardinality estimation algorithms for HyperLogLog
 * sketches" (2017): one formula for few and for many, without tables. For few it comes to
 * counting the registers that are empty.
 */
#include "userspace/fleet/sketch.h"

#include <math.h>

#define INDEX_BITS 12
#define RANK_MAX (64 - INDEX_BITS + 1)

_Static_assert(SKETCH_REGISTERS == 1 << INDEX_BITS, "an index for each register");

void sketch_raise(struct sketch *s, uint16_t index, uint8_t rank)
{
	if (index < SKETCH_REGISTERS && rank <= RANK_MAX && s->ranks[index] < rank)
		s->ranks[index] = rank;
}

void sketch_add(struct sketch *s, uint64_t hash)
{
	uint64_t rest = hash << INDEX_BITS;

	sketch_raise(s, hash >> (64 - INDEX_BITS), rest ? __builtin_clzll(rest) + 1 : RANK_MAX);
}

/* What empty registers add: x + x^2 + 2 x^4 + 4 x^8... */
static double sigma(double x)
{
	double sum = x, last, weight = 1;

	do {
		x *= x;
		last = sum;
		sum += x * weight;
		weight *= 2;
	} while (sum != last);
	return sum;
}

/* What full ones add. */
static double tau(double x)
{
	double sum = 1 - x, last, weight = 1;

	do {
		x = sqrt(x);
		last = sum;
		weight /= 2;
		sum -= (1 - x) * (1 - x) * weight;
	} while (sum != last);
	return sum / 3;
}

/* Of an estimate from empty registers, where there are enough of them, or of ranks. */
static double error_of(double n)
{
	double m = SKETCH_REGISTERS, load = n / m;

	return fmin(sqrt(m * (exp(load) - load - 1)), 1.04 / sqrt(m) * n);
}

double sketch_count(const struct sketch *s, double *ret_error)
{
	uint32_t counts[RANK_MAX + 1] = { 0 };
	double m = SKETCH_REGISTERS, z, n;

	for (int i = 0; i < SKETCH_REGISTERS; i++)
		counts[s->ranks[i] < RANK_MAX ? s->ranks[i] : RANK_MAX]++;
	*ret_error = 0;
	if (counts[0] == SKETCH_REGISTERS)
		return 0;
	z = counts[RANK_MAX] ? m * tau(1 - counts[RANK_MAX] / m) : 0;
	for (int rank = RANK_MAX - 1; rank > 0; rank--)
		z = (z + counts[rank]) / 2;
	if (counts[0])
		z += m * sigma(counts[0] / m);
	/* All registers are full: as many as there are hashes. */
	n = z > 0 ? m * m / (2 * M_LN2 * z) : 0x1p64;
	*ret_error = error_of(n);
	return n;
}
