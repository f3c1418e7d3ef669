/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/confidence.h"

#include <math.h>

#define LEVEL 0.975
#define NORMAL 1.959963984540054 /* its quantile at that level */

double student_quantile(uint64_t degrees)
{
	double z = NORMAL, z2 = z * z, n = degrees;

	if (!degrees)
		return INFINITY;
	if (degrees == 1)
		return tan(M_PI * (LEVEL - 0.5));
	if (degrees == 2)
		return (2 * LEVEL - 1) * sqrt(2 / (4 * LEVEL * (1 - LEVEL)));
	return z + z * (z2 + 1) / (4 * n) + z * ((5 * z2 + 16) * z2 + 3) / (96 * n * n) +
	       z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * n * n * n) +
	       z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) /
		       (92160 * n * n * n * n);
}

double student_factor(uint64_t degrees)
{
	return student_quantile(degrees) / NORMAL;
}

double confidence_of_mean(uint64_t count, double sum, double squares)
{
	double n = count, variance;

	if (count < 2)
		return INFINITY;
	/* Rounding may leave next to nothing below 0 of values that are all the same. */
	variance = fmax((squares - sum * sum / n) / (n - 1), 0);
	return student_quantile(count - 1) * sqrt(variance / n);
}
