/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/answer_metrics.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const struct unit {
	const char *name, *suffix;
	double factor;
} units[] = {
	{ "count", "", 1 },	     { "number", "", 1 },
	{ "cost", "", 1 },	     { "ns", "_seconds", 1e-9 },
	{ "bytes", "_bytes", 1 },    { "percent", "_ratio", 1e-2 },
};
#define UNIT_COUNT (sizeof(units) / sizeof(*units))

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* NULL: text, a time, or a detail. */
static const struct unit *unit_of(const json_t *column)
{
	if (json_is_true(json_object_get(column, "detail")))
		return NULL;
	for (size_t i = 0; i < UNIT_COUNT; i++)
		if (!strcmp(units[i].name, text_at(column, "unit")))
			return &units[i];
	return NULL;
}

/* A tag's key may be anything. */
static void write_name(const char *name, FILE *out)
{
	if (!isalpha((unsigned char)*name))
		putc('_', out);
	for (; *name; name++)
		putc(isalnum((unsigned char)*name) ? *name : '_', out);
}

static void write_text(const char *text, FILE *out)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			putc(*text, out);
	}
	putc('"', out);
}

/* A key that was asked for may be one of the answer's own, too. */
static int is_repeated(const json_t *columns, size_t index)
{
	const char *name = text_at(json_array_get(columns, index), "name");

	for (size_t i = 0; i < index; i++)
		if (!strcmp(text_at(json_array_get(columns, i), "name"), name))
			return 1;
	return 0;
}

static void write_labels(const json_t *columns, const json_t *row, FILE *out)
{
	const char *comma = "";
	json_t *column;
	size_t i;

	putc('{', out);
	json_array_foreach((json_t *)columns, i, column) {
		const char *value = json_string_value(json_array_get(row, i));

		if (!value || is_repeated(columns, i))
			continue;
		fputs(comma, out);
		write_name(text_at(column, "name"), out);
		putc('=', out);
		write_text(value, out);
		comma = ",";
	}
	fputs("} ", out);
}

static void write_family(const json_t *answer, const json_t *columns, size_t index,
			 const struct unit *unit, FILE *out)
{
	const char *name = text_at(json_array_get(columns, index), "name");
	json_t *row;
	size_t i;

	fputs("# TYPE pycost_", out);
	fprintf(out, "%s_%s%s gauge\n", text_at(answer, "what"), name, unit->suffix);
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		const json_t *value = json_array_get(row, index);

		if (!json_is_number(value))
			continue;
		fprintf(out, "pycost_%s_%s%s", text_at(answer, "what"), name, unit->suffix);
		write_labels(columns, row, out);
		fprintf(out, "%.17g\n", json_number_value(value) * unit->factor);
	}
}

int answer_metrics_write(const json_t *answer, FILE *out)
{
	const json_t *columns = json_object_get(answer, "columns");
	json_t *column;
	size_t i;

	if (!json_is_array(columns))
		return -EBADMSG;
	json_array_foreach((json_t *)columns, i, column)
		if (!strcmp(text_at(column, "unit"), "time"))
			return -EBADMSG;
	json_array_foreach((json_t *)columns, i, column) {
		const struct unit *unit = unit_of(column);

		if (unit && !is_repeated(columns, i))
			write_family(answer, columns, i, unit, out);
	}
	fputs("# EOF\n", out);
	return ferror(out) ? -EIO : 0;
}
