/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts of requests, out of a recording: as the other readers in recording_facts.c. */
#include <errno.h>

#include "userspace/histogram.h"
#include "userspace/recording_facts.h"

/* A sink without a handler is not interested. */
#define TELL(r, handler, ...) ((r)->to->handler ? (r)->to->handler((r)->to, __VA_ARGS__) : 0)

int read_tags(struct facts *r, struct cursor *c)
{
	const char *strings[2 * TAGS_MAX], *keys[TAGS_MAX], *values[TAGS_MAX];
	struct sink_tags tags = { .count = take_u32(c), .keys = keys, .values = values };
	int err;

	if (tags.count > TAGS_MAX || r->ids.tags == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	err = take_strings(r, c, strings, 2 * tags.count);
	if (err || c->bad)
		return err;
	for (uint32_t i = 0; i < tags.count; i++) {
		keys[i] = strings[2 * i];
		values[i] = strings[2 * i + 1];
	}
	if (!tags_are_valid(&tags))
		c->bad = true;
	if (c->bad)
		return 0;
	tags.id = ++r->ids.tags;
	return TELL(r, tags, &tags);
}

int read_common_tags(struct facts *r, struct cursor *c)
{
	uint32_t tags = take_u32(c);

	if (tags > r->ids.tags)
		c->bad = true;
	return c->bad ? 0 : TELL(r, common_tags, tags);
}

int read_endpoint(struct facts *r, struct cursor *c)
{
	uint32_t source = take_u32(c);
	struct sink_endpoint endpoint = { .source = source, .tags = take_u32(c) };
	const char *s[2];
	int err = take_strings(r, c, s, 2);

	if (err)
		return err;
	if (source > UINT8_MAX || !endpoint_is_valid(&r->ids, &endpoint) ||
	    r->ids.endpoints == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	endpoint.id = ++r->ids.endpoints;
	endpoint.method = s[0];
	endpoint.name = s[1];
	return TELL(r, endpoint, &endpoint);
}

int read_backend(struct facts *r, struct cursor *c)
{
	struct sink_backend backend;
	int err = take_strings(r, c, &backend.name, 1);

	if (err)
		return err;
	if (r->ids.backends == REQUEST_BACKENDS)
		c->bad = true;
	if (c->bad)
		return 0;
	backend.id = ++r->ids.backends;
	return TELL(r, backend, &backend);
}

int read_group(struct facts *r, struct cursor *c)
{
	struct sink_group group = { .endpoint = take_u32(c) };
	uint32_t status, flags;

	group.pid = take_u32(c);
	group.tags = take_u32(c);
	status = take_u32(c);
	flags = take_u32(c);
	group.status = status;
	group.flags = flags;
	if (status > UINT16_MAX || flags > UINT16_MAX || !group_is_valid(&r->ids, &group) ||
	    r->ids.groups == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	group.id = ++r->ids.groups;
	return TELL(r, group, &group);
}

static void take_measures(struct cursor *c, struct sink_requests *ret)
{
	uint64_t present = take_varint(c);

	if (present >> REQUEST_MEASURES)
		c->bad = true;
	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (present & 1ull << m) {
			ret->sums[m] = unzigzag(take_varint(c));
			ret->squares[m] = take_double(c);
		}
}

static void take_backends(struct cursor *c, struct sink_requests *ret)
{
	uint64_t present = take_varint(c);

	if (present >> REQUEST_BACKENDS)
		c->bad = true;
	for (int i = 0; i < REQUEST_BACKENDS; i++)
		if (present & 1ull << i) {
			ret->backend_calls[i] = take_u32(c);
			ret->backend_ns[i] = take_varint(c);
		}
}

static void take_bins(struct cursor *c, struct sink_bin *bins, uint32_t *ret_count)
{
	uint64_t count = take_varint(c), next = 0;

	if (count > HISTOGRAM_BINS)
		c->bad = true;
	for (uint64_t i = 0; i < count && !c->bad; i++) {
		uint64_t above = take_varint(c);

		if (above >= HISTOGRAM_BINS - next) {
			c->bad = true;
			return;
		}
		bins[i].bin = next + above;
		bins[i].count = take_varint(c);
		next += above + 1;
	}
	*ret_count = c->bad ? 0 : count;
}

int read_requests(struct facts *r, struct cursor *c)
{
	struct sink_bin bins[REQUEST_DISTRIBUTIONS][HISTOGRAM_BINS]; /* 92 KB of the stack */
	struct sink_requests requests = { .group = take_u32(c) };

	requests.count = take_varint(c);
	take_measures(c, &requests);
	take_backends(c, &requests);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		requests.bins[d] = bins[d];
		take_bins(c, bins[d], &requests.bin_counts[d]);
	}
	if (c->bad || !requests_are_valid(&r->ids, &requests))
		c->bad = true;
	return c->bad ? 0 : TELL(r, requests, &requests);
}

int read_phase(struct facts *r, struct cursor *c)
{
	struct sink_phase p = { .gap_ns = take_varint(c) };

	p.watched_ns = take_varint(c);
	p.cost_ns = take_varint(c);
	p.cpu_ns = take_varint(c);
	if (!phase_is_valid(&r->ids, &p))
		c->bad = true;
	return c->bad ? 0 : TELL(r, phase, &p);
}

int read_worker(struct facts *r, struct cursor *c)
{
	struct sink_worker w = { .pid = take_u32(c) };
	int64_t exit_status;

	w.ppid = take_u32(c);
	w.born_ns = take_varint(c);
	w.died_ns = take_varint(c);
	exit_status = unzigzag(take_varint(c));
	w.exit_status = exit_status;
	w.requests = take_varint(c);
	w.cost = take_varint(c);
	w.cpu_ns = take_varint(c);
	w.request_cost = take_varint(c);
	w.birth_rss = take_varint(c);
	w.last_rss = take_varint(c);
	w.peak_rss = take_varint(c);
	if (exit_status != w.exit_status)
		c->bad = true;
	return c->bad ? 0 : TELL(r, worker, &w);
}

int read_import(struct facts *r, struct cursor *c)
{
	struct sink_import i = { .endpoint = take_u32(c) };
	int err;

	i.function = take_u32(c);
	err = take_strings(r, c, &i.module, 1);
	if (err)
		return err;
	i.count = take_varint(c);
	i.ns = take_varint(c);
	i.cost = take_varint(c);
	i.self_ns = take_varint(c);
	i.self_cost = take_varint(c);
	if (i.endpoint > r->ids.endpoints || i.function > r->functions || !i.count)
		c->bad = true;
	return c->bad ? 0 : TELL(r, import, &i);
}

int read_collection(struct facts *r, struct cursor *c)
{
	struct sink_collection collection = { .endpoint = take_u32(c) };
	uint32_t generation;

	collection.function = take_u32(c);
	generation = take_u32(c);
	collection.generation = generation;
	collection.count = take_varint(c);
	collection.ns = take_varint(c);
	collection.cost = take_varint(c);
	collection.collected = take_varint(c);
	if (collection.endpoint > r->ids.endpoints || collection.function > r->functions ||
	    generation > UINT8_MAX || !collection.count)
		c->bad = true;
	return c->bad ? 0 : TELL(r, collection, &collection);
}
