/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From words to a question. Whatever they are, they stay data: see query_sql.c. */
#include "userspace/query/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/glob.h"
#include "userspace/query/query_kind.h"
#include "userspace/query/query_measure.h"
#include "userspace/query/query_time.h"
#include "userspace/text.h"

#define SINCE_DEFAULT 3600
#define STEP_MIN 60

bool query_word_is_in(const char *words, const char *word)
{
	size_t size = strlen(word);

	while (*words) {
		size_t length = strcspn(words, " ");

		if (length == size && !memcmp(words, word, size))
			return true;
		words += length + (words[length] == ' ');
	}
	return false;
}

enum query_what query_by_name(const char *name)
{
	for (size_t i = 0; i < query_kind_count; i++)
		if (!strcmp(query_kinds[i].name, name))
			return query_kinds[i].what;
	return 0;
}

const struct query_kind *query_kind_of(enum query_what what)
{
	for (size_t i = 0; i < query_kind_count; i++)
		if (query_kinds[i].what == what)
			return &query_kinds[i];
	return NULL;
}

void query_init(struct query *q, enum query_what what, uint64_t now_s)
{
	const struct query_kind *kind = query_kind_of(what);
	const char *sorts = kind ? kind->sorts : "";

	*q = (struct query){
		.what = what,
		.since = now_s > SINCE_DEFAULT ? now_s - SINCE_DEFAULT : 0,
		.until = now_s,
		.limit = kind ? kind->limit : QUERY_LIMIT_DEFAULT,
	};
	snprintf(q->sort, sizeof(q->sort), "%.*s", (int)strcspn(sorts, " "), sorts);
	snprintf(q->measure, sizeof(q->measure), "%s", QUERY_MEASURE_DEFAULT);
}

struct setting {
	struct query *q;
	const struct query_kind *kind;
	uint64_t now_s;
	char *err;
	size_t errlen;
};

#define REFUSE(set, ...) (snprintf((set)->err, (set)->errlen, __VA_ARGS__), -EINVAL)

/* What stores have went through the same repair, so that nothing else is there to be found. */
static int text_take(const struct setting *s, const char *key, const char *value, size_t size,
		     char ret[QUERY_TEXT_MAX])
{
	char repaired[QUERY_TEXT_MAX * 3];

	if (size >= QUERY_TEXT_MAX)
		return REFUSE(s, "%s: texts have less than %d bytes", key, QUERY_TEXT_MAX);
	memcpy(ret, value, size);
	ret[size] = '\0';
	if (text_repair(NULL, ret) > sizeof(repaired))
		return REFUSE(s, "%s: is no UTF-8 text", key);
	text_repair(repaired, ret);
	if (strcmp(repaired, ret))
		return REFUSE(s, "%s: '%.40s' is no UTF-8 text, or has control characters", key,
			      repaired);
	return 0;
}

static int glob_take(const struct setting *s, const char *key, const char *value,
		     char ret[QUERY_TEXT_MAX])
{
	int err = text_take(s, key, value, strlen(value), ret);
	const char *objection = err ? NULL : glob_objection(ret);

	if (objection)
		return REFUSE(s, "%s: '%s': %s", key, ret, objection);
	return err;
}

static int time_take(const struct setting *s, const char *key, const char *value, uint64_t *ret)
{
	int err = query_time_parse(value, s->now_s, ret);

	if (err == -ERANGE)
		return REFUSE(s, "%s: '%.40s' is too long ago, or too far ahead", key, value);
	if (err)
		return REFUSE(s,
			      "%s: '%.40s' is no time: 90s, 5m, 1h, 2d (ago), now, 2026-11-22, "
			      "2026-11-22T16:05 (UTC) or Unix seconds",
			      key, value);
	return 0;
}

static int step_take(const struct setting *s, const char *value)
{
	uint64_t step;

	if (query_time_span(value, &step) || step % STEP_MIN || !step || step > UINT32_MAX ||
	    (step > 3600 && step % 3600) || (step < 3600 && 3600 % step))
		return REFUSE(s,
			      "step: '%.40s' is no step: minutes that divide an hour, or whole hours: "
			      "1m, 5m, 15m, 1h, 6h, 1d",
			      value);
	s->q->step_s = step;
	return 0;
}

