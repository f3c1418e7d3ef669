/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/endpoint_choice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/glob.h"
#include "userspace/request_field.h"
#include "userspace/text.h"

#define NEAREST 3
#define KEY_SIZE 256

static bool tag_matches(const struct profile *p, uint32_t endpoint, const char *text)
{
	const char *equals = strchr(text, '='), *value;
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
	value = profile_tag(p, p->requests.endpoints[endpoint].tags, key);
	if (!value)
		value = profile_tag(p, p->requests.common_tags, key);
	return value && (!strcmp(value, equals + 1) || glob_matches(equals + 1, value));
}

static bool is_chosen(const struct profile *p, uint32_t endpoint, const struct endpoint_choice *c)
{
	if (c->glob && !endpoint_matches(p, endpoint, c->glob))
		return false;
	for (size_t i = 0; i < c->tag_count; i++)
		if (!tag_matches(p, endpoint, c->tags[i]))
			return false;
	return true;
}

/* The endpoints whose names are like what was asked for. */
static void nearest_describe(const struct profile *p, const char *glob, char *err, size_t errlen)
{
	uint32_t best[NEAREST] = { 0 };
	unsigned distances[NEAREST];
	char text[REQUEST_FIELD_SIZE];
	size_t used = snprintf(err, errlen, "no endpoint matches '%s'", glob);

	for (uint32_t i = 1; i < p->requests.endpoint_count; i++) {
		uint32_t endpoint = i;
		unsigned distance;

		endpoint_text(p, i, text);
		distance = text_distance(glob, text);
		for (size_t j = 0; j < NEAREST; j++) {
			uint32_t other = best[j];
			unsigned worse = distances[j];

			if (other && worse <= distance)
				continue;
			best[j] = endpoint;
			distances[j] = distance;
			if (!other)
				break;
			endpoint = other;
			distance = worse;
		}
	}
	for (size_t j = 0; j < NEAREST && best[j] && used < errlen; j++) {
		endpoint_text(p, best[j], text);
		used += snprintf(err + used, errlen - used, "%s%s", j ? ", " : "; nearest: ", text);
	}
}

static void none_describe(const struct profile *p, const struct endpoint_choice *c, char *err,
			  size_t errlen)
{
	if (c->glob)
		nearest_describe(p, c->glob, err, errlen);
	else
		snprintf(err, errlen, "no endpoint has the tag %s: of function costs only those are "
				      "known that were recorded with --field ...,split",
			 c->tags[0]);
}

int endpoint_choose(struct profile *p, const struct endpoint_choice *c, char *err, size_t errlen)
{
	size_t count = p->requests.endpoint_count;
	bool *wanted, any = false;
	int ret;

	if (!c->glob && !c->tag_count)
		return 0;
	if (!p->meta.requests) {
		snprintf(err, errlen, "recorded without requests: record with --requests");
		return -ENODATA;
	}
	wanted = calloc(count, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	for (uint32_t i = 1; i < count; i++)
		any |= wanted[i] = is_chosen(p, i, c);
	ret = any ? profile_keep_endpoints(p, wanted) : -ENOENT;
	if (ret == -ENOENT)
		none_describe(p, c, err, errlen);
	free(wanted);
	return ret;
}
