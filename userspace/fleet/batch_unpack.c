/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign bytes to a batch. Whatever is made of them, the frame's content, protobuf's
 * messages and the batch, is paid for out of one limit before it is made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "batch.pb-c.h"
#include "userspace/fleet/batch_check.h"
#include "userspace/fleet/batch_format.h"
#include "userspace/histogram.h"

struct unpacking {
	struct batch *batch;
	const char **texts;
	size_t text_count;
	size_t left; /* of the limit */
	bool over;   /* more was wanted than that */
	bool no_memory;
	const char *wrong; /* the first thing; NULL: nothing yet */
};

static bool pay(struct unpacking *u, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > u->left) {
		u->over = true;
		return false;
	}
	u->left -= bytes;
	return true;
}

/* Of the batch; never fails silently. */
static void *items(struct unpacking *u, size_t count, size_t size)
{
	void *at = pay(u, count, size) ? arena_items(&u->batch->memory, count, size) : NULL;

	u->no_memory |= !at;
	return at;
}

static bool is_fine(const struct unpacking *u)
{
	return !u->wrong && !u->over && !u->no_memory;
}

static void complain(struct unpacking *u, const char *wrong)
{
	if (!u->wrong)
		u->wrong = wrong;
}

/* For protobuf. What it frees is not given back to the limit: it does so in the end. */
static void *message_alloc(void *data, size_t size)
{
	struct unpacking *u = data;
	void *at = pay(u, 1, size) ? malloc(size) : NULL;

	u->no_memory |= !at;
	return at;
}

static void message_free(void *data, void *at)
{
	free(at);
}

static const char *text_at(struct unpacking *u, uint32_t number)
{
	if (number < u->text_count)
		return u->texts[number];
	complain(u, "a text that is not there");
	return "";
}

static void take_texts(struct unpacking *u, const ProtobufCBinaryData *from)
{
	const char *at = (const char *)from->data, *end;
	char *copy;
	size_t count = 0;

	if (from->len && at[from->len - 1]) {
		complain(u, "the last text has no end");
		return;
	}
	for (size_t i = 0; i < from->len; i++)
		count += !at[i];
	u->texts = items(u, count, sizeof(*u->texts));
	copy = items(u, from->len, 1);
	if (!is_fine(u))
		return;
	if (from->len)
		memcpy(copy, at, from->len);
	end = copy + from->len;
	for (; copy < end; copy += strlen(copy) + 1)
		u->texts[u->text_count++] = copy;
}

