/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/glob.h"

const char *const request_field_names[FIELD_TAG] = {
	[FIELD_ENDPOINT] = "endpoint", [FIELD_ROUTE] = "route",
	[FIELD_METHOD] = "method",     [FIELD_STATUS] = "status",
	[FIELD_STATUS_CLASS] = "status-class", [FIELD_PID] = "pid",
	[FIELD_HOST] = "host",	       [FIELD_VIEW] = "view",
};

int request_field_parse(const char *name, struct request_field *ret)
{
	if (!*name)
		return -EINVAL;
	*ret = (struct request_field){ FIELD_TAG, name };
	for (int i = 0; i < FIELD_TAG; i++)
		if (!strcmp(name, request_field_names[i]))
			*ret = (struct request_field){ i, request_field_names[i] };
	return 0;
}

int request_filter_parse(const char *text, struct request_filter *ret)
{
	const char *equals = strchr(text, '=');
	struct request_filter f = { 0 };
	size_t size;

	if (!equals || equals == text)
		return -EINVAL;
	f.negated = equals[-1] == '!';
	size = equals - text - f.negated;
	f.pattern = equals + 1;
	f.owned = strndup(text, size);
	if (!f.owned)
		return -ENOMEM;
	if (request_field_parse(f.owned, &f.field)) {
		free(f.owned);
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

void request_filter_free(struct request_filter *f)
{
	free(f->owned);
	*f = (struct request_filter){ 0 };
}

/* What is known of the request itself goes before what holds for all of them. */
static const char *tag_of(const struct profile *p, const struct sink_group *g, const char *key)
{
	const char *value = profile_tag(p, g->tags, key);

	if (!value)
		value = profile_tag(p, p->requests.endpoints[g->endpoint].tags, key);
	if (!value)
		value = profile_tag(p, p->requests.common_tags, key);
	return value ? value : "";
}

static void endpoint_join(const char *method, const char *name, char text[REQUEST_FIELD_SIZE])
{
	snprintf(text, REQUEST_FIELD_SIZE, "%s%s%s", method, *method ? " " : "", name);
}

void endpoint_text(const struct profile *p, uint32_t endpoint, char text[REQUEST_FIELD_SIZE])
{
	const struct sink_endpoint *e = &p->requests.endpoints[endpoint];

	if (!endpoint)
		snprintf(text, REQUEST_FIELD_SIZE, "(none)");
	else
		endpoint_join(e->method, e->name, text);
}

bool endpoint_is_named(const char *method, const char *name, const char *glob)
{
	char text[REQUEST_FIELD_SIZE];

	endpoint_join(method, name, text);
	/* Names have stars in them, which match themselves; but a '[' in one would not. */
	return !strcmp(text, glob) || !strcmp(name, glob) || glob_matches(glob, text) ||
	       glob_matches(glob, name);
}

bool endpoint_matches(const struct profile *p, uint32_t endpoint, const char *glob)
{
	const struct sink_endpoint *e = &p->requests.endpoints[endpoint];

	return endpoint && endpoint_is_named(e->method, e->name, glob);
}

static const char *status_text(uint16_t status, bool class, char text[REQUEST_FIELD_SIZE])
{
	if (!status)
		return "";
	if (class)
		snprintf(text, REQUEST_FIELD_SIZE, "%uxx", status / 100);
	else
		snprintf(text, REQUEST_FIELD_SIZE, "%u", status);
	return text;
}

const char *request_field_value(const struct profile *p, const struct endpoint_views *views,
				const struct sink_group *g, const struct request_field *f,
				char text[REQUEST_FIELD_SIZE])
{
	const char *host;

	switch (f->kind) {
	case FIELD_ENDPOINT:
		endpoint_text(p, g->endpoint, text);
		return text;
	case FIELD_ROUTE:
		return p->requests.endpoints[g->endpoint].name;
	case FIELD_METHOD:
		return p->requests.endpoints[g->endpoint].method;
	case FIELD_STATUS:
	case FIELD_STATUS_CLASS:
		return status_text(g->status, f->kind == FIELD_STATUS_CLASS, text);
	case FIELD_PID:
		snprintf(text, REQUEST_FIELD_SIZE, "%" PRIu32, g->pid);
		return text;
	case FIELD_HOST:
		host = tag_of(p, g, "host");
		return *host ? host : p->meta.host;
	case FIELD_VIEW:
		return views ? endpoint_view_text(views, g->endpoint) : "";
	case FIELD_TAG:
		return tag_of(p, g, f->name);
	}
	return "";
}

bool request_filter_passes(const struct profile *p, const struct endpoint_views *views,
			   const struct sink_group *g, const struct request_filter *f)
{
	char text[REQUEST_FIELD_SIZE];
	const char *value;
	bool matches;

	if (f->field.kind == FIELD_ENDPOINT) {
		matches = endpoint_matches(p, g->endpoint, f->pattern);
	} else {
		value = request_field_value(p, views, g, &f->field, text);
		matches = !strcmp(value, f->pattern) || glob_matches(f->pattern, value);
		/* "5xx" is a status too. */
		if (f->field.kind == FIELD_STATUS && !matches)
			matches = *status_text(g->status, true, text) && !strcmp(text, f->pattern);
	}
	return matches != f->negated;
}
