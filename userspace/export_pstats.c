/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cProfile dumps, for pstats, snakeviz and their like: a marshalled dict
 *
 *	{ (file, line, name): (cc, nc, tt, ct, { caller: (nc, cc, tt, ct) }) }
 *
 * with cc primitive and nc all calls (in this order for a function and in the
 * other for a caller, as cProfile has it), tt self and ct cumulative.  These
 * two are seconds when the metric is a time; otherwise they are the count
 * itself, which pstats will call seconds.  Code outside any Python function has
 * no place here.  Names are in full, module and all, so no two keys are equal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/bytes.h"
#include "userspace/export.h"

#define NANOSECONDS 1e9
/* Digits of a long in marshal. */
#define DIGIT_BITS 15

static void put_int32(FILE *out, char type, uint32_t value)
{
	uint8_t bytes[5] = { type };

	put_u32(bytes + 1, value);
	fwrite(bytes, 1, sizeof(bytes), out);
}

static void put_count(FILE *out, uint64_t value)
{
	uint32_t digits = 0;

	if (value <= INT32_MAX) {
		put_int32(out, 'i', value);
		return;
	}
	for (uint64_t rest = value; rest; rest >>= DIGIT_BITS)
		digits++;
	put_int32(out, 'l', digits);
	for (; value; value >>= DIGIT_BITS) {
		fputc(value & 0xff, out);
		fputc(value >> 8 & 0x7f, out);
	}
}

static void put_string(FILE *out, const char *s)
{
	size_t size = strlen(s);

	put_int32(out, 'u', size);
	fwrite(s, 1, size, out);
}

static void put_cost(FILE *out, const struct report *r, uint64_t cost)
{
	bool time = r->profile->meta.metric == METRIC_TASK_CLOCK;
	uint8_t bytes[9] = { 'g' };

	put_double(bytes + 1, time ? cost / NANOSECONDS : cost);
	fwrite(bytes, 1, sizeof(bytes), out);
}

static void put_key(FILE *out, const struct report *r, uint32_t row)
{
	const struct function_row *function = &r->functions.rows[row];
	const struct sink_function *f = &r->profile->functions[function->function];

	put_int32(out, '(', 3);
	put_string(out, *f->file ? f->file : "~");
	put_count(out, f->line);
	put_string(out, function->name);
}

static void put_caller(FILE *out, const struct report *r, const struct function_edge *edge)
{
	put_key(out, r, edge->caller);
	put_int32(out, '(', 4);
	put_count(out, edge->costs.calls);
	put_count(out, edge->costs.primitive_calls);
	put_cost(out, r, edge->costs.self);
	put_cost(out, r, edge->costs.cumulative);
}

static int callee_compare(const void *a, const void *b)
{
	const struct function_edge *x = *(const struct function_edge *const *)a;
	const struct function_edge *y = *(const struct function_edge *const *)b;

	if (x->callee != y->callee)
		return x->callee < y->callee ? -1 : 1;
	return x->caller < y->caller ? -1 : 1;
}

int export_pstats(const struct report *r, FILE *out)
{
	const struct function_costs *fc = &r->functions;
	const struct function_edge **by_callee = calloc(fc->edge_count + 1, sizeof(*by_callee));
	size_t edge = 0;

	if (!by_callee)
		return -ENOMEM;
	for (size_t i = 0; i < fc->edge_count; i++)
		by_callee[i] = &fc->edges[i];
	qsort(by_callee, fc->edge_count, sizeof(*by_callee), callee_compare);

	fputc('{', out);
	for (uint32_t row = 1; row < fc->row_count; row++) {
		const struct call_costs *costs = &fc->rows[row].costs;

		put_key(out, r, row);
		put_int32(out, '(', 5);
		put_count(out, costs->primitive_calls);
		put_count(out, costs->calls);
		put_cost(out, r, costs->self);
		put_cost(out, r, costs->cumulative);
		fputc('{', out);
		for (; edge < fc->edge_count && by_callee[edge]->callee == row; edge++)
			if (by_callee[edge]->caller)
				put_caller(out, r, by_callee[edge]);
		fputc('0', out);
	}
	fputc('0', out);
	free(by_callee);
	return 0;
}
