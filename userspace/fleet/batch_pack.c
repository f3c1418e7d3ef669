/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A batch to bytes: columns of numbers, each text once, and zstd over it all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "batch.pb-c.h"
#include "userspace/fleet/batch_check.h"
#include "userspace/fleet/batch_format.h"

#define LEVEL 3

struct texts {
	const char **at; /* by number */
	size_t count, capacity;
	uint32_t *slots; /* number + 1; 0: free */
	size_t mask;
	size_t bytes;
};

struct packing {
	const struct batch *batch;
	struct texts texts;
	struct arena memory;
	bool failed; /* no memory */
};

static int texts_grow(struct texts *t)
{
	size_t capacity = t->capacity ? 2 * t->capacity : 512, mask = 2 * capacity - 1;
	const char **at = reallocarray(t->at, capacity, sizeof(*at));
	uint32_t *slots = calloc(mask + 1, sizeof(*slots));

	if (at)
		t->at = at;
	if (!at || !slots) {
		free(slots);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->count; i++) {
		size_t slot = XXH3_64bits(at[i], strlen(at[i])) & mask;

		while (slots[slot])
			slot = (slot + 1) & mask;
		slots[slot] = i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->mask = mask;
	t->capacity = capacity;
	return 0;
}

static uint32_t text_number(struct packing *p, const char *text)
{
	struct texts *t = &p->texts;
	size_t size = strlen(text), slot;

	if (p->failed || (t->count == t->capacity && texts_grow(t))) {
		p->failed = true;
		return 0;
	}
	for (slot = XXH3_64bits(text, size) & t->mask; t->slots[slot]; slot = (slot + 1) & t->mask)
		if (!strcmp(t->at[t->slots[slot] - 1], text))
			return t->slots[slot] - 1;
	t->at[t->count] = text;
	t->slots[slot] = ++t->count;
	t->bytes += size + 1;
	return t->count - 1;
}

/* Sets a repeated field of the message `to`: values for each i below n. */
#define COLUMN(p, to, field, n, value)                                                        \
	do {                                                                                  \
		(to)->n_##field = (n);                                                        \
		(to)->field = arena_items(&(p)->memory, (n), sizeof(*(to)->field));           \
		if (!(to)->field)                                                             \
			(p)->failed = true;                                                   \
		for (size_t i = 0; !(p)->failed && i < (n); i++)                              \
			(to)->field[i] = (value);                                             \
	} while (0)

static void pack_slices(struct packing *p, Fleet__Slices *to)
{
	const struct batch *b = p->batch;
	size_t tags = 0;

	COLUMN(p, to, tags, b->slice_count, b->slices[i].tag_count);
	for (uint32_t i = 0; i < b->slice_count; i++)
		tags += b->slices[i].tag_count;
	to->n_keys = to->n_values = tags;
	to->keys = arena_items(&p->memory, tags, sizeof(*to->keys));
	to->values = arena_items(&p->memory, tags, sizeof(*to->values));
	if (!to->keys || !to->values)
		p->failed = true;
	tags = 0;
	for (uint32_t i = 0; i < b->slice_count && !p->failed; i++)
		for (uint32_t k = 0; k < b->slices[i].tag_count; k++, tags++) {
			to->keys[tags] = text_number(p, b->slices[i].tags[k].key);
			to->values[tags] = text_number(p, b->slices[i].tags[k].value);
		}
}

static void pack_functions(struct packing *p, Fleet__Functions *to)
{
	const struct batch_function *f = p->batch->functions;
	uint32_t n = p->batch->function_count;

	COLUMN(p, to, name, n, text_number(p, f[i].name));
	COLUMN(p, to, qualname, n, text_number(p, f[i].qualname));
	COLUMN(p, to, class_name, n, text_number(p, f[i].class_name));
	COLUMN(p, to, module, n, text_number(p, f[i].module));
	COLUMN(p, to, file, n, text_number(p, f[i].file));
	COLUMN(p, to, wraps, n, text_number(p, f[i].wraps));
	COLUMN(p, to, line, n, f[i].line);
}

static void pack_paths(struct packing *p, Fleet__Paths *to)
{
	const struct batch *b = p->batch;

	COLUMN(p, to, parent, b->path_count, b->paths[i].parent);
	COLUMN(p, to, function, b->path_count, b->paths[i].function);
}

static void pack_costs(struct packing *p, Fleet__Costs *to)
{
	const struct batch_cost *c = p->batch->costs;
	uint32_t n = p->batch->cost_count;

	COLUMN(p, to, slice, n, c[i].slice);
	COLUMN(p, to, function, n, c[i].function);
	COLUMN(p, to, calls, n, c[i].calls);
	COLUMN(p, to, samples, n, c[i].samples);
	COLUMN(p, to, self, n, c[i].self);
	COLUMN(p, to, cumulative, n, c[i].cumulative);
	COLUMN(p, to, self_variance, n, c[i].self_variance);
	COLUMN(p, to, cumulative_variance, n, c[i].cumulative_variance);
}

static void pack_path_costs(struct packing *p, Fleet__PathCosts *to)
{
	const struct batch_path_cost *c = p->batch->path_costs;
	uint32_t n = p->batch->path_cost_count;

	COLUMN(p, to, slice, n, c[i].slice);
	COLUMN(p, to, path, n, c[i].path);
	COLUMN(p, to, calls, n, c[i].calls);
	COLUMN(p, to, samples, n, c[i].samples);
	COLUMN(p, to, self, n, c[i].self);
}

static void pack_bins(struct packing *p, const struct sink_bin *bins, uint32_t n, Fleet__Bins *to)
{
	fleet__bins__init(to);
	COLUMN(p, to, above, n, bins[i].bin - (i ? bins[i - 1].bin + 1 : 0));
	COLUMN(p, to, count, n, bins[i].count);
}

static void pack_request(struct packing *p, const struct batch_requests *r, Fleet__Requests *to)
{
	const struct batch_backend *backends = r->backends;
	Fleet__Bins *bins = arena_items(&p->memory, REQUEST_DISTRIBUTIONS, sizeof(*bins));

	fleet__requests__init(to);
	to->slice = r->slice;
	to->count = r->count;
	to->estimate = r->estimate;
	to->estimate_variance = r->estimate_variance;
	COLUMN(p, to, sums, REQUEST_MEASURES, r->sums[i]);
	COLUMN(p, to, squares, REQUEST_MEASURES, r->squares[i]);
	COLUMN(p, to, backends, r->backend_count, text_number(p, backends[i].name));
	COLUMN(p, to, backend_calls, r->backend_count, backends[i].calls);
	COLUMN(p, to, backend_ns, r->backend_count, backends[i].ns);
	for (int d = 0; bins && d < REQUEST_DISTRIBUTIONS; d++)
		pack_bins(p, r->bins[d], r->bin_counts[d], &bins[d]);
	COLUMN(p, to, bins, REQUEST_DISTRIBUTIONS, bins ? &bins[i] : NULL);
	p->failed |= !bins;
}

static void pack_requests(struct packing *p, Fleet__Batch *to)
{
	uint32_t n = p->batch->request_count;
	Fleet__Requests *requests = arena_items(&p->memory, n, sizeof(*requests));

	for (uint32_t i = 0; requests && i < n; i++)
		pack_request(p, &p->batch->requests[i], &requests[i]);
	COLUMN(p, to, requests, n, requests ? &requests[i] : NULL);
	p->failed |= !requests;
}

static void pack_registers(struct packing *p, const struct batch_users *u, Fleet__Users *to)
{
	const struct batch_register *r = u->registers;

	fleet__users__init(to);
	to->slice = u->slice;
	COLUMN(p, to, above, u->register_count, r[i].index - (i ? r[i - 1].index + 1 : 0));
	to->ranks.len = u->register_count;
	to->ranks.data = arena_items(&p->memory, u->register_count, 1);
	for (uint32_t i = 0; to->ranks.data && i < u->register_count; i++)
		to->ranks.data[i] = r[i].rank;
	p->failed |= !to->ranks.data;
}

static void pack_users(struct packing *p, Fleet__Batch *to)
{
	uint32_t n = p->batch->user_count;
	Fleet__Users *users = arena_items(&p->memory, n, sizeof(*users));

	for (uint32_t i = 0; users && i < n; i++)
		pack_registers(p, &p->batch->users[i], &users[i]);
	COLUMN(p, to, users, n, users ? &users[i] : NULL);
	p->failed |= !users;
}

static void pack_counters(struct packing *p, Fleet__Counters *to)
{
	const struct batch_counter *c = p->batch->counters;
	uint32_t n = p->batch->counter_count;

	COLUMN(p, to, slice, n, c[i].slice);
	COLUMN(p, to, name, n, text_number(p, c[i].name));
	COLUMN(p, to, value, n, c[i].value);
}

/* When all others have been numbered. */
static void pack_texts(struct packing *p, Fleet__Batch *to)
{
	uint8_t *at = arena_items(&p->memory, p->texts.bytes, 1);

	to->texts = (ProtobufCBinaryData){ p->texts.bytes, at };
	p->failed |= !at;
	for (size_t i = 0; !p->failed && i < p->texts.count; i++)
		at = (uint8_t *)stpcpy((char *)at, p->texts.at[i]) + 1;
}

/* With a checksum: one bit of a number that is wrong would otherwise be as good a number. */
static size_t compress_into(void *bytes, size_t bound, const void *plain, size_t size)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t n = 0;

	if (!c)
		return 0;
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, bytes, bound, plain, size);
	ZSTD_freeCCtx(c);
	return n;
}

