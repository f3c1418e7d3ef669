/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the parts of a profile keep what they are told; private to them. */
#ifndef PYCOST_PROFILE_KEEP_H
#define PYCOST_PROFILE_KEEP_H

#include <stddef.h>

struct profile;

/* Makes room for one more, zeroed.  array: the address of a pointer to the items. */
int profile_grow(void *array, size_t count, size_t *capacity, size_t item_size);

/* Copies each string, repaired: whatever prints them may rely on UTF-8. */
int profile_strings(struct profile *p, const char **const *strings, size_t count);

#define PROFILE_KEEP(p, ...)                                              \
	profile_strings(p, (const char **[]){ __VA_ARGS__ },              \
			sizeof((const char **[]){ __VA_ARGS__ }) / sizeof(const char **))

#endif