static int where_take(const struct setting *s, const char *value)
{
	const char *equals = strchr(value, '=');
	struct query_condition c = { .not = equals && equals > value && equals[-1] == '!' };
	int err;

	if (!equals || equals - c.not == value)
		return REFUSE(s, "where: '%.40s' is not KEY=GLOB or KEY!=GLOB", value);
	if (s->q->where_count == QUERY_CONDITIONS_MAX)
		return REFUSE(s, "where: no more than %d conditions", QUERY_CONDITIONS_MAX);
	err = text_take(s, "where", value, equals - c.not - value, c.key);
	if (!err)
		err = glob_take(s, "where", equals + 1, c.glob);
	if (!err)
		s->q->where[s->q->where_count++] = c;
	return err;
}

static int key_take(const struct setting *s, const char *key, size_t size)
{
	struct query *q = s->q;
	char text[QUERY_TEXT_MAX];
	int err = text_take(s, "by", key, size, text);

	if (err)
		return err;
	if (!size)
		return REFUSE(s, "by: takes keys with a comma between any two");
	/* These are kept apart anyway. */
	if (s->q->what != QUERY_TAGS && (!strcmp(text, TAG_KEY_METRIC) || !strcmp(text, TAG_KEY_MODE)))
		return 0;
	for (unsigned i = 0; i < q->by_count; i++)
		if (!strcmp(q->by[i], text))
			return 0;
	if (q->by_count == QUERY_KEYS_MAX)
		return REFUSE(s, "by: takes at most %d keys", QUERY_KEYS_MAX);
	strcpy(q->by[q->by_count++], text);
	return 0;
}

static int by_take(const struct setting *s, const char *value)
{
	int err = 0;

	for (size_t size; !err; value += size + 1) {
		size = strcspn(value, ",");
		err = key_take(s, value, size);
		if (!value[size])
			break;
	}
	return err;
}

static int sort_take(const struct setting *s, const char *value)
{
	if (!*s->kind->sorts)
		return REFUSE(s, "sort: %s are sorted already", s->kind->name);
	if (!query_word_is_in(s->kind->sorts, value))
		return REFUSE(s, "sort: '%.40s' is none of: %s", value, s->kind->sorts);
	snprintf(s->q->sort, sizeof(s->q->sort), "%s", value);
	return 0;
}

static int limit_take(const struct setting *s, const char *value)
{
	char *end;
	uint64_t limit = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || limit > QUERY_LIMIT_MAX)
		return REFUSE(s, "limit: '%.40s' is no number up to %d (0: %d)", value,
			      QUERY_LIMIT_MAX, QUERY_LIMIT_MAX);
	s->q->limit = limit ? limit : QUERY_LIMIT_MAX;
	return 0;
}

static int measure_take(const struct setting *s, const char *value)
{
	struct query_measure m;
	int err = text_take(s, "measure", value, strlen(value), s->q->measure);

	return err ? err : query_measure_parse(value, &m, s->err, s->errlen);
}

int query_set(struct query *q, const char *key, const char *value, uint64_t now_s, char *err,
	      size_t errlen)
{
	const struct setting s = { q, query_kind_of(q->what), now_s, err, errlen };

	if (!s.kind)
		return REFUSE(&s, "no such question");
	if (query_word_is_in("by function measure step", key) &&
	    !query_word_is_in(s.kind->parts, key))
		return REFUSE(&s, "%s: %s do not know it", key, s.kind->name);
	if (!strcmp(key, "since"))
		return time_take(&s, key, value, &q->since);
	if (!strcmp(key, "until"))
		return time_take(&s, key, value, &q->until);
	if (!strcmp(key, "step"))
		return step_take(&s, value);
	if (!strcmp(key, "where"))
		return where_take(&s, value);
	if (!strcmp(key, "by"))
		return by_take(&s, value);
	if (!strcmp(key, "function"))
		return glob_take(&s, key, value, q->function);
	if (!strcmp(key, "measure"))
		return measure_take(&s, value);
	if (!strcmp(key, "sort"))
		return sort_take(&s, value);
	if (!strcmp(key, "limit"))
		return limit_take(&s, value);
	return REFUSE(&s, "'%.40s' is none of since, until, step, where, by, function, measure, sort, "
		      "limit", key);
}
