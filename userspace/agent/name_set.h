/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which names one collector has, and since when. */
#ifndef PYCOST_NAME_SET_H
#define PYCOST_NAME_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_slot {
	uint64_t id; /* 0: empty */
	uint32_t at_s;
};

struct name_set {
	struct name_slot *slots;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

/* Adds it or makes it new; id 0 is left out.  -ENOMEM. */
int name_set_add(struct name_set *s, uint64_t id, uint32_t at_s);
/* NULL: it is not in there. */
const struct name_slot *name_set_find(const struct name_set *s, uint64_t id);
void name_set_clear(struct name_set *s);

#endif
