/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/slices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "userspace/tally.h"

#define KEYS_MAX 256 /* different ones, in all slices */

_Static_assert(BATCH_TAGS_MAX <= 64, "a bit for each tag");

struct slice {
	uint64_t id; /* the key */
	uint64_t cut; /* bits of tags */
	struct batch_slice slice;
};

struct value {
	uint64_t hash; /* of the tag's key and the value: what it is known by */
};

struct key {
	uint64_t hash; /* what it is known by */
	uint32_t values;
	uint32_t unused;
};

struct slices {
	struct slices_limits limits;
	struct tally slices, values, keys;
	struct arena texts;
};

int slices_new(const struct slices_limits *limits, struct slices **ret)
{
	struct slices *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->limits = *limits;
	s->slices = (struct tally){ .item_size = sizeof(struct slice), .key_size = 8,
				    .max = 2 * limits->slices };
	s->values = (struct tally){ .item_size = sizeof(struct value), .key_size = 8 };
	s->keys = (struct tally){ .item_size = sizeof(struct key), .key_size = 8,
				  .max = KEYS_MAX };
	*ret = s;
	return 0;
}

void slices_free(struct slices *s)
{
	if (!s)
		return;
	tally_clear(&s->slices);
	tally_clear(&s->values);
	tally_clear(&s->keys);
	arena_free(&s->texts);
	free(s);
}

void slice_tags_set(struct slice_tags *t, const char *key, const char *value)
{
	uint32_t at = 0;
	int order = 1;

	for (; at < t->count && order > 0; at += order > 0) {
		order = strcmp(key, t->tags[at].key);
		if (!order) {
			t->tags[at].value = value;
			return;
		}
	}
	if (t->count == BATCH_TAGS_MAX || !*key) {
		t->beyond++;
		return;
	}
	memmove(&t->tags[at + 1], &t->tags[at], (t->count - at) * sizeof(*t->tags));
	t->tags[at] = (struct batch_tag){ key, value };
	t->count++;
}

const char *slice_tags_get(const struct slice_tags *t, const char *key)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (!strcmp(t->tags[i].key, key))
			return t->tags[i].value;
	return NULL;
}

void slice_tags_remove(struct slice_tags *t, const char *key)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (!strcmp(t->tags[i].key, key)) {
			t->count--;
			memmove(&t->tags[i], &t->tags[i + 1], (t->count - i) * sizeof(*t->tags));
			return;
		}
}

void slice_tags_default(struct slice_tags *t, const char *key, const char *value)
{
	if (!slice_tags_get(t, key))
		slice_tags_set(t, key, value);
}

/* Of these there are few, and what they say must stay true. */
static bool is_fixed(const char *key)
{
	static const char *const fixed[] = { TAG_KEY_SERVICE, TAG_KEY_METRIC,  TAG_KEY_VERSION,
					     TAG_KEY_HOST,    TAG_KEY_CLUSTER, TAG_KEY_REGION,
					     TAG_KEY_STATUS,  TAG_KEY_MODE };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (!strcmp(key, fixed[i]))
			return true;
	return false;
}

/* What stands for no request, or for nothing said, is no value among others. */
static int value_is_over(struct slices *s, const struct batch_tag *tag, bool *ret)
{
	uint64_t key_hash = XXH3_64bits(tag->key, strlen(tag->key));
	uint64_t hash = XXH3_64bits_withSeed(tag->value, strlen(tag->value), key_hash);
	uint32_t most = strcmp(tag->key, TAG_KEY_ENDPOINT) ? s->limits.values
							    : s->limits.endpoints;
	struct value *value;
	struct key *key;
	int err;

	*ret = false;
	if (!*tag->value || tally_find(&s->values, &hash))
		return 0;
	err = tally_at(&s->keys, &key_hash, &key);
	if (err == -ENOSPC || (!err && key->values >= most)) {
		*ret = true;
		return 0;
	}
	if (!err)
		err = tally_at(&s->values, &hash, &value);
	if (!err)
		key->values++;
	return err;
}

static int values_limit(struct slices *s, struct slice_tags *t, uint64_t *cut)
{
	for (uint32_t i = 0; i < t->count; i++) {
		bool over;
		int err;

		if (is_fixed(t->tags[i].key))
			continue;
		err = value_is_over(s, &t->tags[i], &over);
		if (err)
			return err;
		if (over) {
			t->tags[i].value = SLICE_OTHER;
			*cut |= 1ull << i;
		}
	}
	return 0;
}

static int slice_fill(struct slices *s, const struct slice_tags *t, struct slice *slice)
{
	struct batch_tag *tags = arena_items(&s->texts, t->count, sizeof(*tags));
	uint32_t count = 0;

	if (!tags)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->count; i++) {
		tags[count].key = batch_text(&s->texts, t->tags[i].key);
		tags[count].value = batch_text(&s->texts, t->tags[i].value);
		if (!tags[count].key || !tags[count].value)
			return -ENOMEM;
		/* Two keys that no text can tell apart are one. */
		if (!count || strcmp(tags[count - 1].key, tags[count].key) < 0)
			count++;
	}
	slice->slice = (struct batch_slice){
		.id = batch_slice_id(tags, count, NULL),
		.fleet = batch_slice_id(tags, count, TAG_KEY_HOST),
		.tags = tags,
		.tag_count = count,
	};
	return 0;
}

int slices_at(struct slices *s, const struct slice_tags *tags, uint32_t *ret)
{
	struct slice_tags t = *tags;
	const char *service = slice_tags_get(&t, TAG_KEY_SERVICE);
	uint64_t id, cut = 0;
	struct slice *slice;
	int err;

	if (!service || !*service)
		return -ENODATA;
	err = values_limit(s, &t, &cut);
	if (err)
		return err;
	id = batch_slice_id(t.tags, t.count, NULL);
	slice = tally_find(&s->slices, &id);
	if (!slice && s->slices.count >= s->limits.slices) {
		for (uint32_t i = 0; i < t.count; i++)
			if (!is_fixed(t.tags[i].key) && *t.tags[i].value) {
				t.tags[i].value = SLICE_OTHER;
				cut |= 1ull << i;
			}
		id = batch_slice_id(t.tags, t.count, NULL);
	}
	err = tally_at(&s->slices, &id, &slice);
	if (err)
		return err;
	if (!slice->slice.tags) {
		err = slice_fill(s, &t, slice);
		slice->cut = cut;
	}
	*ret = slice - (struct slice *)s->slices.items;
	return err;
}

uint32_t slices_count(const struct slices *s)
{
	return s->slices.count;
}

const struct batch_slice *slices_get(const struct slices *s, uint32_t slice)
{
	return &((const struct slice *)s->slices.items)[slice].slice;
}

bool slices_is_cut(const struct slices *s, uint32_t slice, uint32_t tag)
{
	return ((const struct slice *)s->slices.items)[slice].cut >> tag & 1;
}
