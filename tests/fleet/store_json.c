/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_json STORE [--maintain TIME] < batches.json
 * store_json --pack DIR < batches.json		to files DIR/0, DIR/1... as they travel
 *
 * Writes batches that a test made up into a store; then, if asked to, what the store does
 * each minute. A batch: {"sender", "begin", "slices": [{KEY: VALUE}...], "functions":
 * [[module, qualname, file, line]...], "paths": [[parent or -1, function or -1]...],
 * "costs": [[slice, function or -1, calls, samples, self, cumulative, variances...]...],
 * "path_costs": [[slice, path, calls, samples, self]...], "requests": [{"slice", "count",
 * "estimate", "variance", "sums", "squares", "bins": [[[bin, count]...]...], "backends":
 * [[name, calls, ns]...]}...], "users": [{"slice", "registers": [[index, rank]...]}...],
 * "counters": [[slice, name, value]...]}; indices are from 0.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/store.h"

static size_t size_of(const json_t *b, const char *name)
{
	return json_array_size(json_object_get(b, name));
}

static const json_t *row_of(const json_t *b, const char *name, size_t i)
{
	return json_array_get(json_object_get(b, name), i);
}

static int64_t integer_at(const json_t *row, size_t i)
{
	return json_integer_value(json_array_get(row, i));
}

static double number_at(const json_t *row, size_t i)
{
	return json_number_value(json_array_get(row, i));
}

static const char *text_at(const json_t *row, size_t i)
{
	return json_string_value(json_array_get(row, i));
}

static void *rows_make(size_t count, size_t size)
{
	void *rows = calloc(count + 1, size);

	if (!rows)
		abort();
	return rows;
}

static int tag_compare(const void *a, const void *b)
{
	return strcmp(((const struct batch_tag *)a)->key, ((const struct batch_tag *)b)->key);
}

static void slices_make(const json_t *j, struct batch *b)
{
	size_t count = size_of(j, "slices");
	struct batch_slice *slices = rows_make(count, sizeof(*slices));

	for (size_t i = 0; i < count; i++) {
		json_t *tags = (json_t *)row_of(j, "slices", i), *value;
		struct batch_tag *list = rows_make(json_object_size(tags), sizeof(*list));
		struct batch_slice *s = &slices[i];
		const char *key;

		json_object_foreach(tags, key, value)
			list[s->tag_count++] = (struct batch_tag){ key, json_string_value(value) };
		qsort(list, s->tag_count, sizeof(*list), tag_compare);
		s->tags = list;
		s->id = batch_slice_id(list, s->tag_count, NULL);
		s->fleet = batch_slice_id(list, s->tag_count, TAG_KEY_HOST);
	}
	b->slices = slices;
	b->slice_count = count;
}

static void names_make(const json_t *j, struct batch *b)
{
	size_t functions = size_of(j, "functions"), paths = size_of(j, "paths");
	struct batch_function *f = rows_make(functions, sizeof(*f));
	struct batch_path *p = rows_make(paths, sizeof(*p));

	for (size_t i = 0; i < functions; i++) {
		const json_t *row = row_of(j, "functions", i);

		f[i] = (struct batch_function){ .name = text_at(row, 1), .module = text_at(row, 0),
						.qualname = text_at(row, 1), .class_name = "",
						.file = text_at(row, 2), .wraps = "",
						.line = integer_at(row, 3) };
		f[i].id = batch_function_id(&f[i]);
	}
	for (size_t i = 0; i < paths; i++) {
		int64_t parent = integer_at(row_of(j, "paths", i), 0);
		int64_t function = integer_at(row_of(j, "paths", i), 1);

		p[i].parent = parent < 0 ? 0 : p[parent].id;
		p[i].function = function < 0 ? 0 : f[function].id;
		p[i].id = batch_path_id(p[i].parent, p[i].function);
	}
	b->functions = f;
	b->function_count = functions;
	b->paths = p;
	b->path_count = paths;
}

static void costs_make(const json_t *j, struct batch *b)
{
	size_t costs = size_of(j, "costs"), paths = size_of(j, "path_costs");
	struct batch_cost *c = rows_make(costs, sizeof(*c));
	struct batch_path_cost *p = rows_make(paths, sizeof(*p));

	for (size_t i = 0; i < costs; i++) {
		const json_t *row = row_of(j, "costs", i);
		int64_t function = integer_at(row, 1);

		c[i] = (struct batch_cost){ integer_at(row, 0),
					    function < 0 ? 0 : b->functions[function].id,
					    integer_at(row, 2), integer_at(row, 3),
					    integer_at(row, 4), integer_at(row, 5),
					    number_at(row, 6), number_at(row, 7) };
	}
	for (size_t i = 0; i < paths; i++) {
		const json_t *row = row_of(j, "path_costs", i);

		p[i] = (struct batch_path_cost){ integer_at(row, 0),
						 b->paths[integer_at(row, 1)].id, integer_at(row, 2),
						 integer_at(row, 3), integer_at(row, 4) };
	}
	b->costs = c;
	b->cost_count = costs;
	b->path_costs = p;
	b->path_cost_count = paths;
}

