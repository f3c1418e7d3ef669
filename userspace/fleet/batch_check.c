/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/batch_check.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "userspace/histogram.h"
#include "userspace/text.h"

#define RANK_MAX 53 /* 64 bits of hash, but for the 12 that choose a register, and 1 */

/* Where the words go; the first that are said stay. */
struct check {
	char *err;
	size_t errlen;
};

__attribute__((format(printf, 2, 3))) static int bad(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->err, c->errlen, format, args);
	va_end(args);
	return -EBADMSG;
}

static int check_text(struct check *c, const char *what, const char *text)
{
	char repaired[3 * BATCH_TEXT_MAX + 1];

	if (strlen(text) > BATCH_TEXT_MAX)
		return bad(c, "%s is longer than %d bytes", what, BATCH_TEXT_MAX);
	text_repair(repaired, text);
	if (strcmp(repaired, text))
		return bad(c, "%s is not UTF-8, or has control characters", what);
	return 0;
}

static int check_head(struct check *c, const struct batch *b)
{
	if (!*b->sender)
		return bad(c, "the sender has no name");
	if (!b->seconds || b->seconds > 3600)
		return bad(c, "an interval of %u seconds", b->seconds);
	if (b->begin_s % BATCH_SECONDS || b->begin_s > UINT32_MAX)
		return bad(c, "the interval does not begin with a minute");
	return check_text(c, "the sender's name", b->sender);
}

static int check_slice(struct check *c, const struct batch_slice *s)
{
	int err = 0;

	if (s->tag_count > BATCH_TAGS_MAX)
		return bad(c, "a slice has more than %d tags", BATCH_TAGS_MAX);
	for (uint32_t i = 0; i < s->tag_count && !err; i++) {
		if (!*s->tags[i].key ||
		    (i && strcmp(s->tags[i - 1].key, s->tags[i].key) >= 0))
			return bad(c, "the tags of a slice are not in the order of their keys");
		err = check_text(c, "a tag's key", s->tags[i].key);
		if (!err)
			err = check_text(c, "a tag's value", s->tags[i].value);
	}
	if (err)
		return err;
	if (!*batch_slice_tag(s, TAG_KEY_SERVICE) || !*batch_slice_tag(s, TAG_KEY_METRIC))
		return bad(c, "a slice lacks the tag " TAG_KEY_SERVICE " or " TAG_KEY_METRIC);
	if (s->id != batch_slice_id(s->tags, s->tag_count, NULL) ||
	    s->fleet != batch_slice_id(s->tags, s->tag_count, TAG_KEY_HOST))
		return bad(c, "a slice's id is not that of its tags");
	return 0;
}

static int check_names(struct check *c, const struct batch *b)
{
	for (uint32_t i = 0; i < b->function_count; i++) {
		const struct batch_function *f = &b->functions[i];
		const char *texts[] = { f->name,   f->qualname, f->class_name,
					f->module, f->file,	f->wraps };

		for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++)
			if (check_text(c, "a function's name or file", texts[k]))
				return -EBADMSG;
		if (f->id != batch_function_id(f))
			return bad(c, "a function's id is not that of its names");
	}
	for (uint32_t i = 0; i < b->path_count; i++)
		if (b->paths[i].id != batch_path_id(b->paths[i].parent, b->paths[i].function))
			return bad(c, "a call path's id is not that of its functions");
	return 0;
}

static bool is_finite_sum(double value)
{
	return value >= 0 && isfinite(value);
}

static int check_costs(struct check *c, const struct batch *b)
{
	for (uint32_t i = 0; i < b->cost_count; i++) {
		const struct batch_cost *cost = &b->costs[i];
		const char *mode;

		if (cost->slice >= b->slice_count)
			return bad(c, "a function's cost is of no slice");
		mode = batch_slice_tag(&b->slices[cost->slice], TAG_KEY_MODE);
		if (strcmp(mode, "exact") && strcmp(mode, "sampled"))
			return bad(c, "a function's cost is neither exact nor sampled");
		if (!is_finite_sum(cost->self_variance) || !is_finite_sum(cost->cumulative_variance))
			return bad(c, "a function's cost has no finite error");
	}
	for (uint32_t i = 0; i < b->path_cost_count; i++)
		if (b->path_costs[i].slice >= b->slice_count)
			return bad(c, "a call path's cost is of no slice");
	return 0;
}

static int check_bins(struct check *c, const struct sink_bin *bins, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (bins[i].bin >= HISTOGRAM_BINS || !bins[i].count ||
		    (i && bins[i - 1].bin >= bins[i].bin))
			return bad(c, "bins of requests that are out of order, empty or too many");
	return 0;
}

static int check_request(struct check *c, const struct batch *b, const struct batch_requests *r)
{
	if (r->slice >= b->slice_count)
		return bad(c, "requests are of no slice");
	if (!r->count || !is_finite_sum(r->estimate) || !is_finite_sum(r->estimate_variance))
		return bad(c, "requests without a number");
	for (int m = 0; m < REQUEST_MEASURES; m++)
		if (!is_finite_sum(r->squares[m]) || (r->sums[m] < 0 && m != REQUEST_RSS))
			return bad(c, "a sum of requests is below 0 or not finite");
	for (uint32_t i = 0; i < r->backend_count; i++)
		if (check_text(c, "a back end's name", r->backends[i].name))
			return -EBADMSG;
	for (int d = 0; d < REQUEST_DISTRIBUTIONS; d++)
		if (check_bins(c, r->bins[d], r->bin_counts[d]))
			return -EBADMSG;
	return 0;
}

static int check_users(struct check *c, const struct batch *b, const struct batch_users *u)
{
	if (u->slice >= b->slice_count)
		return bad(c, "users are of no slice");
	for (uint32_t i = 0; i < u->register_count; i++) {
		const struct batch_register *r = &u->registers[i];

		if (r->index >= SKETCH_REGISTERS || !r->rank || r->rank > RANK_MAX ||
		    (i && r[-1].index >= r->index))
			return bad(c, "registers of users that are out of order or of range");
	}
	return 0;
}

static int check_counters(struct check *c, const struct batch *b)
{
	for (uint32_t i = 0; i < b->counter_count; i++) {
		const struct batch_counter *n = &b->counters[i];

		if (n->slice >= b->slice_count || !*n->name || !isfinite(n->value))
			return bad(c, "a counter is of no slice, has no name or no value");
		if (check_text(c, "a counter's name", n->name))
			return -EBADMSG;
	}
	return 0;
}

int batch_check(const struct batch *b, char *err, size_t errlen)
{
	struct check c = { err, errlen };
	int ret = check_head(&c, b);

	for (uint32_t i = 0; i < b->slice_count && !ret; i++)
		ret = check_slice(&c, &b->slices[i]);
	if (!ret)
		ret = check_names(&c, b);
	if (!ret)
		ret = check_costs(&c, b);
	for (uint32_t i = 0; i < b->request_count && !ret; i++)
		ret = check_request(&c, b, &b->requests[i]);
	for (uint32_t i = 0; i < b->user_count && !ret; i++)
		ret = check_users(&c, b, &b->users[i]);
	return ret ? ret : check_counters(&c, b);
}
