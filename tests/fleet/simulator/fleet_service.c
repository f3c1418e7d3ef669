/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fleet/simulator/fleet_service.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_BIAS 24 /* a new node is called by one of so many latest */

static const char *text(struct service *s, const char *fmt, ...)
{
	char line[200], *kept;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	kept = arena_alloc(&s->memory, strlen(line) + 1);
	return kept ? strcpy(kept, line) : "";
}

static void name_function(struct service *s, uint32_t number)
{
	static const char *const packages[] = {"core", "views", "models", "serializers", "cache", "util"};
	struct batch_function *f = &s->functions[number];
	const char *package = packages[number % 6];
	bool method = number % 3;

	f->module = text(s, "%s.%s.part%u", s->name, package, number / 97);
	f->class_name = method ? text(s, "Thing%u", number / 11) : "";
	f->name = text(s, "do_%u", number);
	f->qualname = method ? text(s, "%s.%s", f->class_name, f->name) : f->name;
	f->file = text(s, "/srv/%s/%s/part%u.py", s->name, package, number / 97);
	f->wraps = "";
	f->line = 10 + number % 97 * 20;
	f->id = batch_function_id(f);
}

static bool called_by(const struct service *s, uint32_t function, uint32_t node)
{
	for (; node != UINT32_MAX; node = s->nodes[node].parent)
		if (s->nodes[node].function == function)
			return true;
	return false;
}

static uint32_t add_node(struct service *s, uint32_t parent, uint32_t function, uint32_t endpoint)
{
	uint32_t n = s->node_count++;
	uint64_t above = parent == UINT32_MAX ? 0 : s->paths[parent].id;
	struct batch_path *p = &s->paths[n];

	s->nodes[n] = (struct service_node){parent, function, endpoint,
					    !called_by(s, function, parent), 0};
	p->parent = above;
	p->function = s->functions[function].id;
	p->id = batch_path_id(above, p->function);
	return n;
}

/* A function is one node below its caller. */
static bool calls_already(const struct service *s, uint32_t first, uint32_t parent, uint32_t function)
{
	for (uint32_t n = first; n < s->node_count; n++)
		if (s->nodes[n].parent == parent && s->nodes[n].function == function)
			return true;
	return false;
}

/* A tree of an endpoint's own, below the frames that all have. */
static void grow(struct service *s, uint32_t endpoint, uint32_t count, uint64_t *random)
{
	uint32_t first, parent = UINT32_MAX, shared = s->function_count * 4 / 10;

	for (uint32_t i = 0; i < COMMON_FRAMES; i++)
		parent = add_node(s, parent, i, endpoint);
	first = add_node(s, parent, COMMON_FRAMES + endpoint, endpoint);
	for (uint32_t i = 1; i < count; i++) {
		uint32_t near = s->node_count - first, caller, function;

		if (near > DEPTH_BIAS && fleet_random(random) % 4)
			near = DEPTH_BIAS;
		caller = s->node_count - 1 - fleet_random(random) % near;
		function = fleet_random(random) % 10 < 4 ?
			COMMON_FRAMES + s->endpoint_count + fleet_random(random) % shared :
			shared + (i * s->endpoint_count + endpoint) % (s->function_count - shared);
		if (function < s->function_count && !calls_already(s, first, caller, function))
			add_node(s, caller, function, endpoint);
	}
}

/* A few nodes take most of it: weights as in Zipf's law, in no order. */
static void weigh(struct service *s, uint64_t *random)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->node_count; i++) {
		sum += 1 / (8 + fleet_even(random) * s->node_count);
		s->nodes[i].weight = sum;
	}
}

int service_make(const struct fleet_options *o, uint32_t number, struct service *s)
{
	uint32_t each = o->functions * 3 / 2 / o->endpoints, nodes;
	uint64_t random = (o->seed + 1) * 0x9e3779b97f4a7c15ULL + number;

	*s = (struct service){.function_count = o->functions, .endpoint_count = o->endpoints};
	nodes = o->endpoints * (each + COMMON_FRAMES + 1);
	snprintf(s->name, sizeof(s->name), "service%u", number);
	s->functions = calloc(o->functions, sizeof(*s->functions));
	s->paths = calloc(nodes, sizeof(*s->paths));
	s->names = calloc(nodes, sizeof(*s->names));
	s->nodes = calloc(nodes, sizeof(*s->nodes));
	s->endpoints = calloc(o->endpoints, sizeof(*s->endpoints));
	if (!s->functions || !s->paths || !s->names || !s->nodes || !s->endpoints)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->functions; i++)
		name_function(s, i);
	for (uint32_t i = 0; i < o->endpoints; i++) {
		s->endpoints[i] = text(s, "%s /%s/view%u/*", i % 4 ? "GET" : "POST", s->name, i);
		grow(s, i, each, &random);
	}
	for (uint32_t i = 0; i < s->node_count; i++)
		if (i < COMMON_FRAMES || s->nodes[i].function >= COMMON_FRAMES)
			s->names[s->name_count++] = s->paths[i];
	weigh(s, &random);
	return service_patterns(o, s, &random);
}

void service_clear(struct service *s, uint32_t patterns)
{
	for (uint32_t i = 0; s->patterns && i < patterns; i++) {
		struct service_pattern *p = &s->patterns[i];

		for (uint32_t r = 0; r < p->request_count; r++)
			for (unsigned d = 0; d < REQUEST_DISTRIBUTIONS; d++)
				free((void *)p->requests[r].bins[d]);
		free(p->costs);
		free(p->path_costs);
		free(p->requests);
	}
	free(s->patterns);
	free(s->functions);
	free(s->paths);
	free(s->names);
	free(s->nodes);
	free(s->endpoints);
	arena_free(&s->memory);
}