static int compress(const Fleet__Batch *m, void **ret_bytes, size_t *ret_size)
{
	size_t size = fleet__batch__get_packed_size(m), bound = ZSTD_compressBound(size);
	uint8_t *plain = malloc(size), *bytes = malloc(bound), *fitting;
	size_t n = 0;

	if (plain && bytes) {
		fleet__batch__pack(m, plain);
		n = compress_into(bytes, bound, plain, size);
	}
	free(plain);
	if (!n || ZSTD_isError(n)) {
		free(bytes);
		return -ENOMEM;
	}
	fitting = realloc(bytes, n);
	*ret_bytes = fitting ? fitting : bytes;
	*ret_size = n;
	return 0;
}

/* All messages that a batch has exactly one of. */
struct parts {
	Fleet__Slices slices;
	Fleet__Functions functions;
	Fleet__Paths paths;
	Fleet__Costs costs;
	Fleet__PathCosts path_costs;
	Fleet__Counters counters;
};

static void pack_parts(struct packing *p, struct parts *parts, Fleet__Batch *to)
{
	fleet__slices__init(to->slices = &parts->slices);
	fleet__functions__init(to->functions = &parts->functions);
	fleet__paths__init(to->paths = &parts->paths);
	fleet__costs__init(to->costs = &parts->costs);
	fleet__path_costs__init(to->path_costs = &parts->path_costs);
	fleet__counters__init(to->counters = &parts->counters);
	pack_slices(p, to->slices);
	pack_functions(p, to->functions);
	pack_paths(p, to->paths);
	pack_costs(p, to->costs);
	pack_path_costs(p, to->path_costs);
	pack_requests(p, to);
	pack_users(p, to);
	pack_counters(p, to->counters);
	pack_texts(p, to);
}

int batch_pack(const struct batch *b, void **ret_bytes, size_t *ret_size)
{
	struct packing p = { .batch = b };
	struct parts parts;
	Fleet__Batch m;
	char wrong[BATCH_ERROR_SIZE];
	int err;

	if (batch_check(b, wrong, sizeof(wrong)))
		return -EINVAL;
	fleet__batch__init(&m);
	m.format = BATCH_FORMAT;
	m.id = (ProtobufCBinaryData){ sizeof(b->id), (uint8_t *)b->id };
	m.sender = text_number(&p, b->sender);
	m.begin_s = b->begin_s;
	m.seconds = b->seconds;
	pack_parts(&p, &parts, &m);
	err = p.failed ? -ENOMEM : compress(&m, ret_bytes, ret_size);
	free(p.texts.at);
	free(p.texts.slots);
	arena_free(&p.memory);
	return err;
}