static void request_make(const json_t *row, struct batch_requests *r)
{
	const json_t *sums = json_object_get(row, "sums"), *squares = json_object_get(row, "squares");
	const json_t *backends = json_object_get(row, "backends");
	struct batch_backend *list = rows_make(json_array_size(backends), sizeof(*list));

	r->slice = json_integer_value(json_object_get(row, "slice"));
	r->count = json_integer_value(json_object_get(row, "count"));
	r->estimate = json_number_value(json_object_get(row, "estimate"));
	r->estimate_variance = json_number_value(json_object_get(row, "variance"));
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		r->sums[m] = integer_at(sums, m);
		r->squares[m] = number_at(squares, m);
	}
	for (; r->backend_count < json_array_size(backends); r->backend_count++) {
		const json_t *backend = json_array_get(backends, r->backend_count);

		list[r->backend_count] = (struct batch_backend){
			text_at(backend, 0), integer_at(backend, 1), integer_at(backend, 2) };
	}
	r->backends = list;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++) {
		const json_t *bins = row_of(row, "bins", d);
		size_t count = json_array_size(bins);
		struct sink_bin *all = rows_make(count, sizeof(*all));

		for (size_t i = 0; i < count; i++)
			all[i] = (struct sink_bin){ integer_at(json_array_get(bins, i), 0),
						    integer_at(json_array_get(bins, i), 1) };
		r->bins[d] = all;
		r->bin_counts[d] = count;
	}
}

static void requests_make(const json_t *j, struct batch *b)
{
	size_t count = size_of(j, "requests");
	struct batch_requests *r = rows_make(count, sizeof(*r));

	for (size_t i = 0; i < count; i++)
		request_make(row_of(j, "requests", i), &r[i]);
	b->requests = r;
	b->request_count = count;
}

static void users_make(const json_t *j, struct batch *b)
{
	size_t users = size_of(j, "users"), counters = size_of(j, "counters");
	struct batch_users *u = rows_make(users, sizeof(*u));
	struct batch_counter *c = rows_make(counters, sizeof(*c));

	for (size_t i = 0; i < users; i++) {
		const json_t *row = row_of(j, "users", i);
		size_t count = size_of(row, "registers");
		struct batch_register *all = rows_make(count, sizeof(*all));

		for (size_t k = 0; k < count; k++)
			all[k] = (struct batch_register){
				integer_at(row_of(row, "registers", k), 0),
				integer_at(row_of(row, "registers", k), 1) };
		u[i] = (struct batch_users){ json_integer_value(json_object_get(row, "slice")), all,
					     count };
	}
	for (size_t i = 0; i < counters; i++)
		c[i] = (struct batch_counter){ integer_at(row_of(j, "counters", i), 0),
					       text_at(row_of(j, "counters", i), 1),
					       number_at(row_of(j, "counters", i), 2) };
	b->users = u;
	b->user_count = users;
	b->counters = c;
	b->counter_count = counters;
}

static struct batch *batch_make(const json_t *j, uint64_t number)
{
	struct batch *b = rows_make(1, sizeof(*b));

	memcpy(b->id, &number, sizeof(number));
	b->sender = json_string_value(json_object_get(j, "sender"));
	b->begin_s = json_integer_value(json_object_get(j, "begin"));
	b->seconds = BATCH_SECONDS;
	slices_make(j, b);
	names_make(j, b);
	costs_make(j, b);
	requests_make(j, b);
	users_make(j, b);
	return b;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "store_json: %s: %s\n", what, why);
	return 1;
}

static int pack(const char *directory, const struct batch *const *batches, size_t count)
{
	char path[4096];
	void *bytes;
	size_t size;
	FILE *f;

	for (size_t i = 0; i < count; i++) {
		if (batch_pack(batches[i], &bytes, &size))
			return fail(directory, "cannot pack");
		snprintf(path, sizeof(path), "%s/%zu", directory, i);
		f = fopen(path, "we");
		if (!f || fwrite(bytes, 1, size, f) != size || fclose(f))
			return fail(path, "cannot write");
		free(bytes);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct store_options defaults = { 0 };
	json_t *all = json_loadf(stdin, 0, NULL);
	size_t count = json_array_size(all);
	const struct batch **batches = rows_make(count, sizeof(*batches));
	enum store_written *written = rows_make(count, sizeof(*written));
	struct store *store;
	char err[512] = "";

	if (argc < 2 || !all)
		return fail("usage", "store_json STORE [--maintain TIME] < batches.json");
	for (size_t i = 0; i < count; i++)
		batches[i] = batch_make(json_array_get(all, i), i + 1);
	if (argc == 3 && !strcmp(argv[1], "--pack"))
		return pack(argv[2], batches, count);
	if (store_open(argv[1], &defaults, &store, err, sizeof(err)))
		return fail(argv[1], err);
	if (store_write(store, batches, count, written, err, sizeof(err)))
		return fail("write", err);
	for (size_t i = 0; i < count; i++)
		if (written[i] != STORE_NEW)
			return fail("write", "a batch that is not new");
	if (argc == 4 && store_maintain(store, strtoull(argv[3], NULL, 10), err, sizeof(err)))
		return fail("maintain", err);
	store_close(store);
	return 0;
}
