/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests as comma-separated values: the keys of a row, then numbers in full. */
#include "userspace/csv.h"
#include "userspace/request_view.h"

static void titles_print(const struct request_table *t, const struct request_style *s, FILE *out)
{
	static const char *const spread[] = { "cost", "latency", "cpu" };
	const struct profile_requests *q = &t->profile->requests;

	for (size_t i = 0; i < s->by_count; i++)
		csv_text(out, !i, s->by[i].name);
	fputs(s->by_count ? "," : "", out);
	fputs("requests,rate,share,failed,aborted,probed,shared,cost_sum,cost_mean,cost_error", out);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		for (int i = 0; i < REQUEST_QUANTILES; i++)
			fprintf(out, ",%s_%s", spread[d], request_quantile_names[i]);
	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (m != REQUEST_COST)
			fprintf(out, ",%s_sum,%s_mean", request_measure_name(m),
				request_measure_name(m));
	fputs(",blocked_mean", out);
	for (size_t b = 1; b < q->backend_count; b++) {
		char title[128];

		snprintf(title, sizeof(title), "%.100s_calls", q->backends[b].name);
		csv_text(out, false, title);
		snprintf(title, sizeof(title), "%.100s_ns", q->backends[b].name);
		csv_text(out, false, title);
	}
	fputs(t->estimated ? ",seen,requests_error,cost_sum_error\n" : "\n", out);
}

static void csv_part(FILE *out, const struct request_row *r, uint64_t seen)
{
	fprintf(out, ",%.0f", request_row_part(r, seen));
}

static void row_print(const struct request_table *t, const struct request_style *s,
		      const struct request_row *r, FILE *out)
{
	for (size_t i = 0; i < s->by_count; i++)
		csv_text(out, !i, r->keys[i]);
	fprintf(out, s->by_count ? ",%.0f" : "%.0f", r->estimate);
	csv_number(out, t->seconds > 0 ? r->estimate / t->seconds : 0);
	csv_number(out, request_row_share(t, r));
	csv_part(out, r, r->failed);
	csv_part(out, r, r->aborted);
	csv_part(out, r, r->probed);
	csv_part(out, r, r->shared);
	csv_number(out, r->cost);
	csv_number(out, r->cost_mean);
	csv_number(out, r->cost_error);
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		for (int i = 0; i < REQUEST_QUANTILES; i++)
			csv_number(out, r->quantiles[d][i]);
	for (int m = 0; m < REQUEST_MEASURES; m++) {
		if (m == REQUEST_COST)
			continue;
		fprintf(out, ",%.0f", request_row_sum(r, m));
		csv_number(out, request_row_mean(r, m));
	}
	csv_number(out, request_row_blocked(r));
	for (size_t b = 1; b < t->profile->requests.backend_count; b++) {
		csv_count(out, r->backend_calls[b - 1]);
		csv_count(out, r->backend_ns[b - 1]);
	}
	if (t->estimated) {
		csv_count(out, r->count);
		csv_number(out, r->estimate_error);
		csv_number(out, r->total_error);
	}
	fputc('\n', out);
}

int request_csv(const struct request_table *t, const struct request_style *s, FILE *out)
{
	size_t limit = s->style.limit;

	titles_print(t, s, out);
	for (size_t i = 0; i < t->row_count && (!limit || i < limit); i++)
		row_print(t, s, &t->rows[i], out);
	return 0;
}