/* As many rows as the first column has, and all others likewise. */
#define SAME(u, n, m, field)                                                                  \
	do {                                                                                  \
		if ((m)->n_##field != (n))                                                    \
			complain(u, "columns of different length");                           \
	} while (0)

static void take_slices(struct unpacking *u, const Fleet__Slices *m)
{
	struct batch_slice *slices;
	struct batch_tag *tags;
	size_t used = 0;

	SAME(u, m->n_keys, m, values);
	slices = items(u, m->n_tags, sizeof(*slices));
	tags = items(u, m->n_keys, sizeof(*tags));
	if (!is_fine(u))
		return;
	for (size_t i = 0; i < m->n_keys; i++)
		tags[i] = (struct batch_tag){ text_at(u, m->keys[i]), text_at(u, m->values[i]) };
	for (size_t i = 0; i < m->n_tags; i++) {
		uint32_t count = m->tags[i];

		if (count > m->n_keys - used || count > BATCH_TAGS_MAX) {
			complain(u, "a slice has more tags than there are");
			return;
		}
		slices[i] = (struct batch_slice){
			.id = batch_slice_id(tags + used, count, NULL),
			.fleet = batch_slice_id(tags + used, count, TAG_KEY_HOST),
			.tags = tags + used,
			.tag_count = count,
		};
		used += count;
	}
	if (used != m->n_keys)
		complain(u, "tags of no slice");
	u->batch->slices = slices;
	u->batch->slice_count = m->n_tags;
}

static void take_functions(struct unpacking *u, const Fleet__Functions *m)
{
	size_t n = m->n_name;
	struct batch_function *functions;

	SAME(u, n, m, qualname);
	SAME(u, n, m, class_name);
	SAME(u, n, m, module);
	SAME(u, n, m, file);
	SAME(u, n, m, wraps);
	SAME(u, n, m, line);
	functions = items(u, n, sizeof(*functions));
	for (size_t i = 0; i < n && is_fine(u); i++) {
		functions[i] = (struct batch_function){
			.name = text_at(u, m->name[i]),
			.qualname = text_at(u, m->qualname[i]),
			.class_name = text_at(u, m->class_name[i]),
			.module = text_at(u, m->module[i]),
			.file = text_at(u, m->file[i]),
			.wraps = text_at(u, m->wraps[i]),
			.line = m->line[i],
		};
		functions[i].id = batch_function_id(&functions[i]);
	}
	u->batch->functions = functions;
	u->batch->function_count = n;
}

static void take_paths(struct unpacking *u, const Fleet__Paths *m)
{
	size_t n = m->n_parent;
	struct batch_path *paths;

	SAME(u, n, m, function);
	paths = items(u, n, sizeof(*paths));
	for (size_t i = 0; i < n && is_fine(u); i++)
		paths[i] = (struct batch_path){ batch_path_id(m->parent[i], m->function[i]),
						m->parent[i], m->function[i] };
	u->batch->paths = paths;
	u->batch->path_count = n;
}

static void take_costs(struct unpacking *u, const Fleet__Costs *m)
{
	size_t n = m->n_slice;
	struct batch_cost *costs;

	SAME(u, n, m, function);
	SAME(u, n, m, calls);
	SAME(u, n, m, samples);
	SAME(u, n, m, self);
	SAME(u, n, m, cumulative);
	SAME(u, n, m, self_variance);
	SAME(u, n, m, cumulative_variance);
	costs = items(u, n, sizeof(*costs));
	for (size_t i = 0; i < n && is_fine(u); i++)
		costs[i] = (struct batch_cost){ m->slice[i],	     m->function[i],
						m->calls[i],	     m->samples[i],
						m->self[i],	     m->cumulative[i],
						m->self_variance[i], m->cumulative_variance[i] };
	u->batch->costs = costs;
	u->batch->cost_count = n;
}

static void take_path_costs(struct unpacking *u, const Fleet__PathCosts *m)
{
	size_t n = m->n_slice;
	struct batch_path_cost *costs;

	SAME(u, n, m, path);
	SAME(u, n, m, calls);
	SAME(u, n, m, samples);
	SAME(u, n, m, self);
	costs = items(u, n, sizeof(*costs));
	for (size_t i = 0; i < n && is_fine(u); i++)
		costs[i] = (struct batch_path_cost){ m->slice[i], m->path[i], m->calls[i],
						     m->samples[i], m->self[i] };
	u->batch->path_costs = costs;
	u->batch->path_cost_count = n;
}

/* The number that comes `above` others after the last one; they end before `end`. */
static uint16_t number_after(struct unpacking *u, uint32_t *next, uint32_t above, uint32_t end)
{
	uint32_t number = *next + above;

	if (above >= end - *next) {
		complain(u, "a bin or a register beyond the last");
		return 0;
	}
	*next = number + 1;
	return number;
}

static void take_bins(struct unpacking *u, const Fleet__Bins *m, struct batch_requests *r, int d)
{
	struct sink_bin *bins;
	uint32_t next = 0;

	SAME(u, m->n_above, m, count);
	bins = items(u, m->n_above, sizeof(*bins));
	for (size_t i = 0; i < m->n_above && is_fine(u); i++) {
		bins[i].bin = number_after(u, &next, m->above[i], HISTOGRAM_BINS);
		bins[i].count = m->count[i];
	}
	r->bins[d] = bins;
	r->bin_counts[d] = m->n_above;
}

static void take_backends(struct unpacking *u, const Fleet__Requests *m, struct batch_requests *r)
{
	struct batch_backend *backends;
	size_t n = m->n_backends;

	SAME(u, n, m, backend_calls);
	SAME(u, n, m, backend_ns);
	backends = items(u, n, sizeof(*backends));
	for (size_t i = 0; i < n && is_fine(u); i++)
		backends[i] = (struct batch_backend){ text_at(u, m->backends[i]),
						      m->backend_calls[i], m->backend_ns[i] };
	r->backends = backends;
	r->backend_count = n;
}

/* What a newer sender measures beyond what is known here is left out. */
static void take_request(struct unpacking *u, const Fleet__Requests *m, struct batch_requests *r)
{
	r->slice = m->slice;
	r->count = m->count;
	r->estimate = m->estimate;
	r->estimate_variance = m->estimate_variance;
	for (size_t i = 0; i < m->n_sums && i < REQUEST_MEASURES; i++)
		r->sums[i] = m->sums[i];
	for (size_t i = 0; i < m->n_squares && i < REQUEST_MEASURES; i++)
		r->squares[i] = m->squares[i];
	take_backends(u, m, r);
	for (size_t d = 0; d < m->n_bins && d < REQUEST_DISTRIBUTIONS && is_fine(u); d++)
		take_bins(u, m->bins[d], r, d);
}

static void take_requests(struct unpacking *u, const Fleet__Batch *m)
{
	struct batch_requests *requests = items(u, m->n_requests, sizeof(*requests));

	for (size_t i = 0; i < m->n_requests && is_fine(u); i++)
		take_request(u, m->requests[i], &requests[i]);
	u->batch->requests = requests;
	u->batch->request_count = m->n_requests;
}

static void take_registers(struct unpacking *u, const Fleet__Users *m, struct batch_users *to)
{
	struct batch_register *registers;
	uint32_t next = 0;

	SAME(u, m->ranks.len, m, above);
	registers = items(u, m->n_above, sizeof(*registers));
	for (size_t i = 0; i < m->n_above && is_fine(u); i++) {
		registers[i].index = number_after(u, &next, m->above[i], SKETCH_REGISTERS);
		registers[i].rank = m->ranks.data[i];
	}
	*to = (struct batch_users){ m->slice, registers, m->n_above };
}

static void take_users(struct unpacking *u, const Fleet__Batch *m)
{
	struct batch_users *users = items(u, m->n_users, sizeof(*users));

	for (size_t i = 0; i < m->n_users && is_fine(u); i++)
		take_registers(u, m->users[i], &users[i]);
	u->batch->users = users;
	u->batch->user_count = m->n_users;
}

static void take_counters(struct unpacking *u, const Fleet__Counters *m)
{
	size_t n = m->n_slice;
	struct batch_counter *counters;

	SAME(u, n, m, name);
	SAME(u, n, m, value);
	counters = items(u, n, sizeof(*counters));
	for (size_t i = 0; i < n && is_fine(u); i++)
		counters[i] = (struct batch_counter){ m->slice[i], text_at(u, m->name[i]),
						      m->value[i] };
	u->batch->counters = counters;
	u->batch->counter_count = n;
}

static void take_batch(struct unpacking *u, const Fleet__Batch *m)
{
	struct batch *b = u->batch;

	if (m->id.len != sizeof(b->id)) {
		complain(u, "the batch's id is not of 16 bytes");
		return;
	}
	memcpy(b->id, m->id.data, sizeof(b->id));
	take_texts(u, &m->texts);
	b->sender = text_at(u, m->sender);
	b->begin_s = m->begin_s;
	b->seconds = m->seconds;
	if (m->slices && is_fine(u))
		take_slices(u, m->slices);
	if (m->functions && is_fine(u))
		take_functions(u, m->functions);
	if (m->paths && is_fine(u))
		take_paths(u, m->paths);
	if (m->costs && is_fine(u))
		take_costs(u, m->costs);
	if (m->path_costs && is_fine(u))
		take_path_costs(u, m->path_costs);
	if (is_fine(u))
		take_requests(u, m);
	if (is_fine(u))
		take_users(u, m);
	if (m->counters && is_fine(u))
		take_counters(u, m->counters);
}

/* The frame's content, in memory of its own. */
static uint8_t *decompress(struct unpacking *u, const void *bytes, size_t size, size_t *ret_size)
{
	unsigned long long content = ZSTD_getFrameContentSize(bytes, size);
	uint8_t *plain;

	if (content == ZSTD_CONTENTSIZE_ERROR || content == ZSTD_CONTENTSIZE_UNKNOWN) {
		complain(u, "it is not one frame of zstd that says its size");
		return NULL;
	}
	if (content > SIZE_MAX || !pay(u, 1, content)) {
		u->over = true;
		return NULL;
	}
	plain = malloc(content + 1);
	if (!plain) {
		u->no_memory = true;
		return NULL;
	}
	*ret_size = ZSTD_decompress(plain, content, bytes, size);
	if (ZSTD_isError(*ret_size) || *ret_size != content) {
		complain(u, "the frame of zstd is damaged");
		free(plain);
		return NULL;
	}
	return plain;
}

static void parse(struct unpacking *u, const uint8_t *plain, size_t size)
{
	ProtobufCAllocator allocator = { message_alloc, message_free, u };
	Fleet__Batch *m = fleet__batch__unpack(&allocator, size, plain);

	if (!m)
		complain(u, "the protobuf message is damaged");
	else if (m->format != BATCH_FORMAT)
		complain(u, "it is of another format, as a newer pycost's may be");
	else
		take_batch(u, m);
	if (m)
		fleet__batch__free_unpacked(m, &allocator);
}

int batch_unpack(const void *bytes, size_t size, size_t limit, struct batch *ret, char *err,
		 size_t errlen)
{
	struct batch b = { .sender = "" };
	struct unpacking u = { .batch = &b, .left = limit };
	size_t plain_size = 0;
	uint8_t *plain = decompress(&u, bytes, size, &plain_size);
	int result = 0;

	if (plain)
		parse(&u, plain, plain_size);
	free(plain);
	if (u.over) {
		snprintf(err, errlen, "it is more than %zu bytes when unpacked", limit);
		result = -EFBIG;
	} else if (u.no_memory) {
		snprintf(err, errlen, "no memory");
		result = -ENOMEM;
	} else if (u.wrong) {
		snprintf(err, errlen, "%s", u.wrong);
		result = -EBADMSG;
	} else {
		result = batch_check(&b, err, errlen);
	}
	if (result)
		batch_free(&b);
	else
		*ret = b;
	return result;
}
