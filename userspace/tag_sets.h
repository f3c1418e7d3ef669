/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of tags, each told to the sink once.
 */
#ifndef PYCOST_TAG_SETS_H
#define PYCOST_TAG_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/sink.h"

#define TAG_KEY_MAX 32 /* bytes, without the NUL; what is longer is cut */
#define TAG_VALUE_MAX 128

struct tag {
	char key[TAG_KEY_MAX + 1];
	char value[TAG_VALUE_MAX + 1];
};

/* Ascending by key, each once. */
struct tag_list {
	uint32_t count;
	struct tag tags[TAGS_MAX];
};

/*
 * Sets a tag; one of the same key is replaced. Control characters become '?'. False: it
 * was left out, as there are TAGS_MAX or the key is empty.
 */
bool tag_list_set(struct tag_list *l, const char *key, size_t key_length, const char *value,
		  size_t value_length);
void tag_list_copy(struct tag_list *to, const struct tag_list *from);
const char *tag_list_get(const struct tag_list *l, const char *key); /* NULL: none */

struct tag_sets;

/* At most so many sets. */
int tag_sets_new(struct sink *sink, uint32_t max, struct tag_sets **ret);
void tag_sets_free(struct tag_sets *s);

/* Its id, 0 of an empty list.  -ENOSPC, -ENOMEM or the sink's error. */
int tag_sets_id(struct tag_sets *s, const struct tag_list *l, uint32_t *ret);

#endif
