/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From where else in .text a stretch of code is reached: the direct jumps and
 * branches into it.  Jumps through tables are not seen.
 */
#ifndef PYCOST_LANDING_H
#define PYCOST_LANDING_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/disassembler.h"

struct code_range {
	uint64_t first, last; /* the last is in it */
};

struct landing {
	uint64_t source; /* of the jump */
	uint64_t target;
};

struct landings {
	struct landing *v;
	size_t n;
};

/*
 * All jumps from anywhere into any of these ranges, in no order.  A stray
 * pattern of bytes may be taken for one; none is missed.
 * -ENOMEM; -E2BIG when there are more than any real file has.
 * Free with landings_free().
 */
int landings_find(struct disassembler *d, const struct code_range *ranges, size_t n,
		  struct landings *ret);
void landings_free(struct landings *l);

/* Instructions that are reached from some by falling through and by direct jumps. */
struct reach {
	uint64_t *v; /* the nearest first */
	size_t n;
	uint8_t *seen; /* bits, of the bytes of .text */
	uint64_t text;
	size_t size;
};

/* At most max of them.  -ENOMEM.  Free with reach_free(). */
int reach_find(struct disassembler *d, const uint64_t *starts, size_t n, size_t max,
	       struct reach *ret);
bool reach_has(const struct reach *r, uint64_t vaddr);
void reach_free(struct reach *r);

#endif
