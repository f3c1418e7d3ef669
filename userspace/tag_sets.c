/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/tag_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct tag_set {
	uint32_t id;
	UT_hash_handle hh;
	char text[]; /* the key: each key and each value with its NUL */
};

struct tag_sets {
	struct sink *sink;
	struct tag_set *sets;
	uint32_t count, max;
};

static size_t text_take(char *to, const char *text, size_t length, size_t max)
{
	size_t n = 0;

	for (; n < length && n < max && text[n]; n++)
		to[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
	to[n] = 0;
	return n;
}

bool tag_list_set(struct tag_list *l, const char *key, size_t key_length, const char *value,
		  size_t value_length)
{
	struct tag tag;
	uint32_t at = 0;
	int order = 1;

	if (!text_take(tag.key, key, key_length, TAG_KEY_MAX))
		return false;
	text_take(tag.value, value, value_length, TAG_VALUE_MAX);
	while (at < l->count && (order = strcmp(l->tags[at].key, tag.key)) < 0)
		at++;
	if (at == l->count || order) {
		if (l->count == TAGS_MAX)
			return false;
		memmove(&l->tags[at + 1], &l->tags[at], (l->count - at) * sizeof(tag));
		l->count++;
	}
	l->tags[at] = tag;
	return true;
}

/* Not the unused part, which is most of it. */
void tag_list_copy(struct tag_list *to, const struct tag_list *from)
{
	to->count = from->count;
	memcpy(to->tags, from->tags, from->count * sizeof(*from->tags));
}

const char *tag_list_get(const struct tag_list *l, const char *key)
{
	for (uint32_t i = 0; i < l->count; i++)
		if (!strcmp(l->tags[i].key, key))
			return l->tags[i].value;
	return NULL;
}

int tag_sets_new(struct sink *sink, uint32_t max, struct tag_sets **ret)
{
	struct tag_sets *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->sink = sink;
	s->max = max;
	*ret = s;
	return 0;
}

void tag_sets_free(struct tag_sets *s)
{
	struct tag_set *set, *tmp;

	if (!s)
		return;
	HASH_ITER(hh, s->sets, set, tmp) {
		HASH_DEL(s->sets, set);
		free(set);
	}
	free(s);
}

static size_t list_text(const struct tag_list *l, char *to)
{
	size_t size = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		size += strlen(strcpy(to + size, l->tags[i].key)) + 1;
		size += strlen(strcpy(to + size, l->tags[i].value)) + 1;
	}
	return size;
}

static int set_tell(struct tag_sets *s, const struct tag_list *l, uint32_t id)
{
	const char *keys[TAGS_MAX], *values[TAGS_MAX];
	struct sink_tags fact = { id, l->count, keys, values };

	for (uint32_t i = 0; i < l->count; i++) {
		keys[i] = l->tags[i].key;
		values[i] = l->tags[i].value;
	}
	return s->sink->tags ? s->sink->tags(s->sink, &fact) : 0;
}

int tag_sets_id(struct tag_sets *s, const struct tag_list *l, uint32_t *ret)
{
	char text[sizeof(l->tags)];
	size_t size = list_text(l, text);
	struct tag_set *set;
	int err;

	*ret = 0;
	if (!l->count)
		return 0;
	HASH_FIND(hh, s->sets, text, size, set);
	if (set) {
		*ret = set->id;
		return 0;
	}
	if (s->count == s->max)
		return -ENOSPC;
	set = malloc(sizeof(*set) + size);
	if (!set)
		return -ENOMEM;
	set->id = s->count + 1;
	memcpy(set->text, text, size);
	HASH_ADD_KEYPTR(hh, s->sets, set->text, size, set);
	if (!set->hh.tbl) {
		free(set);
		return -ENOMEM;
	}
	s->count++;
	err = set_tell(s, l, set->id);
	*ret = err ? 0 : set->id;
	return err;
}
