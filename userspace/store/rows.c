// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "userspace/store/rows.h"

/* A row under way, and where it goes. */
struct row {
	struct store_value values[SCHEMA_COLUMNS_MAX];
	size_t count;
	rows_fn fn;
	void *arg;
};

static void add_u64(struct row *r, uint64_t value)
{
	r->values[r->count++] = (struct store_value){ STORE_U64, { .u64 = value } };
}

static void add_f64(struct row *r, double value)
{
	r->values[r->count++] = (struct store_value){ STORE_F64, { .f64 = value } };
}

static void add_text(struct row *r, const char *value)
{
	r->values[r->count++] = (struct store_value){ STORE_TEXT, { .text = value ? value : "" } };
}

static int finish(struct row *r)
{
	return r->fn(r->arg, r->values, r->count);
}

/* attempt and t are in place; the slice's ids are next. */
static void begin_fact(struct row *r, const struct batch *b, uint32_t slice)
{
	r->count = 2;
	add_u64(r, b->slices[slice].id);
	add_u64(r, b->slices[slice].fleet);
}

static int cost_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->cost_count; i++) {
		const struct batch_cost *c = &b->costs[i];

		begin_fact(r, b, c->slice);
		add_u64(r, c->function);
		add_u64(r, 1);
		add_u64(r, c->calls);
		add_u64(r, c->samples);
		add_f64(r, (double)c->self);
		add_f64(r, (double)c->cumulative);
		add_f64(r, (double)c->self * c->self);
		add_f64(r, (double)c->cumulative * c->cumulative);
		add_f64(r, c->self_variance);
		add_f64(r, c->cumulative_variance);
		err = finish(r);
	}
	return err;
}

static int path_cost_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->path_cost_count; i++) {
		const struct batch_path_cost *c = &b->path_costs[i];

		begin_fact(r, b, c->slice);
		add_u64(r, c->path);
		add_u64(r, c->calls);
		add_u64(r, c->samples);
		add_f64(r, (double)c->self);
		err = finish(r);
	}
	return err;
}

static int request_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->request_count; i++) {
		const struct batch_requests *q = &b->requests[i];

		begin_fact(r, b, q->slice);
		add_u64(r, q->count);
		add_f64(r, q->estimate);
		add_f64(r, q->estimate_variance);
		add_f64(r, q->count ? q->estimate * (q->estimate - q->count) / q->count : 0);
		add_f64(r, q->count ? q->sums[REQUEST_COST] * q->estimate / q->count : 0);
		for (unsigned int m = 0; m < REQUEST_MEASURES; m++) {
			add_f64(r, (double)q->sums[m]);
			add_f64(r, q->squares[m]);
		}
		err = finish(r);
	}
	return err;
}

static int bins_of(const struct batch *b, const struct batch_requests *q, unsigned int d,
		   struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < q->bin_counts[d]; i++) {
		if (!q->bins[d][i].count)
			continue;
		begin_fact(r, b, q->slice);
		add_u64(r, d);
		add_u64(r, q->bins[d][i].bin);
		add_u64(r, q->bins[d][i].count);
		err = finish(r);
	}
	return err;
}

static int bin_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->request_count; i++)
		for (unsigned int d = 0; !err && d < REQUEST_DISTRIBUTIONS; d++)
			err = bins_of(b, &b->requests[i], d, r);
	return err;
}

static int backend_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->request_count; i++) {
		const struct batch_requests *q = &b->requests[i];

		for (uint32_t k = 0; !err && k < q->backend_count; k++) {
			begin_fact(r, b, q->slice);
			add_text(r, q->backends[k].name);
			add_u64(r, q->backends[k].calls);
			add_f64(r, (double)q->backends[k].ns);
			err = finish(r);
		}
	}
	return err;
}

static int user_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->user_count; i++) {
		const struct batch_users *u = &b->users[i];

		for (uint32_t k = 0; !err && k < u->register_count; k++) {
			if (!u->registers[k].rank)
				continue;
			begin_fact(r, b, u->slice);
			add_u64(r, u->registers[k].index);
			add_u64(r, u->registers[k].rank);
			err = finish(r);
		}
	}
	return err;
}

static int counter_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->counter_count; i++) {
		begin_fact(r, b, b->counters[i].slice);
		add_text(r, b->counters[i].name);
		add_f64(r, b->counters[i].value);
		err = finish(r);
	}
	return err;
}

uint64_t rows_minute(const struct batch *b)
{
	return b->begin_s - b->begin_s % BATCH_SECONDS;
}

int rows_of_fact(const struct batch *b, uint64_t attempt, enum store_fact fact, rows_fn row,
		 void *arg)
{
	static int (*const makers[STORE_FACTS])(const struct batch *, struct row *) = {
		[FACT_COSTS] = cost_rows,      [FACT_PATH_COSTS] = path_cost_rows,
		[FACT_REQUESTS] = request_rows, [FACT_BINS] = bin_rows,
		[FACT_BACKENDS] = backend_rows, [FACT_USERS] = user_rows,
		[FACT_COUNTERS] = counter_rows,
	};
	struct row r = { .fn = row, .arg = arg };

	add_u64(&r, attempt);
	add_u64(&r, rows_minute(b));
	return makers[fact](b, &r);
}

/* without: a key that is left out, or NULL. */
static int tag_rows(const struct batch_slice *s, uint64_t id, const char *without, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < s->tag_count; i++) {
		if (without && !strcmp(s->tags[i].key, without))
			continue;
		r->count = 0;
		add_u64(r, id);
		add_text(r, s->tags[i].key);
		add_text(r, s->tags[i].value);
		err = finish(r);
	}
	return err;
}

static int slice_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->slice_count; i++) {
		const struct batch_slice *s = &b->slices[i];

		err = tag_rows(s, s->id, NULL, r);
		if (!err && s->fleet != s->id)
			err = tag_rows(s, s->fleet, TAG_KEY_HOST, r);
	}
	return err;
}

static int function_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->function_count; i++) {
		const struct batch_function *f = &b->functions[i];

		r->count = 0;
		add_u64(r, f->id);
		add_text(r, f->name);
		add_text(r, f->qualname);
		add_text(r, f->class_name);
		add_text(r, f->module);
		add_text(r, f->file);
		add_text(r, f->wraps);
		add_u64(r, f->line);
		err = finish(r);
	}
	return err;
}

static int path_rows(const struct batch *b, struct row *r)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < b->path_count; i++) {
		r->count = 0;
		add_u64(r, b->paths[i].id);
		add_u64(r, b->paths[i].parent);
		add_u64(r, b->paths[i].function);
		err = finish(r);
	}
	return err;
}

int rows_of_names(const struct batch *b, enum schema_names which, rows_fn row, void *arg)
{
	struct row r = { .fn = row, .arg = arg };

	switch (which) {
	case NAMES_TAGS:
		return slice_rows(b, &r);
	case NAMES_FUNCTIONS:
		return function_rows(b, &r);
	default:
		return path_rows(b, &r);
	}
}

uint64_t rows_count(const struct batch *b)
{
	uint64_t n = (uint64_t)b->cost_count + b->path_cost_count + b->request_count +
		     b->counter_count;

	for (uint32_t i = 0; i < b->request_count; i++) {
		n += b->requests[i].backend_count;
		for (unsigned int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
			n += b->requests[i].bin_counts[d];
	}
	for (uint32_t i = 0; i < b->user_count; i++)
		n += b->users[i].register_count;
	return n;
}
