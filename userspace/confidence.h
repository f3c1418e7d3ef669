/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a mean of some values may be off.
 *
 * The interval that has the mean of all values like these in it with 95 % certainty is
 * mean -+ t * s / sqrt(n): s is the deviation of the n values, t the quantile of Student's
 * distribution with n - 1 degrees of freedom.  The values are taken to be independent; for
 * few values that are spread far from a normal distribution, it is a rough guide.
 */
#ifndef PYCOST_CONFIDENCE_H
#define PYCOST_CONFIDENCE_H

#include <stdint.h>

/*
 * What 97.5 % of Student's distribution are below.  Of one and two degrees of freedom in
 * closed form, of more by the expansion about the normal quantile in Abramowitz and
 * Stegun, 26.7.5: off by 0.1 % at three, by less from four on.
 */
double student_quantile(uint64_t degrees);
/* How much wider that is than of a deviation that is known: 1 of many degrees. */
double student_factor(uint64_t degrees);

/* Half the interval; INFINITY for less than two values, as nothing bounds it then. */
double confidence_of_mean(uint64_t count, double sum, double squares);

#endif
