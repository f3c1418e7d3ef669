/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quantities as people write them into configurations of agents and collectors: digits,
 * perhaps with a decimal point, and a unit.
 *
 *	sizes	none or B is bytes; K, M, G and KiB, MiB, GiB are powers of 1024, kB, MB, GB
 *		of 1000
 *	times	none or s is seconds; m or min, h, d
 *	shares	of a whole: none, or % for hundredths
 */
#ifndef PYCOST_QUANTITY_H
#define PYCOST_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

#define QUANTITY_SIZE 32 /* of a text that is shown */

/*
 * Bytes up to 10^16, seconds up to 10^8, shares up to 1; fractions of a byte or second are
 * cut off. -EINVAL: it is none.
 */
int quantity_bytes(const char *text, uint64_t *ret);
int quantity_seconds(const char *text, uint64_t *ret);
int quantity_share(const char *text, double *ret);

/* In the largest unit that needs no fraction: "16MiB", "90s". */
void quantity_bytes_show(uint64_t bytes, char ret[QUANTITY_SIZE]);
void quantity_seconds_show(uint64_t seconds, char ret[QUANTITY_SIZE]);

#endif
