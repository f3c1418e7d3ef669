// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/checkup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "userspace/text.h"

#define STATUS_WIDTH 6
#define WHAT_WIDTH 22
#define INDENT (STATUS_WIDTH + WHAT_WIDTH)
#define WIDTH_MIN (INDENT + 24)

static const char *const status_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARN] = "warn",
	[CHECK_NO] = "no",
};

static const char *const status_colors[] = {
	[CHECK_OK] = "\033[32m",
	[CHECK_WARN] = "\033[33m",
	[CHECK_NO] = "\033[31m",
};

/* Findings quote paths and names of other people's processes. */
static char *repaired(const char *s)
{
	char *copy = malloc(text_repair(NULL, s));

	if (copy)
		text_repair(copy, s);
	return copy;
}

void checkup_add(struct checkup *c, enum check_status status, const char *what, const char *mend,
		 const char *format, ...)
{
	struct check *grown = realloc(c->v, (c->n + 1) * sizeof(*grown));
	struct check added = {.status = status, .what = what};
	char *finding = NULL;
	va_list args;
	int size;

	if (!grown) {
		c->failed = true;
		return;
	}
	c->v = grown;
	va_start(args, format);
	size = vasprintf(&finding, format, args);
	va_end(args);
	if (size >= 0) {
		added.finding = repaired(finding);
		free(finding);
	}
	if (mend)
		added.mend = repaired(mend);
	if (!added.finding || (mend && !added.mend)) {
		free(added.finding);
		free(added.mend);
		c->failed = true;
		return;
	}
	c->v[c->n++] = added;
}

const struct check *checkup_refusal(const struct checkup *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].status == CHECK_NO)
			return &c->v[i];
	return NULL;
}

/* The cursor is in column INDENT; words that do not fit go to the next line, there. */
static void print_wrapped(FILE *out, const char *text, int width)
{
	int column = INDENT;

	while (*text) {
		size_t size = strcspn(text, " ");
		char word[size + 1];
		int columns;

		memcpy(word, text, size);
		word[size] = 0;
		columns = text_width(word);
		if (width && column > INDENT && column + 1 + columns > width) {
			fprintf(out, "\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			fputc(' ', out);
			column++;
		}
		fputs(word, out);
		column += columns;
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

int checkup_print_table(const struct checkup *c, FILE *out, int width, bool color)
{
	if (c->failed)
		return -ENOMEM;
	if (width && width < WIDTH_MIN)
		width = WIDTH_MIN;
	for (size_t i = 0; i < c->n; i++) {
		const struct check *check = &c->v[i];

		fprintf(out, "%s%-*s%s%-*s", color ? status_colors[check->status] : "",
			STATUS_WIDTH, status_names[check->status], color ? "\033[0m" : "",
			WHAT_WIDTH, check->what);
		print_wrapped(out, check->finding, width);
		if (check->mend) {
			fprintf(out, "%*s", INDENT, "");
			fputs(color ? "\033[1m" : "", out);
			print_wrapped(out, check->mend, width);
			fputs(color ? "\033[0m" : "", out);
		}
	}
	return ferror(out) ? -EIO : 0;
}

int checkup_print_json(const struct checkup *c, FILE *out)
{
	json_t *list = c->failed ? NULL : json_array();
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < c->n; i++) {
		const struct check *check = &c->v[i];
		json_t *item = json_pack("{s:s, s:s, s:s, s:s?}", "check", check->what, "status",
					 status_names[check->status], "finding", check->finding,
					 "mend", check->mend);

		/* A NULL item is refused. */
		if (json_array_append_new(list, item))
			err = -ENOMEM;
	}
	if (!err && (json_dumpf(list, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) ||
		     fputc('\n', out) == EOF))
		err = -EIO;
	json_decref(list);
	return err;
}

void checkup_clear(struct checkup *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].finding);
		free(c->v[i].mend);
	}
	free(c->v);
	*c = (struct checkup){0};
}
