/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/cython_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPES_MAX 32

struct piece {
	const char *at;
	size_t len;
	bool dots; /* spelt "_dot_" */
};

struct mangled {
	struct piece scopes[SCOPES_MAX];
	size_t n_scopes;
	struct piece leaf;
	const char *slot; /* "tp_new", after the leaf; NULL: none */
	size_t slot_len;
	bool wrapper, generator;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_identifier(const char *s, size_t len)
{
	if (!len || is_digit(s[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_digit(s[i]) && s[i] != '_' && !(s[i] >= 'a' && s[i] <= 'z') &&
		    !(s[i] >= 'A' && s[i] <= 'Z'))
			return false;
	return true;
}

static bool skip(const char **s, const char *end, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(end - *s) < n || memcmp(*s, word, n))
		return false;
	*s += n;
	return true;
}

static const char *skip_digits(const char *s, const char *end)
{
	while (s < end && is_digit(*s))
		s++;
	return s;
}

/* "__pyx_fuse_0_1" before a name or a whole symbol, for one choice of types. */
static const char *skip_fuse(const char *s, const char *end)
{
	const char *at = s;

	if (!skip(&at, end, "__pyx_fuse_") || at == end || !is_digit(*at))
		return s;
	at = skip_digits(at, end);
	while (end - at >= 2 && at[0] == '_' && is_digit(at[1]))
		at = skip_digits(at + 1, end);
	return at < end ? at : s;
}

/* Length counts a dot as one character. */
static size_t dotted_length(const char *s, const char *end, size_t chars)
{
	const char *at = s;

	while (chars-- > 0)
		if (!skip(&at, end, "_dot_")) {
			if (at == end)
				return 0;
			at++;
		}
	return (size_t)(at - s);
}

/* A scope, if what begins here can be one and something is left behind it. */
static bool take_scope(const char **s, const char *end, struct piece *ret)
{
	const char *name = skip_digits(*s, end);
	size_t chars = 0, len;

	if (name == *s || **s == '0')
		return false;
	for (const char *p = *s; p < name; p++) {
		chars = 10 * chars + (size_t)(*p - '0');
		if (chars > (size_t)(end - *s))
			return false;
	}
	*ret = (struct piece){ name, chars };
	len = chars;
	if (len > (size_t)(end - name) || name + len == end || name[len] != '_') {
		len = dotted_length(name, end, chars);
		*ret = (struct piece){ name, len, true };
	}
	if (!len || (size_t)(end - name) < len + 2 || name[len] != '_' ||
	    !is_identifier(name, len))
		return false;
	*s = name + len + 1;
	return true;
}

static bool take_prefix(const char **s, const char *end, struct mangled *m)
{
	const char *at;

	*s = skip_fuse(*s, end);
	if (!skip(s, end, "__pyx_"))
		return false;
	m->wrapper = skip(s, end, "pw_");
	if (m->wrapper || skip(s, end, "pf_") || skip(s, end, "f_") || skip(s, end, "api_f_") ||
	    skip(s, end, "getprop_") || skip(s, end, "setprop_"))
		return true;
	m->generator = skip(s, end, "gb_");
	if (m->generator)
		return true;
	at = *s;
	if (!skip(&at, end, "tp_"))
		return false;
	while (at + 1 < end && !(at[0] == '_' && is_digit(at[1])))
		at++;
	m->slot = *s;
	m->slot_len = (size_t)(at - *s);
	*s = at + 1;
	return *s < end;
}

static bool take_leaf(const char *s, const char *end, struct mangled *m)
{
	s = skip_fuse(skip_digits(s, end), end);
	m->leaf = (struct piece){ s, (size_t)(end - s) };
	return is_identifier(s, m->leaf.len);
}

static bool take_scopes(const char **s, const char *end, struct mangled *m)
{
	while (m->n_scopes < SCOPES_MAX) {
		const char *at = *s, *word;

		if (!take_scope(&at, end, &m->scopes[m->n_scopes]))
			break;
		/* A wrapper's name has a counter, unless a lambda is wrapped. */
		word = at;
		if (m->wrapper && m->n_scopes && !is_digit(*at) && !skip(&word, end, "lambda"))
			break;
		m->n_scopes++;
		*s = at;
	}
	return m->n_scopes > 0;
}

/* Appends to out, or only counts once it is full. */
struct writer {
	char *out;
	size_t len, n;
};

static void put(struct writer *w, const char *s, size_t n)
{
	if (w->out && w->n + n < w->len)
		memcpy(w->out + w->n, s, n);
	w->n += n;
}

static void put_piece(struct writer *w, const struct piece *p)
{
	const char *s = p->at, *end = p->at + p->len;

	while (s < end)
		if (p->dots && skip(&s, end, "_dot_"))
			put(w, ".", 1);
		else
			put(w, s++, 1);
}

static void put_all(struct writer *w, const struct mangled *m)
{
	bool lambda = m->leaf.len == 6 && !memcmp(m->leaf.at, "lambda", 6);

	for (size_t i = 0; i < m->n_scopes; i++) {
		put_piece(w, &m->scopes[i]);
		put(w, ".", 1);
	}
	if (m->generator || lambda)
		put(w, "<", 1);
	put_piece(w, &m->leaf);
	if (m->generator || lambda)
		put(w, ">", 1);
	if (m->slot) {
		put(w, ".", 1);
		put(w, m->slot, m->slot_len);
	}
}

int cython_name(const char *symbol, char *out, size_t len)
{
	const char *end = symbol + strcspn(symbol, ".@"); /* ".cold", ".isra.0" */
	struct writer w = { .len = len };
	struct mangled m = { 0 };

	if (!take_prefix(&symbol, end, &m) || !take_scopes(&symbol, end, &m) ||
	    !take_leaf(symbol, end, &m))
		return -ENOENT;
	put_all(&w, &m); /* only counts: out is untouched on failure */
	if (w.n >= len)
		return -ENAMETOOLONG;
	w = (struct writer){ .out = out, .len = len };
	put_all(&w, &m);
	out[w.n] = 0;
	return 0;
}

bool cython_makes_generator(const char *symbol, const char *body)
{
	const char *at = body, *end = body + strcspn(body, ".@"), *scopes;
	char start[512], counter[16] = "";
	struct mangled m = { 0 };
	unsigned long n;

	if (!take_prefix(&at, end, &m) || !m.generator)
		return false;
	scopes = at;
	if (!take_scopes(&at, end, &m) || at == end || !is_digit(*at))
		return false;
	n = strtoul(at, NULL, 10);
	if (!skip(&symbol, symbol + strlen(symbol), "__pyx_p"))
		return false;
	/* Counted in this order: body of the function, its wrapper, the generator's. */
	if (n < 2 || n > 1000000 || (*symbol != 'f' && *symbol != 'w'))
		return false;
	n -= *symbol == 'w' ? 1 : 2;
	if (n)
		snprintf(counter, sizeof(counter), "%lu", n);
	if (snprintf(start, sizeof(start), "_%.*s%s", (int)(at - scopes), scopes, counter) >=
	    (int)sizeof(start))
		return false;
	n = strlen(start);
	return !strncmp(symbol + 1, start, n) && is_identifier(symbol + 1 + n, 1);
}
