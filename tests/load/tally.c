// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "tests/load/load.h"

#define STATUSES 600
#define PARTS 32 /* of each doubling: latencies are known to 3 % */
#define BINS (64 * PARTS)

static const char *const outcomes[] = {"answered", "cut", "aborted"};

struct tally {
	const struct mix *mix;
	FILE *log;
	uint64_t totals[OUTCOMES], mixed, unnamed, garbled, refused;
	uint64_t (*by_kind)[STATUSES][OUTCOMES];
	uint64_t bins[BINS], longest;
	double sum;
};

struct tally *tally_new(const struct mix *m, FILE *log)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->mix = m;
	t->log = log;
	t->by_kind = calloc(m->count, sizeof(*t->by_kind));
	if (!t->by_kind)
		abort();
	return t;
}

static unsigned bin_of(uint64_t value)
{
	unsigned shift;

	if (value < PARTS)
		return value;
	shift = 63 - __builtin_clzll(value) - __builtin_ctz(PARTS);
	return (shift + 1) * PARTS + (value >> shift) - PARTS;
}

static uint64_t bin_low(unsigned bin)
{
	return bin < PARTS ? bin : (uint64_t)(PARTS + bin % PARTS) << (bin / PARTS - 1);
}

void tally_add(struct tally *t, const struct kind *k, const char *id, const char *path, int status,
	       enum outcome outcome, uint64_t latency)
{
	t->totals[outcome]++;
	t->by_kind[k - t->mix->kinds][status >= 0 && status < STATUSES ? status : 0][outcome]++;
	if (outcome == OUTCOME_ANSWERED) {
		t->bins[bin_of(latency)]++;
		t->sum += latency;
		if (latency > t->longest)
			t->longest = latency;
	}
	if (t->log)
		fprintf(t->log, "%s %s %s %d %s %llu\n", id, k->method, path, status, outcomes[outcome],
			(unsigned long long)latency);
}

void tally_mixed(struct tally *t)
{
	t->mixed++;
}

void tally_unnamed(struct tally *t)
{
	t->unnamed++;
}

void tally_garbled(struct tally *t)
{
	t->garbled++;
}

void tally_refused(struct tally *t)
{
	t->refused++;
}

uint64_t tally_total(const struct tally *t, enum outcome outcome)
{
	return t->totals[outcome];
}

static double quantile_us(const struct tally *t, double share)
{
	uint64_t rank = share * t->totals[OUTCOME_ANSWERED], seen = 0;

	for (unsigned i = 0; i < BINS; i++) {
		seen += t->bins[i];
		if (seen > rank)
			return bin_low(i) / 1000.0;
	}
	return t->longest / 1000.0;
}

static void print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\' || c < ' ' || c > 126)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print_counts(const struct tally *t, FILE *out)
{
	const char *between = "";

	for (unsigned k = 0; k < t->mix->count; k++)
		for (int s = 0; s < STATUSES; s++)
			for (int o = 0; o < OUTCOMES; o++) {
				if (!t->by_kind[k][s][o])
					continue;
				fprintf(out, "%s{\"method\": ", between);
				print_text(out, t->mix->kinds[k].method);
				fprintf(out, ", \"path\": ");
				print_text(out, t->mix->kinds[k].path);
				fprintf(out, ", \"status\": %d, \"outcome\": \"%s\", \"count\": %llu}", s,
					outcomes[o], (unsigned long long)t->by_kind[k][s][o]);
				between = ", ";
			}
}

void tally_print(const struct tally *t, FILE *out, double seconds)
{
	uint64_t answered = t->totals[OUTCOME_ANSWERED];

	fprintf(out, "{\"sent\": %llu, \"answered\": %llu, \"cut\": %llu, \"aborted\": %llu, ",
		(unsigned long long)(answered + t->totals[OUTCOME_CUT] + t->totals[OUTCOME_ABORTED]),
		(unsigned long long)answered, (unsigned long long)t->totals[OUTCOME_CUT],
		(unsigned long long)t->totals[OUTCOME_ABORTED]);
	fprintf(out, "\"mixed\": %llu, \"unnamed\": %llu, \"garbled\": %llu, \"refused\": %llu, ",
		(unsigned long long)t->mixed, (unsigned long long)t->unnamed,
		(unsigned long long)t->garbled, (unsigned long long)t->refused);
	fprintf(out, "\"seconds\": %.6f, \"rate\": %.3f, ", seconds, seconds > 0 ? answered / seconds : 0);
	fprintf(out, "\"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, "
		"\"max\": %.1f}, \"counts\": [", answered ? t->sum / answered / 1000 : 0,
		quantile_us(t, 0.5), quantile_us(t, 0.9), quantile_us(t, 0.99), t->longest / 1000.0);
	print_counts(t, out);
	fprintf(out, "]}\n");
}

void tally_free(struct tally *t)
{
	free(t->by_kind);
	free(t);
}
