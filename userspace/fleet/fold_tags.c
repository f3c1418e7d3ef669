/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slice a fact belongs to. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "userspace/fleet/fold_parts.h"
#include "userspace/request_field.h"

#define PARENTS_MAX 16 /* generations that are asked for their tags */

static const char *const process_keys[] = { TAG_KEY_SERVICE, TAG_KEY_VERSION, TAG_KEY_HOST,
					    TAG_KEY_CLUSTER, TAG_KEY_REGION };
#define PROCESS_KEYS (sizeof(process_keys) / sizeof(*process_keys))

static uint32_t parent_of(const struct fold *f, uint32_t pid)
{
	for (size_t i = f->profile->process_count; i-- > 0;)
		if (f->profile->processes[i].pid == pid)
			return f->profile->processes[i].ppid;
	return 0;
}

static int tags_of_process(struct fold *f, uint32_t pid, struct slice_tags *to)
{
	int err = f->o.process ? -ESRCH : 0;

	for (int i = 0; pid && err == -ESRCH && i < PARENTS_MAX; i++, pid = parent_of(f, pid))
		err = f->o.process(f->o.arg, pid, to);
	for (size_t i = 0; i < f->o.tag_count; i++)
		slice_tags_default(to, f->o.tags[i].key, f->o.tags[i].value);
	return err == -ESRCH ? 0 : err;
}

/* Those that the measurement itself says: all, or the wanted ones that it has. */
static void tags_all(const struct fold *f, uint32_t tags, struct slice_tags *to)
{
	const struct sink_tags *t = &f->profile->requests.tags[tags];

	for (uint32_t i = 0; i < t->count; i++)
		slice_tags_default(to, t->keys[i], t->values[i]);
}

static void tags_wanted(const struct fold *f, uint32_t tags, const char *const *keys, size_t count,
			struct slice_tags *to)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = profile_tag(f->profile, tags, keys[i]);

		if (value)
			slice_tags_default(to, keys[i], value);
	}
}

/* Which stand for no process and no sender. */
static void tags_last(const struct fold *f, const char *metric, struct slice_tags *to)
{
	tags_all(f, f->profile->requests.common_tags, to);
	slice_tags_default(to, TAG_KEY_HOST, f->o.sender);
	slice_tags_set(to, TAG_KEY_METRIC, metric);
}

/* Where nothing says whose a process is, its facts are left out if others are told. */
static int slice_find(struct fold *f, const struct slice_tags *t, uint32_t *ret)
{
	int err = slices_at(f->slices, t, ret);

	if (err == -ENOSPC || (err == -ENODATA && f->o.process)) {
		*ret = NO_SLICE;
		err = 0;
	}
	return err;
}

/* What is measured has a place, however many tags there are; none goes by its name. */
static void own_make_room(struct slice_tags *to)
{
	slice_tags_set(to, TAG_KEY_METRIC, "");
	slice_tags_set(to, TAG_KEY_ENDPOINT, "");
	slice_tags_set(to, TAG_KEY_MODE, "");
	slice_tags_set(to, TAG_KEY_STATUS, "");
}

static void endpoint_set(const struct fold *f, uint32_t endpoint, char text[REQUEST_FIELD_SIZE],
			 struct slice_tags *to)
{
	*text = 0;
	if (endpoint)
		endpoint_text(f->profile, endpoint, text);
	slice_tags_set(to, TAG_KEY_ENDPOINT, text);
}

int fold_slice_costs(struct fold *f, uint32_t pid, uint32_t endpoint, const char *metric,
		     uint32_t *ret)
{
	struct slice_tags t = { .count = 0 };
	char text[REQUEST_FIELD_SIZE];
	int err;

	own_make_room(&t);
	err = tags_of_process(f, pid, &t);
	if (err)
		return err;
	tags_all(f, f->profile->requests.endpoints[endpoint].tags, &t);
	tags_last(f, metric, &t);
	endpoint_set(f, endpoint, text, &t);
	slice_tags_remove(&t, TAG_KEY_STATUS);
	slice_tags_set(&t, TAG_KEY_MODE, f->profile->meta.period ? "sampled" : "exact");
	return slice_find(f, &t, ret);
}

