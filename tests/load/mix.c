// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/load.h"

static const char *const aborts[] = {"never", "head", "body", "sent", "answer"};

static int read_number(const char *text, uint64_t *ret, char **end)
{
	errno = 0;
	*ret = strtoull(text, end, 10);
	return *end == text || errno ? -EINVAL : 0;
}

static int read_body(struct kind *k, const char *text)
{
	char *end;

	if (read_number(text, &k->body_low, &end))
		return -EINVAL;
	k->body = true;
	k->body_high = k->body_low;
	if (*end == '-' && read_number(end + 1, &k->body_high, &end))
		return -EINVAL;
	return *end || k->body_high < k->body_low ? -EINVAL : 0;
}

static int read_abort(struct kind *k, const char *text)
{
	for (size_t i = 0; i < sizeof(aborts) / sizeof(aborts[0]); i++) {
		if (!strcmp(text, aborts[i])) {
			k->abort = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_field(struct kind *k, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t used = strlen(k->fields);

	if (!colon || used + strlen(text) + 4 > sizeof(k->fields))
		return -EINVAL;
	snprintf(k->fields + used, sizeof(k->fields) - used, "%.*s: %s\r\n", (int)(colon - text), text,
		 colon + 1);
	return 0;
}

static int read_word(struct kind *k, const char *word)
{
	uint64_t number;
	char *end;

	if (!strcmp(word, "chunked"))
		k->chunked = k->body = true;
	else if (!strcmp(word, "expect"))
		k->expect = true;
	else if (!strcmp(word, "close"))
		k->close = true;
	else if (!strncmp(word, "body=", 5))
		return read_body(k, word + 5);
	else if (!strncmp(word, "abort=", 6))
		return read_abort(k, word + 6);
	else if (!strncmp(word, "field=", 6))
		return read_field(k, word + 6);
	else if (!strncmp(word, "trickle=", 8) && !read_number(word + 8, &number, &end) && !*end)
		k->trickle_ms = number;
	else
		return -EINVAL;
	return 0;
}

static int read_kind(struct kind *k, char *line)
{
	char *save, *end, *word = strtok_r(line, " \t\n", &save);
	const char *method = strtok_r(NULL, " \t\n", &save);
	const char *path = strtok_r(NULL, " \t\n", &save);
	uint64_t weight;
	int err;

	if (!path || read_number(word, &weight, &end) || *end || strlen(method) >= sizeof(k->method) ||
	    strlen(path) >= sizeof(k->path) - LOAD_ID_MAX)
		return -EINVAL;
	k->weight = weight;
	strcpy(k->method, method);
	strcpy(k->path, path);
	while ((word = strtok_r(NULL, " \t\n", &save))) {
		err = read_word(k, word);
		if (err)
			return err;
	}
	return k->abort == ABORT_BODY && !k->body ? -EINVAL : 0;
}

int mix_read(struct mix *m, FILE *file, unsigned *line)
{
	char text[4096];

	*m = (struct mix){0};
	for (*line = 1; fgets(text, sizeof(text), file); ++*line) {
		struct kind *kinds, k = {0};

		text[strcspn(text, "#")] = 0;
		if (!text[strspn(text, " \t\n")])
			continue;
		if (read_kind(&k, text))
			return -EINVAL;
		kinds = realloc(m->kinds, (m->count + 1) * sizeof(*kinds));
		if (!kinds)
			return -ENOMEM;
		m->kinds = kinds;
		m->kinds[m->count++] = k;
		m->weights += k.weight;
	}
	return m->weights ? 0 : -EINVAL;
}

const struct kind *mix_pick(const struct mix *m, struct dice *d)
{
	uint64_t at = dice_roll(d) % m->weights;
	const struct kind *k = m->kinds;

	for (; at >= k->weight; k++)
		at -= k->weight;
	return k;
}

void mix_free(struct mix *m)
{
	free(m->kinds);
}
