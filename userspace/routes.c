/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/field_tags.h"
#include "userspace/request_config.h"
#include "userspace/route_pattern.h"
#include "userspace/sink.h"
#include "userspace/tag_sets.h"
#include "userspace/tally.h"

#define CLASSES_MAX (16 * WIRE_MAX_CLASSES) /* that were ever announced */

struct endpoint {
	uint32_t id;
	uint32_t source;
	uint64_t class_id; /* the first of it, which the others become; 0: none yet */
	size_t method_at, name_at; /* in text */
	UT_hash_handle hh;
	char text[]; /* the key: source, tags, method and name */
};

struct class {
	uint64_t id; /* key */
	uint32_t endpoint;
	bool ambiguous; /* some of its requests may match another pattern, by their paths */
};

struct routes {
	struct routes_options o;
	struct endpoint *table;
	struct endpoint **endpoints; /* by id, from 1 */
	uint32_t count, capacity;
	uint32_t guessed; /* endpoints without a pattern or a mark */
	struct tally classes;
	uint64_t beyond;
	struct tag_list split; /* of the one at hand */
};

/* What is told of a request, by a class or by itself. */
struct request_parts {
	const char *method, *route, *path; /* not terminated; path NULL: not told */
	uint32_t method_length, route_length, path_length;
	bool marked;
	const uint16_t *field_lengths;
	const char (*fields)[WIRE_FIELD_MAX];
};

int routes_new(const struct routes_options *o, struct routes **ret)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->o = *o;
	r->classes = (struct tally){ .item_size = sizeof(struct class), .key_size = sizeof(uint64_t),
				     .max = CLASSES_MAX };
	*ret = r;
	return 0;
}

void routes_free(struct routes *r)
{
	struct endpoint *e, *tmp;

	if (!r)
		return;
	HASH_ITER(hh, r->table, e, tmp) {
		HASH_DEL(r->table, e);
		free(e);
	}
	free(r->endpoints);
	tally_clear(&r->classes);
	free(r);
}

/* ---- endpoints ---- */

static const char *method_name(const char *method, uint32_t length)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
					     "OPTIONS", "TRACE", "PATCH", "" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i]) == length && !memcmp(known[i], method, length))
			return known[i];
	return "OTHER";
}

static int endpoint_tell(struct routes *r, const struct endpoint *e, uint32_t tags)
{
	struct sink_endpoint fact = { e->id, e->source, e->text + e->method_at, e->text + e->name_at,
				      tags };

	return r->o.sink->endpoint ? r->o.sink->endpoint(r->o.sink, &fact) : 0;
}

/* "other" has always room. */
static bool has_room(const struct routes *r, uint32_t source)
{
	uint32_t max = r->o.config->max_endpoints;

	return source == ENDPOINT_OTHER ||
	       (r->count < max && (source != ENDPOINT_HEURISTIC || r->guessed < max - max / 4));
}

