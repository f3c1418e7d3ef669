/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sets of tags that a sender keeps its facts apart by, each once, and no more of them
 * than it may make.
 *
 * Of each key so many values are kept apart; those beyond are "other". Where all slices
 * together are too many, endpoint and tags of the user's are all "other" in what is new.
 * Service, version, host, cluster, region, metric and mode stay what they are.
 */
#ifndef PYCOST_SLICES_H
#define PYCOST_SLICES_H

#include <stdbool.h>
#include <stdint.h>

#include "userspace/fleet/batch.h"

#define SLICE_OTHER "other"
#define TAG_KEY_CLUSTER "cluster"
#define TAG_KEY_REGION "region"

struct slices_limits {
	uint32_t slices;    /* as many again are made of "other" */
	uint32_t values;    /* of a key */
	uint32_t endpoints; /* the same of TAG_KEY_ENDPOINT */
};

struct slices;

int slices_new(const struct slices_limits *limits, struct slices **ret);
void slices_free(struct slices *s);

/*
 * Tags on their way to a slice: by key, ascending, each once. Texts are borrowed; BATCH_TAGS_MAX
 * of them, what is set beyond is left out (and counted in beyond).
 */
struct slice_tags {
	struct batch_tag tags[BATCH_TAGS_MAX];
	uint32_t count;
	uint32_t beyond;
};
/* Replaces what the key had. An empty value is one too. */
void slice_tags_set(struct slice_tags *t, const char *key, const char *value);
/* Sets it unless the key is there. */
void slice_tags_default(struct slice_tags *t, const char *key, const char *value);
void slice_tags_remove(struct slice_tags *t, const char *key);
const char *slice_tags_get(const struct slice_tags *t, const char *key); /* NULL: none */

/* Its number, from 0. -ENODATA: no service; -ENOSPC: too many, even so; -ENOMEM. */
int slices_at(struct slices *s, const struct slice_tags *tags, uint32_t *ret);

uint32_t slices_count(const struct slices *s);
/* Until the next slices_at(); its texts as long as the slices. */
const struct batch_slice *slices_get(const struct slices *s, uint32_t slice);
/* Whether a tag of it, by its place, is "other" as there were too many values. */
bool slices_is_cut(const struct slices *s, uint32_t slice, uint32_t tag);

#endif
