/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What samples tell beyond call paths: how many fell on each line, opcode and so on. */
#ifndef PYCOST_PLACES_H
#define PYCOST_PLACES_H

#include "userspace/report.h"

enum place_kind {
	PLACE_LINE,   /* place: the line, 0 when unknown */
	PLACE_NATIVE, /* an id of the natives: the first with that symbol and object */
	PLACE_OPCODE, /* place_opcode() */
	PLACE_STATE,  /* enum sample_state */
};

struct place {
	uint32_t row; /* of the report's functions; 0 unless by row */
	uint32_t place;
	uint64_t samples; /* that had it innermost */
	uint64_t in_kernel; /* of them */
	/*
	 * Of lines, with the samples in what was called from here.  In a recursion, those
	 * whose outermost activation was at this line; or those that had it innermost, if
	 * they are more: how far both are the same is not known, so it is at least so many.
	 */
	uint64_t cumulative;
};

/* By row, then the most samples first; free() v. */
struct places {
	struct place *v;
	size_t count;
};

/* Of the profile as it is now, not of an interval. */
int places_compute(const struct report *r, enum place_kind kind, bool by_row, struct places *ret);

/* Those of one row; NULL and 0 when there are none. */
const struct place *places_of(const struct places *all, uint32_t row, size_t *ret_count);

#define PLACE_MINORS 100
/* Which opcode, of which minor of Python 3; 0: no minor is known. */
static inline uint32_t place_opcode(int minor, uint16_t opcode)
{
	return (uint32_t)minor << 16 | opcode;
}
static inline int place_minor(uint32_t place)
{
	return place >> 16;
}

#endif