int fold_slice_endpoint(struct fold *f, uint32_t slice, uint32_t endpoint, uint32_t *ret)
{
	const struct profile_requests *r = &f->profile->requests;
	const struct sink_tags *own = &r->tags[r->endpoints[endpoint].tags];
	struct slice_tags t = { .count = 0 };
	const struct batch_slice *from;
	char text[REQUEST_FIELD_SIZE];

	*ret = NO_SLICE;
	if (slice == NO_SLICE)
		return 0;
	from = slices_get(f->slices, slice);
	for (uint32_t i = 0; i < from->tag_count; i++)
		slice_tags_set(&t, from->tags[i].key, from->tags[i].value);
	/* They go before what is common to all. */
	for (uint32_t i = 0; i < own->count; i++) {
		const char *now = slice_tags_get(&t, own->keys[i]);
		const char *common = profile_tag(f->profile, r->common_tags, own->keys[i]);

		if (!now || (common && !strcmp(now, common)))
			slice_tags_set(&t, own->keys[i], own->values[i]);
	}
	endpoint_set(f, endpoint, text, &t);
	slice_tags_remove(&t, TAG_KEY_STATUS);
	return slice_find(f, &t, ret);
}

int fold_slice_requests(struct fold *f, const struct sink_group *g, uint32_t *ret)
{
	struct slice_tags t = { .count = 0 };
	char text[REQUEST_FIELD_SIZE], status[8];
	int err;

	own_make_room(&t);
	err = tags_of_process(f, g->pid, &t);
	if (err)
		return err;
	tags_wanted(f, g->tags, process_keys, PROCESS_KEYS, &t);
	tags_wanted(f, g->tags, f->o.keep, f->o.keep_count, &t);
	tags_all(f, f->profile->requests.endpoints[g->endpoint].tags, &t);
	tags_last(f, metric_name(f->profile->meta.metric), &t);
	endpoint_set(f, g->endpoint, text, &t);
	slice_tags_remove(&t, TAG_KEY_MODE);
	snprintf(status, sizeof(status), "%u", g->status);
	slice_tags_set(&t, TAG_KEY_STATUS,
		       g->status ? status : g->flags & GROUP_TASK ? "" : "none");
	return slice_find(f, &t, ret);
}

/* Those of process_keys alone, and the metric. */
static int slice_plain(struct fold *f, const struct slice_tags *all, uint32_t *ret)
{
	struct slice_tags t = { .count = 0 };

	for (size_t i = 0; i < PROCESS_KEYS; i++) {
		const char *value = slice_tags_get(all, process_keys[i]);

		if (value)
			slice_tags_set(&t, process_keys[i], value);
	}
	slice_tags_set(&t, TAG_KEY_METRIC, metric_name(f->profile->meta.metric));
	return slice_find(f, &t, ret);
}

int fold_slice_process(struct fold *f, uint32_t pid, uint32_t tags, uint32_t *ret)
{
	struct slice_tags t = { .count = 0 };
	int err = tags_of_process(f, pid, &t);

	if (err)
		return err;
	tags_wanted(f, tags, process_keys, PROCESS_KEYS, &t);
	tags_last(f, "", &t);
	return slice_plain(f, &t, ret);
}

/* The service that all slices are of; NULL: there are several, or none. */
static const char *only_service(const struct fold *f)
{
	const char *only = NULL;

	for (uint32_t i = 0; i < slices_count(f->slices); i++) {
		const char *service = batch_slice_tag(slices_get(f->slices, i), TAG_KEY_SERVICE);

		if (only && strcmp(only, service))
			return NULL;
		only = service;
	}
	return only;
}

int fold_slice_own(struct fold *f, uint32_t *ret)
{
	struct slice_tags t = { .count = 0 };
	const char *only = only_service(f);

	for (size_t i = 0; i < f->o.tag_count; i++)
		slice_tags_set(&t, f->o.tags[i].key, f->o.tags[i].value);
	tags_last(f, "", &t);
	if (f->o.own_service)
		slice_tags_set(&t, TAG_KEY_SERVICE, f->o.own_service);
	else
		slice_tags_default(&t, TAG_KEY_SERVICE, only ? only : FOLD_SERVICE);
	return slice_plain(f, &t, ret);
}

const char *fold_group_user(const struct fold *f, const struct sink_group *g)
{
	for (size_t i = 0; i < f->o.user_count; i++) {
		const char *user = profile_tag(f->profile, g->tags, f->o.users[i]);

		if (user && *user)
			return user;
	}
	return NULL;
}
