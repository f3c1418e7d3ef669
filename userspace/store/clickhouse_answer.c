/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TabSeparatedWithNamesAndTypes: a line of names, a line of types, a line each row; within
 * them backslash escapes of tab, newline, backslash and others (WriteHelpers.h of 18.16).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_rows.h"

void clickhouse_answer_init(struct clickhouse_answer *a, store_row_fn row, void *arg)
{
	memset(a, 0, sizeof(*a));
	a->row = row;
	a->arg = arg;
}

void clickhouse_answer_free(struct clickhouse_answer *a)
{
	free(a->line);
	a->line = NULL;
	a->used = a->room = 0;
}

static int type_of(const char *name, enum store_type *ret)
{
	if (!strncmp(name, "UInt", 4))
		*ret = STORE_U64;
	else if (!strncmp(name, "Int", 3) || !strncmp(name, "Float", 5))
		*ret = STORE_F64;
	else if (!strcmp(name, "String") || !strncmp(name, "FixedString", 11))
		*ret = STORE_TEXT;
	else
		return -EBADMSG;
	return 0;
}

/* In place. */
static void unescape(char *text)
{
	static const char codes[] = "bfnrt0", bytes[] = "\b\f\n\r\t";
	char *to = text;
	const char *code;

	for (; *text; text++) {
		if (*text != '\\' || !text[1]) {
			*to++ = *text;
			continue;
		}
		text++;
		code = strchr(codes, *text);
		*to++ = code ? bytes[code - codes] : *text;
	}
	*to = '\0';
}

/* A whole number that may be negative, but is not, is u64, as any engine's. */
static int value_of(const struct clickhouse_answer *a, char *text, size_t column,
		    struct store_value *ret)
{
	char *end = text;

	ret->type = a->types[column];
	errno = 0;
	switch (ret->type) {
	case STORE_U64:
		ret->u64 = strtoull(text, &end, 10);
		return errno || end == text || *end || *text == '-' ? -EBADMSG : 0;
	case STORE_F64:
		ret->f64 = strtod(text, &end);
		if (a->whole[column] && ret->f64 >= 0) {
			ret->type = STORE_U64;
			ret->u64 = strtoull(text, &end, 10);
		}
		return end == text || *end ? -EBADMSG : 0;
	default:
		unescape(text);
		ret->text = text;
		return 0;
	}
}

/* A line without its newline, which it may change. */
static int take_line(struct clickhouse_answer *a, char *line)
{
	size_t n = 0;
	int err;

	for (char *at = line, *next; at; at = next, n++) {
		next = strchr(at, '\t');
		if (next)
			*next++ = '\0';
		if (n == CLICKHOUSE_COLUMNS_MAX || (a->lines > 0 && n == a->columns))
			return -EBADMSG;
		if (a->lines == 0)
			continue;
		if (a->lines == 1)
			a->whole[n] = *at == 'I';
		err = a->lines == 1 ? type_of(at, &a->types[n]) :
				      value_of(a, at, n, &a->values[n]);
		if (err)
			return err;
	}
	if (a->lines == 0)
		a->columns = n;
	if (n != a->columns)
		return -EBADMSG;
	if (a->lines < 2) {
		a->lines++;
		return 0;
	}
	return a->row ? a->row(a->arg, a->values, n) : 0;
}

static int grow(struct clickhouse_answer *a, size_t size)
{
	size_t room = a->room ? a->room : 4096;
	char *line;

	if (size > CLICKHOUSE_LINE_MAX)
		return -EBADMSG;
	while (room < size)
		room *= 2;
	if (room == a->room)
		return 0;
	line = realloc(a->line, room);
	if (!line)
		return -ENOMEM;
	a->line = line;
	a->room = room;
	return 0;
}

int clickhouse_answer_take(void *answer, const char *bytes, size_t size)
{
	struct clickhouse_answer *a = answer;
	const char *newline;
	size_t part;
	int err = 0;

	while (size && !err) {
		newline = memchr(bytes, '\n', size);
		part = newline ? (size_t)(newline - bytes) : size;
		if (memchr(bytes, '\0', part))
			return -EBADMSG;
		err = grow(a, a->used + part + 1);
		if (err)
			return err;
		memcpy(a->line + a->used, bytes, part);
		a->used += part;
		if (!newline)
			return 0;
		a->line[a->used] = '\0';
		a->used = 0;
		err = take_line(a, a->line);
		bytes += part + 1;
		size -= part + 1;
	}
	return err;
}

int clickhouse_answer_end(struct clickhouse_answer *a)
{
	return a->used ? -EBADMSG : 0;
}
