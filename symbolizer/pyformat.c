/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pyformat.h"

#include <string.h>

void pyformat_init(struct pyformat *f, const struct pytoken *string)
{
	*f = (struct pyformat){ .raw = string->raw };
	pylexer_init(&f->at, string->at, string->len, string->line);
}

static char next_char(const struct pylexer *lx)
{
	return lx->end - lx->at > 1 ? lx->at[1] : 0;
}

static void skip_to(struct pylexer *lx, const char *characters)
{
	while (lx->at < lx->end && (!*lx->at || !strchr(characters, *lx->at)))
		pylexer_skip(lx);
}

/* To the character that ends an expression, outside of brackets and strings. */
static void skip_expression(struct pylexer *lx)
{
	unsigned depth = 0;

	while (lx->at < lx->end) {
		char c = *lx->at;

		if (c == '"' || c == '\'') {
			struct pytoken string;

			lx->line_start = false;
			pylexer_next(lx, &string);
			continue;
		}
		if (depth == 0 && next_char(lx) == '=' && c && strchr("!=<>", c)) {
			lx->at += 2;
			continue;
		}
		if (depth == 0 && c && strchr("!:=}", c))
			return;
		depth += c == '(' || c == '[' || c == '{';
		depth -= depth && (c == ')' || c == ']' || c == '}');
		pylexer_skip(lx);
	}
}

/* At a backslash: over what it escapes, but for a brace, which counts. */
static void skip_escape(struct pylexer *lx)
{
	char escaped = next_char(lx);

	lx->at++;
	if (lx->at == lx->end || escaped == '{' || escaped == '}')
		return;
	pylexer_skip(lx);
	if (escaped == 'N' && lx->at < lx->end && *lx->at == '{') /* \N{DASH} */
		skip_to(lx, "}");
}

static void take_field(struct pyformat *f, struct pylexer *ret)
{
	struct pylexer *lx = &f->at;

	lx->at++;
	*ret = *lx;
	ret->line_start = false;
	skip_expression(lx);
	ret->end = lx->at;
	skip_to(lx, ":}"); /* over "=" and a conversion */
	if (lx->at == lx->end)
		return;
	f->specifiers += *lx->at == ':';
	lx->at++;
}

bool pyformat_next(struct pyformat *f, struct pylexer *ret)
{
	struct pylexer *lx = &f->at;

	while (lx->at < lx->end) {
		char c = *lx->at;

		if (c == '\\' && !f->raw) {
			skip_escape(lx);
		} else if (c == '{' && next_char(lx) == '{' && !f->specifiers) {
			lx->at += 2;
		} else if (c == '{') {
			take_field(f, ret);
			return true;
		} else {
			f->specifiers -= c == '}' && f->specifiers;
			pylexer_skip(lx);
		}
	}
	return false;
}
