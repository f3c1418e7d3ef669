/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign bytes through everything `pycost report` does with them, and `pycost push` but for
 * the sending.
 *
 * A checksum would keep the fuzzer out of the facts, so the input is also taken
 * as facts and put into an intact block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "userspace/bytes.h"
#include "userspace/endpoint_choice.h"
#include "userspace/endpoint_view.h"
#include "userspace/export.h"
#ifdef PYCOST_FLEET
#include "userspace/fleet/fold.h"
#endif
#include "userspace/recording_format.h"
#include "userspace/request_view.h"

static int (*const exports[])(const struct report *, FILE *) = {
	export_json,  export_folded,	export_speedscope,
	export_pprof, export_callgrind, export_pstats,
};

/* All but --lines, which would read files of any name. */
static void fuzz_sampled_views(const struct report *r, const struct report_style *style, FILE *out)
{
	size_t count = r->order_count < 2 ? r->order_count : 2;

	if (report_print_natives(r, style, NULL, 0, out) ||
	    report_print_natives(r, style, r->order, count, out) ||
	    report_print_opcodes(r, style, NULL, 0, out) ||
	    report_print_opcodes(r, style, r->order, count, out) ||
	    export_json_places(r, PLACE_NATIVE, NULL, 0, out) ||
	    export_json_places(r, PLACE_OPCODE, r->order, count, out) ||
	    export_folded_natives(r, out))
		abort();
}

static void fuzz_views(const struct report *r, FILE *out)
{
	static const struct report_style styles[] = {
		{ .width = 60, .color = true, .limit = 5, .min_percent = 0.5 },
		{ .exact = true },
	};

	for (size_t i = 0; i < sizeof(styles) / sizeof(*styles); i++) {
		report_print_header(r, &styles[i], out);
		report_print_functions(r, &styles[i], out);
		report_print_tree(r, &styles[i], out);
		report_print_notes(r, &styles[i], out);
		if (r->order_count)
			report_print_edges(r, &styles[i], r->order[0], i, out);
		if (report_is_sampled(r))
			fuzz_sampled_views(r, &styles[i], out);
	}
}

/* What `pycost requests` does with it. */
static void fuzz_requests(const struct profile *p, const struct recording_status *status, FILE *out)
{
	struct request_field by[] = { { .kind = FIELD_ENDPOINT, .name = "endpoint" },
				      { .kind = FIELD_STATUS_CLASS, .name = "class" },
				      { .kind = FIELD_VIEW, .name = "view" },
				      { .kind = FIELD_TAG, .name = "user" } };
	struct request_style style = { .style = { .width = 80, .limit = 7 }, .by = by,
				       .by_count = 4, .columns = REQUEST_COLUMNS_ALL };
	struct request_query query = { .by = by, .by_count = 4 };
	struct endpoint_views views;
	struct request_table t;

	if (endpoint_views_compute(p, &views))
		abort();
	query.views = &views;
	if (request_table_compute(p, &query, &t))
		abort();
	request_table_sort(&t, REQUEST_SORT_P99);
	request_print_header(&t, &style.style, out);
	request_print_notes(&t, status, &style.style, out);
	if (request_print_table(&t, &style, out) || request_json(&t, status, &style, out) ||
	    request_csv(&t, &style, out) || worker_print(p, &style.style, out) ||
	    worker_json(p, status, out) || worker_csv(p, out))
		abort();
	request_table_free(&t);
	endpoint_views_free(&views);
}

static void fuzz_report(const struct profile *p, const struct recording_status *status)
{
	FILE *out = fopen("/dev/null", "w");
	uint32_t *rows;
	size_t count;
	struct report r;
	char err[64];

	if (!out || report_compute(p, status, false, SORT_SELF, &r))
		abort();
	for (size_t i = 0; i < sizeof(exports) / sizeof(*exports); i++)
		if (exports[i](&r, out))
			abort();
	if (report_has_kernel(&r) && export_folded_kernel(&r, out))
		abort();
	fuzz_views(&r, out);
	if (p->meta.requests)
		fuzz_requests(p, status, out);
	if (!report_find(&r, "f", &rows, &count, err, sizeof(err)))
		free(rows);
	report_free(&r);
	fclose(out);
}

#ifdef PYCOST_FLEET
/* Whatever was recorded, a batch of it is one that a collector takes. */
static int fuzz_batch(void *arg, const struct batch *b)
{
	size_t size;
	void *bytes;

	if (batch_pack(b, &bytes, &size))
		abort();
	free(bytes);
	return 0;
}

static void fuzz_fold(const uint8_t *data, size_t size)
{
	static const struct batch_tag service = { "service", "shop" };
	static const char *const keep[] = { "arm" };
	struct fold_options o = { .sender = "host", .tags = &service, .tag_count = 1,
				  .keep = keep, .keep_count = 1, .emit = fuzz_batch,
				  .limits = { 8, 2, 3 }, .max_costs = 10, .max_paths = 10 };
	struct recording_status status;
	struct fold *fold;
	char err[128];

	if (fold_create(&o, &fold))
		abort();
	if (!recording_read_memory(data, size, fold_sink(fold), &status, err, sizeof(err)) &&
	    fold_finish(fold))
		abort();
	fold_free(fold);
}
#else
static void fuzz_fold(const uint8_t *data, size_t size)
{
}
#endif

static void fuzz_file(const uint8_t *data, size_t size)
{
	static const struct endpoint_choice choice = { .glob = "G*" };
	struct recording_status status;
	struct profile *p;
	char err[128];

	if (profile_create(&p))
		abort();
	if (!recording_read_memory(data, size, &p->sink, &status, err, sizeof(err))) {
		fuzz_report(p, &status);
		if (p->process_count && profile_keep_pid(p, p->processes[0].pid))
			abort();
		fuzz_report(p, &status);
		if (!endpoint_choose(p, &choice, err, sizeof(err)))
			fuzz_report(p, &status);
		fuzz_fold(data, size);
	}
	profile_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t length = size;
	uint8_t *file, *block;

	fuzz_file(data, size);
	/* The same bytes as the payload of a block. */
	file = calloc(1, RECORDING_HEADER_SIZE + RECORDING_BLOCK_HEADER_SIZE + size);
	if (!file)
		abort();
	block = file + RECORDING_HEADER_SIZE;
	memcpy(file, RECORDING_MAGIC, RECORDING_MAGIC_SIZE);
	put_u32(file + RECORDING_MAGIC_SIZE, RECORDING_VERSION);
	put_u32(block, BLOCK_END);
	put_u32(block + 4, length);
	if (size)
		memcpy(block + RECORDING_BLOCK_HEADER_SIZE, data, size);
	put_u64(block + 8, XXH64(block + RECORDING_BLOCK_HEADER_SIZE, size,
				 block_seed(BLOCK_END, length)));
	fuzz_file(file, RECORDING_HEADER_SIZE + RECORDING_BLOCK_HEADER_SIZE + size);
	free(file);
	return 0;
}
