/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/pytoken.h"

#include <ctype.h>
#include <string.h>

/* Bytes above ASCII belong to names: which of them may is not looked at. */
static bool is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static char peek(const struct pylexer *lx, size_t ahead)
{
	return (size_t)(lx->end - lx->at) > ahead ? lx->at[ahead] : 0;
}

void pylexer_init(struct pylexer *lx, const char *text, size_t len, unsigned line)
{
	*lx = (struct pylexer){ text, text + len, line, 0, true };
}

void pylexer_skip(struct pylexer *lx)
{
	char c = *lx->at++;

	if (c == '\r' && peek(lx, 0) == '\n')
		lx->at++;
	if (is_line_end(c))
		lx->line++;
}

/* Parser/tokenizer.c, tok_get(): a form feed starts the count anew. */
static void take_indent(struct pylexer *lx)
{
	unsigned column = 0;

	for (; lx->at < lx->end; lx->at++) {
		if (*lx->at == ' ')
			column++;
		else if (*lx->at == '\t')
			column = (column / 8 + 1) * 8;
		else if (*lx->at == '\f')
			column = 0;
		else
			break;
	}
	lx->indent = column;
	lx->line_start = false;
}

static void skip_blanks(struct pylexer *lx)
{
	while (lx->at < lx->end) {
		char c = *lx->at;

		if (c == '\\' && is_line_end(peek(lx, 1))) {
			lx->at++;
			pylexer_skip(lx);
		} else if (c == '#') {
			while (lx->at < lx->end && !is_line_end(*lx->at))
				lx->at++;
		} else if (c == ' ' || c == '\t' || c == '\f') {
			lx->at++;
		} else {
			return;
		}
	}
}

/* At the opening quote.  An unclosed '…' ends with its line. */
static void take_string(struct pylexer *lx, struct pytoken *t)
{
	char quote = *lx->at;
	bool triple = peek(lx, 1) == quote && peek(lx, 2) == quote;

	t->kind = PYTOKEN_STRING;
	lx->at += triple ? 3 : 1;
	t->at = lx->at;
	while (lx->at < lx->end) {
		char c = *lx->at;

		if (c == quote && (!triple || (peek(lx, 1) == quote && peek(lx, 2) == quote)))
			break;
		if (!triple && is_line_end(c)) {
			t->len = (size_t)(lx->at - t->at);
			return;
		}
		if (c == '\\' && lx->end - lx->at > 1)
			lx->at++;
		pylexer_skip(lx);
	}
	t->len = (size_t)(lx->at - t->at);
	if (lx->at < lx->end)
		lx->at += triple ? 3 : 1;
}

/* Whether the name is a string's prefix, and which. */
static bool is_prefix(struct pytoken *t)
{
	bool bytes = false, unicode = false;

	if (t->len > 2)
		return false;
	t->format = t->raw = false;
	for (size_t i = 0; i < t->len; i++) {
		switch (t->at[i] | 0x20) {
		case 'r':
			t->raw = true;
			break;
		case 'f':
			t->format = true;
			break;
		case 'b':
			bytes = true;
			break;
		case 'u':
			unicode = true;
			break;
		default:
			return false;
		}
	}
	return t->raw + t->format + bytes + unicode == (int)t->len && !(t->format && bytes) &&
	       !(unicode && t->len > 1);
}

static void take_name(struct pylexer *lx, struct pytoken *t)
{
	while (lx->at < lx->end && is_name_byte(*lx->at))
		lx->at++;
	t->kind = PYTOKEN_NAME;
	t->len = (size_t)(lx->at - t->at);
	if ((peek(lx, 0) == '"' || peek(lx, 0) == '\'') && is_prefix(t))
		take_string(lx, t);
	else
		t->format = t->raw = false;
}

/* A keyword may follow a number without a blank: "1if x else 2", "0xfor y". */
static void take_number(struct pylexer *lx, struct pytoken *t)
{
	char base = peek(lx, 1) | 0x20;
	bool hex = *lx->at == '0' && base == 'x';

	t->kind = PYTOKEN_OTHER;
	if (*lx->at == '0' && (hex || base == 'o' || base == 'b'))
		lx->at += 2;
	for (; lx->at < lx->end; lx->at++) {
		char c = *lx->at;
		char sign = peek(lx, 1);

		if (isdigit((unsigned char)c) || c == '_' || (hex && isxdigit((unsigned char)c)))
			continue;
		if (hex)
			break;
		if ((c | 0x20) == 'e' && (sign == '+' || sign == '-') &&
		    isdigit((unsigned char)peek(lx, 2)))
			lx->at++;
		else if (c != '.' && !((c | 0x20) == 'e' && isdigit((unsigned char)sign)))
			break;
	}
	if ((peek(lx, 0) | 0x20) == 'j')
		lx->at++;
}

static void take_op(struct pylexer *lx, struct pytoken *t)
{
	char c = *lx->at++;
	char next = peek(lx, 0);

	t->kind = PYTOKEN_OP;
	t->op = c;
	/* "->" and "==", ":=", "+=": no "=" or ":" of their own. */
	if ((c == '-' && next == '>') || (next == '=' && strchr("=<>!:+-*/%@&|^", c))) {
		lx->at++;
		t->op = 0;
	}
}

void pylexer_next(struct pylexer *lx, struct pytoken *ret)
{
	char c;

	if (lx->line_start)
		take_indent(lx);
	skip_blanks(lx);
	*ret = (struct pytoken){ .at = lx->at, .line = lx->line, .indent = lx->indent };
	if (lx->at == lx->end)
		return;
	c = *lx->at;
	if (is_line_end(c)) {
		ret->kind = PYTOKEN_NEWLINE;
		pylexer_skip(lx);
		lx->line_start = true;
	} else if (c == '"' || c == '\'') {
		take_string(lx, ret);
	} else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(lx, 1)))) {
		take_number(lx, ret);
	} else if (is_name_byte(c)) {
		take_name(lx, ret);
	} else if (c && strchr("()[]{}:;,.=<>!+-*/%@&|^~", c)) {
		take_op(lx, ret);
	} else {
		ret->kind = PYTOKEN_OTHER;
		lx->at++;
	}
}

bool pytoken_is(const struct pytoken *t, const char *name)
{
	return t->kind == PYTOKEN_NAME && strlen(name) == t->len && !memcmp(t->at, name, t->len);
}
