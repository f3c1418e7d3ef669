// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "userspace/store/engine.h"
#include "userspace/store/schema.h"
#include "userspace/store/source.h"

#define MINUTE 60u
#define HOUR 3600u
#define DAY 86400u

static uint64_t down(uint64_t t, uint32_t step)
{
	return t - t % step;
}

static uint64_t up(uint64_t t, uint32_t step)
{
	return down(t + step - 1, step);
}

static bool has(const uint64_t *sorted, size_t count, uint64_t t)
{
	size_t low = 0;

	while (low < count) {
		size_t middle = low + (count - low) / 2;

		if (sorted[middle] == t)
			return true;
		if (sorted[middle] > t)
			count = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* The shortest step that facts of this time are kept by. */
static uint32_t kept_step(const struct store_buckets *b, uint64_t t)
{
	return t >= b->minutes_from ? MINUTE : t >= b->hours_from ? HOUR : DAY;
}

/* The longest piece that may begin here, end before the stretch does, and has all facts. */
static uint32_t piece_step(const struct store_buckets *b, const struct store_source *s, uint64_t at)
{
	if (s->step_s == DAY && at % DAY == 0 && at + DAY <= s->until &&
	    !has(b->days, b->day_count, at))
		return DAY;
	if (s->step_s >= HOUR && at % HOUR == 0 && at + HOUR <= s->until &&
	    !has(b->hours, b->hour_count, at))
		return HOUR;
	return MINUTE;
}

/* Up to where nothing longer can begin. */
static uint64_t piece_end(const struct store_source *s, uint32_t step, uint64_t at)
{
	uint64_t end = step == MINUTE && s->step_s > MINUTE ? down(at, HOUR) + HOUR :
		       step == MINUTE ? s->until : at + step;

	return end < s->until ? end : s->until;
}

int source_cut(const struct store_buckets *b, struct store_source *s)
{
	s->piece_count = 0;
	for (uint64_t at = s->since; at < s->until;) {
		uint32_t step = piece_step(b, s, at);
		uint64_t end = piece_end(s, step, at);
		struct store_piece *last = s->piece_count ? &s->pieces[s->piece_count - 1] : NULL;

		if (last && last->step_s == step) {
			last->until = end;
		} else if (s->piece_count == STORE_PIECES_MAX) {
			return -EAGAIN;
		} else {
			s->pieces[s->piece_count++] = (struct store_piece){ step, at, end };
		}
		at = end;
	}
	return 0;
}

int source_choose(const struct store_buckets *b, uint64_t since, uint64_t until, uint32_t step_s,
		  bool by_host, struct store_source *ret)
{
	uint64_t length = until > since ? until - since : 0;
	uint32_t kept = kept_step(b, since);

	if (by_host || (step_s && (step_s < HOUR || step_s % HOUR)))
		ret->step_s = MINUTE;
	else if (step_s)
		ret->step_s = step_s % DAY ? HOUR : DAY;
	else
		ret->step_s = length <= SOURCE_MINUTES_S ? MINUTE : length <= SOURCE_HOURS_S ? HOUR : DAY;
	if (!step_s && !by_host && ret->step_s < kept)
		ret->step_s = kept;
	if (ret->step_s < kept)
		return -ERANGE;
	ret->by_host = by_host;
	ret->since = down(since, kept);
	ret->until = up(until, kept_step(b, until));
	return 0;
}

static int explain_range(const struct store_buckets *b, bool by_host,
			 const struct store_source *s, char *err, size_t errlen)
{
	time_t from = (time_t)(s->step_s == MINUTE ? b->minutes_from : b->hours_from);
	struct tm tm;
	char day[32];

	gmtime_r(&from, &tm);
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
	snprintf(err, errlen, "%s are kept since %s: ask for a later beginning%s",
		 by_host ? "hosts" : s->step_s == MINUTE ? "minutes" : "hours", day,
		 by_host ? ", or not by host" : ", or for longer steps");
	return -ERANGE;
}

int store_source(struct store *s, uint64_t since, uint64_t until, uint32_t step_s, bool by_host,
		 struct store_source *ret, char *err, size_t errlen)
{
	struct store_source source = { 0 };
	struct store_buckets buckets = { 0 };
	int failed = s->engine->buckets(s, down(since, DAY), up(until, DAY), &buckets, err, errlen);

	if (failed)
		return failed;
	failed = source_choose(&buckets, since, until, step_s, by_host, &source);
	if (failed == -ERANGE) {
		explain_range(&buckets, by_host, &source, err, errlen);
	} else {
		failed = source_cut(&buckets, &source);
		if (failed)
			snprintf(err, errlen, "too much came late at once: try again in a minute");
	}
	store_buckets_free(&buckets);
	if (!failed)
		*ret = source;
	return failed;
}

/* " WHERE t >= ..." of all the pieces of one step, when there are any. */
static void write_where(struct store *s, const struct store_source *source, uint32_t step,
			uint64_t since, uint64_t until, unsigned int count, FILE *out)
{
	const char *or = "";

	fprintf(out, " WHERE t >= %" PRIu64 " AND t < %" PRIu64, since, until);
	for (unsigned int i = 0; count > 1 && i < source->piece_count; i++) {
		const struct store_piece *p = &source->pieces[i];

		if (p->step_s != step)
			continue;
		fprintf(out, "%s(t >= %" PRIu64 " AND t < %" PRIu64 ")", *or ? or : " AND (",
			p->since, p->until);
		or = " OR ";
	}
	if (*or)
		fputc(')', out);
	if (step == MINUTE && s->engine->visible)
		s->engine->visible(s, since, until, out);
}

static void write_step(struct store *s, const struct store_source *source, enum store_fact fact,
		       uint32_t step, uint64_t since, uint64_t until, unsigned int count, FILE *out)
{
	const struct schema_table *table = schema_fact(fact);
	bool fleet = step == MINUTE && !source->by_host;

	fprintf(out, "SELECT t AS began, %s AS part", fleet ? "fleet" : "slice");
	for (size_t i = 0; i < table->count; i++)
		fprintf(out, ", %s", table->columns[i].name);
	fprintf(out, " FROM %s_%s", table->name, schema_step_name(step));
	write_where(s, source, step, since, until, count, out);
}

/* Returns whether any piece is of this step. */
static bool write_pieces(struct store *s, const struct store_source *source, enum store_fact fact,
			 uint32_t step, bool first, FILE *out)
{
	uint64_t since = 0, until = 0;
	unsigned int count = 0;

	for (unsigned int i = 0; i < source->piece_count; i++) {
		const struct store_piece *p = &source->pieces[i];

		if (p->step_s != step)
			continue;
		if (!count++)
			since = p->since;
		until = p->until;
	}
	/* An empty stretch has no pieces, but columns. */
	if (!count && !(first && step == MINUTE))
		return false;
	if (!first)
		fputs(" UNION ALL ", out);
	write_step(s, source, fact, step, since, until, count, out);
	return true;
}

void store_from(struct store *s, const struct store_source *source, enum store_fact fact, FILE *out)
{
	static const uint32_t steps[] = { DAY, HOUR, MINUTE };
	const struct schema_table *table = schema_fact(fact);
	bool any = false;

	fprintf(out, "(SELECT intDiv(began, %" PRIu32 ") * %" PRIu32 " AS t, part AS slice",
		source->step_s, source->step_s);
	for (size_t i = 0; i < table->count; i++)
		fprintf(out, ", %s", table->columns[i].name);
	fputs(" FROM (", out);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		any |= write_pieces(s, source, fact, steps[i], !any, out);
	fputs(") AS pieces)", out);
}