static int endpoint_add(struct routes *r, struct endpoint *e, size_t size)
{
	if (r->count == r->capacity) {
		uint32_t capacity = 2 * r->capacity + 64;
		struct endpoint **grown = reallocarray(r->endpoints, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		r->endpoints = grown;
		r->capacity = capacity;
	}
	HASH_ADD_KEYPTR(hh, r->table, e->text, size, e);
	if (!e->hh.tbl)
		return -ENOMEM;
	r->endpoints[r->count++] = e;
	e->id = r->count;
	r->guessed += e->source == ENDPOINT_HEURISTIC;
	return 0;
}

/* That of these names, made and told when it is new.  -ENOSPC: there are too many. */
static int endpoint_at(struct routes *r, uint32_t source, const char *method, const char *name,
		       uint32_t tags, uint32_t *ret)
{
	char text[WIRE_METHOD_MAX + CONFIG_TEXT_MAX + 32];
	int method_at = snprintf(text, sizeof(text), "%u %u ", source, tags);
	int name_at = method_at + snprintf(text + method_at, sizeof(text) - method_at, "%s", method) + 1;
	size_t size = name_at + snprintf(text + name_at, sizeof(text) - name_at, "%s", name) + 1;
	struct endpoint *e;
	int err;

	HASH_FIND(hh, r->table, text, size, e);
	if (e) {
		*ret = e->id;
		return 0;
	}
	if (!has_room(r, source))
		return -ENOSPC;
	e = calloc(1, sizeof(*e) + size);
	if (!e)
		return -ENOMEM;
	memcpy(e->text, text, size);
	e->source = source;
	e->method_at = method_at;
	e->name_at = name_at;
	err = endpoint_add(r, e, size);
	if (err) {
		free(e);
		return err;
	}
	*ret = e->id;
	return endpoint_tell(r, e, tags);
}

static int endpoint_other(struct routes *r, uint32_t *ret)
{
	return endpoint_at(r, ENDPOINT_OTHER, "", "other", 0, ret);
}

static int endpoint_of(struct routes *r, uint32_t source, const char *method, const char *name,
		       const struct request_parts *q, uint32_t *ret)
{
	uint32_t tags;
	int err;

	r->split.count = 0;
	field_tags(r->o.config, q->field_lengths, q->fields, true, &r->split);
	err = tag_sets_id(r->o.tags, &r->split, &tags);
	if (!err)
		err = endpoint_at(r, source, method, name, tags, ret);
	return err == -ENOSPC ? endpoint_other(r, ret) : err;
}

/* ---- patterns ---- */

static bool route_takes(const struct config_route *route, const char *method, uint32_t length)
{
	return !*route->method || (strlen(route->method) == length &&
				   !memcmp(route->method, method, length));
}

static bool ends_open(const char *pattern)
{
	size_t n = strlen(pattern);

	return n >= 3 && !strcmp(pattern + n - 3, "/**");
}

/* A path that was cut matches where all that could follow does, by its whole segments. */
static bool path_matches(const char *pattern, const char *path, uint32_t length, uint32_t max)
{
	if (length < max)
		return route_pattern_matches(pattern, path, length);
	while (length && path[length - 1] != '/')
		length--;
	return length && ends_open(pattern) && route_pattern_matches(pattern, path, length);
}

/* The first that the path matches; NULL. */
static const struct config_route *route_of(const struct routes *r, const struct request_parts *q,
					   const char *path, uint32_t length, uint32_t max)
{
	for (size_t i = 0; i < r->o.config->route_count; i++) {
		const struct config_route *route = &r->o.config->routes[i];

		if (route_takes(route, q->method, q->method_length) &&
		    path_matches(route->pattern, path, length, max))
			return route;
	}
	return NULL;
}

/* Could the path of one of its requests match a pattern before this one? */
static bool is_ambiguous(const struct routes *r, const struct request_parts *q,
			 const struct config_route *holds)
{
	for (size_t i = 0; i < r->o.config->route_count; i++) {
		const struct config_route *route = &r->o.config->routes[i];

		if (route == holds)
			return false;
		if (route_takes(route, q->method, q->method_length) &&
		    (q->route_length == WIRE_ROUTE_MAX ||
		     route_pattern_may_match(route->pattern, q->route, q->route_length)))
			return true;
	}
	return false;
}

/* By a pattern where there is one. */
static int endpoint_find(struct routes *r, const struct request_parts *q,
			 const struct config_route *route, uint32_t *ret)
{
	const char *method = method_name(q->method, q->method_length);
	char name[WIRE_ROUTE_MAX + 1];

	if (route)
		return endpoint_of(r, ENDPOINT_PATTERN, *route->method ? route->method : method,
				   route->name, q, ret);
	memcpy(name, q->route, q->route_length);
	name[q->route_length] = 0;
	if (!q->route_length)
		strcpy(name, "*"); /* no path that could be read */
	return endpoint_of(r, q->marked ? ENDPOINT_MARK : ENDPOINT_HEURISTIC, method, name, q, ret);
}

/* ---- classes ---- */

/* All classes of an endpoint become the first, but those whose paths must be looked at. */
static void class_unite(struct routes *r, const struct class *c)
{
	struct endpoint *e = r->endpoints[c->endpoint - 1];
	uint64_t to = e->source == ENDPOINT_OTHER ? WIRE_CLASS_OTHER : e->class_id;

	if (!e->class_id)
		e->class_id = c->id;
	/* It may have ended there meanwhile: no harm is done. */
	if (to && to != c->id && !c->ambiguous && r->o.canonical)
		r->o.canonical(r->o.arg, c->id, to);
}

int routes_class(struct routes *r, const struct wire_event_class *e)
{
	struct request_parts q = { .method = e->method, .route = e->route,
				   .method_length = e->method_length,
				   .route_length = e->route_length,
				   .marked = e->flags & WIRE_REQUEST_MARKED,
				   .field_lengths = e->field_lengths, .fields = e->fields };
	const struct config_route *route = NULL;
	struct class *c = tally_find(&r->classes, &e->class_id);
	int err;

	if (c || e->class_id <= WIRE_CLASS_OTHER)
		return 0;
	if (!q.marked)
		route = route_of(r, &q, q.route, q.route_length, WIRE_ROUTE_MAX);
	err = tally_at(&r->classes, &e->class_id, &c);
	if (err)
		return err == -ENOSPC ? 0 : err;
	c->ambiguous = !q.marked && is_ambiguous(r, &q, route);
	err = endpoint_find(r, &q, route, &c->endpoint);
	if (!err)
		class_unite(r, c);
	return err;
}

int routes_class_endpoint(struct routes *r, uint64_t class_id, uint32_t *ret)
{
	const struct class *c = tally_find(&r->classes, &class_id);

	*ret = c ? c->endpoint : 0;
	return class_id == WIRE_CLASS_OTHER ? endpoint_other(r, ret) : 0;
}

/* Its class's, where that says it all; else by its path. */
static int request_endpoint(struct routes *r, const struct wire_request *w, uint32_t *ret)
{
	struct request_parts q = { .method = w->method, .route = w->route, .path = w->path,
				   .method_length = w->method_length,
				   .route_length = w->route_length,
				   .path_length = w->path_length,
				   .marked = w->flags & WIRE_REQUEST_MARKED,
				   .field_lengths = w->field_lengths, .fields = w->fields };
	const struct class *c = tally_find(&r->classes, &w->class_id);
	const struct config_route *route = NULL;

	if (c && !c->endpoint)
		c = NULL; /* there was no memory for it */
	if (c && !c->ambiguous) {
		*ret = c->endpoint;
		return 0;
	}
	if (!q.marked)
		route = route_of(r, &q, q.path, q.path_length, WIRE_PATH_MAX);
	if (c && !route) {
		*ret = c->endpoint;
		return 0;
	}
	return endpoint_find(r, &q, route, ret);
}



int routes_endpoint(struct routes *r, const struct wire_request *w, uint32_t *ret)
{
	int err = request_endpoint(r, w, ret);

	if (!err && r->endpoints[*ret - 1]->source == ENDPOINT_OTHER)
		r->beyond++;
	return err;
}

const char *routes_name(const struct routes *r, uint32_t endpoint)
{
	const struct endpoint *e = endpoint && endpoint <= r->count ? r->endpoints[endpoint - 1] : NULL;

	return e ? e->text + e->name_at : "";
}

const char *routes_method(const struct routes *r, uint32_t endpoint)
{
	const struct endpoint *e = endpoint && endpoint <= r->count ? r->endpoints[endpoint - 1] : NULL;

	return e ? e->text + e->method_at : "";
}

uint64_t routes_beyond(const struct routes *r)
{
	return r->beyond;
}
