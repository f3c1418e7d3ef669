/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tags that the configured fields of a request, and its marks, come to. Users and
 * cookies leave here as keyed hashes.
 */
#ifndef PYCOST_FIELD_TAGS_H
#define PYCOST_FIELD_TAGS_H

#include "userspace/request_config.h"
#include "userspace/tag_sets.h"

/*
 * The values are as in struct wire_request; the lengths must have been checked. split:
 * those fields alone that function costs are kept apart by.
 */
void field_tags(const struct request_config *c, const uint16_t lengths[WIRE_FIELDS],
		const char values[WIRE_FIELDS][WIRE_FIELD_MAX], bool split, struct tag_list *to);

/* "key\0value\0"...; an end that is cut is left out. */
void mark_tags(const struct request_config *c, const char *marks, size_t length,
	       struct tag_list *to);

/* Takes out those that are users' or cookies': of these there are the most. */
void tags_without_users(const struct request_config *c, struct tag_list *l);

#endif
