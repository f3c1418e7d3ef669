/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many distinct users there are, from parts that were counted apart: HyperLogLog of
 * 4,096 registers, whose union is the greatest rank of each register. Standard error 1.6 %;
 * small numbers are counted by the registers that are empty, which is nearly exact.
 */
#ifndef PYCOST_SKETCH_H
#define PYCOST_SKETCH_H

#include <stdint.h>

#include "userspace/fleet/batch.h"

struct sketch {
	uint8_t ranks[SKETCH_REGISTERS]; /* 0: empty */
};

/* hash: 64 evenly spread bits of the user's own hash. */
void sketch_add(struct sketch *s, uint64_t hash);
void sketch_raise(struct sketch *s, uint16_t index, uint8_t rank);
double sketch_count(const struct sketch *s, double *ret_error); /* standard error */

#endif
