/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No syntax tree is built: a scope can be told by its first keyword, and its
 * parent by where that stands.
 *
 * Statements: a def or class owns the logical lines that follow its header and
 * are indented deeper than it.  So a stack of (scope, indent) is enough, and an
 * `if` or `with` around a def needs no entry.  Decorators, defaults, bases and
 * annotations come before the header's colon and belong to the scope around.
 *
 * Expressions: a stack of open brackets and lambdas.  A bracket proves to be a
 * comprehension only by its `for`, after the element that its scope encloses:
 * then the scopes found since the bracket was opened are moved into it.  Only
 * the iterable of the first `for` is evaluated outside.  A lambda's defaults are
 * outside of it as well; its body ends with the first token of lower precedence.
 *
 * F-strings (one token, before Python 3.12) hold expressions as if in
 * parentheses, in which neither backslashes nor the string's quotes occur.
 */
#include "symbolizer/pysource.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/pyformat.h"
#include "symbolizer/pytoken.h"

#define NESTING_MAX 512 /* CPython stops at 200 brackets (MAXLEVEL) */
#define BLOCKS_MAX 128	/* ... and 100 indents (MAXINDENT) */
#define FORMAT_MAX 8	/* f-strings in f-strings */

enum nest_state {
	LAMBDA_PARAMETERS,
	LAMBDA_BODY,
	BRACKET,	  /* no `for` so far */
	BRACKET_TARGET,	  /* after `for` */
	BRACKET_ITERABLE, /* after the first `in` */
	BRACKET_REST,
};

struct nest {
	enum nest_state state;
	char bracket;
	bool has_colon;	   /* '{' with a ':' of its own: a dict */
	unsigned line;	   /* of the bracket */
	uint32_t outer;	   /* the scope around */
	uint32_t inner;	   /* a lambda's or a comprehension's own scope */
	uint32_t first;	   /* number of the first scope inside */
};

struct block {
	uint32_t scope;
	unsigned indent;     /* of its def or class */
	size_t first_global; /* in globals */
};

struct text {
	const char *at;
	size_t len;
};

struct scanner {
	struct pyscopes *scopes;
	struct nest nests[NESTING_MAX];
	size_t n_nests;
	struct block blocks[BLOCKS_MAX];
	size_t n_blocks;
	struct text *globals; /* names declared global, by open block */
	size_t n_globals, globals_room;
	uint32_t scope; /* where the next token is */
	/* of the logical line */
	bool line_start;
	unsigned indent;
	bool in_global;	       /* in a `global` statement */
	bool in_decorator;     /* '@', and nothing of its expression so far */
	unsigned async_line;   /* of an `async` just before; 0: none */
	/* of a def or class, from its first decorator to its colon */
	unsigned decorator_line; /* 0: none */
	unsigned header_line;	 /* nonzero: the name comes next */
	enum pyscope_kind header_kind;
	uint32_t header; /* its scope, or PYSCOPE_MODULE */
	unsigned format_depth;
};

static int scan_format(struct scanner *s, const struct pytoken *t);

static struct nest *top(struct scanner *s)
{
	return s->n_nests ? &s->nests[s->n_nests - 1] : NULL;
}

static void pop_nest(struct scanner *s)
{
	s->scope = s->nests[--s->n_nests].outer;
}

static struct nest *push_nest(struct scanner *s, enum nest_state state)
{
	struct nest *n;

	if (s->n_nests == NESTING_MAX)
		return NULL;
	n = &s->nests[s->n_nests++];
	*n = (struct nest){ .state = state, .outer = s->scope };
	return n;
}

static int add_scope(struct scanner *s, enum pyscope_kind kind, unsigned line, uint32_t *ret)
{
	return pyscopes_add(s->scopes, kind, s->scope, line, NULL, 0, false, ret);
}

/* The bodies of lambdas end here: at a token that no expression holds. */
static void end_lambdas(struct scanner *s)
{
	while (s->n_nests && top(s)->state == LAMBDA_BODY)
		pop_nest(s);
}

static int open_lambda(struct scanner *s, unsigned line)
{
	struct nest *n = push_nest(s, LAMBDA_PARAMETERS);

	return n ? add_scope(s, PYSCOPE_LAMBDA, line, &n->inner) : -E2BIG;
}

static int open_bracket(struct scanner *s, char bracket, unsigned line)
{
	struct nest *n = push_nest(s, BRACKET);

	if (!n)
		return -E2BIG;
	n->bracket = bracket;
	n->line = line;
	n->first = (uint32_t)pyscopes_count(s->scopes);
	return 0;
}

static void close_bracket(struct scanner *s)
{
	while (s->n_nests && top(s)->state <= LAMBDA_BODY)
		pop_nest(s);
	if (s->n_nests)
		pop_nest(s);
}

static enum pyscope_kind comprehension_kind(const struct nest *n)
{
	if (n->bracket == '(')
		return PYSCOPE_GENEXPR;
	if (n->bracket == '[')
		return PYSCOPE_LISTCOMP;
	return n->has_colon ? PYSCOPE_DICTCOMP : PYSCOPE_SETCOMP;
}

/* `for` inside of a bracket; outside it is a statement. */
static int comprehension_for(struct scanner *s)
{
	struct nest *n;
	int err;

	end_lambdas(s);
	n = top(s);
	if (!n || n->state < BRACKET)
		return 0;
	if (n->state == BRACKET) {
		err = add_scope(s, comprehension_kind(n), n->line, &n->inner);
		if (err)
			return err;
		pyscopes_move(s->scopes, n->first, n->outer, n->inner);
		n->state = BRACKET_TARGET;
	} else {
		n->state = BRACKET_REST;
	}
	s->scope = n->inner;
	return 0;
}

static void comprehension_keyword(struct scanner *s, const struct pytoken *t)
{
	struct nest *n = top(s);

	if (!n)
		return;
	if (n->state == BRACKET_TARGET && pytoken_is(t, "in")) {
		n->state = BRACKET_ITERABLE;
		s->scope = n->outer;
	} else if (n->state == BRACKET_ITERABLE && pytoken_is(t, "if")) {
		n->state = BRACKET_REST;
		s->scope = n->inner;
	}
}

static int push_block(struct scanner *s)
{
	if (s->n_blocks == BLOCKS_MAX)
		return -E2BIG;
	s->blocks[s->n_blocks++] = (struct block){ s->header, s->indent, s->n_globals };
	s->scope = s->header;
	s->header = PYSCOPE_MODULE;
	return 0;
}

static int colon(struct scanner *s)
{
	struct nest *n;

	end_lambdas(s);
	n = top(s);
	if (n && n->state == LAMBDA_PARAMETERS) {
		n->state = LAMBDA_BODY;
		s->scope = n->inner;
	} else if (n && n->state == BRACKET) {
		n->has_colon = true;
	} else if (!n && s->header != PYSCOPE_MODULE) {
		return push_block(s);
	}
	return 0;
}

static int add_global(struct scanner *s, const struct pytoken *t)
{
	if (s->n_globals == s->globals_room) {
		size_t room = s->globals_room ? 2 * s->globals_room : 16;
		struct text *v = realloc(s->globals, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->globals = v;
		s->globals_room = room;
	}
	s->globals[s->n_globals++] = (struct text){ t->at, t->len };
	return 0;
}

/* Whether the innermost open scope declares this name global. */
static bool is_global(const struct scanner *s, const struct pytoken *t)
{
	size_t first = s->n_blocks ? s->blocks[s->n_blocks - 1].first_global : 0;

	for (size_t i = first; i < s->n_globals; i++)
		if (s->globals[i].len == t->len && !memcmp(s->globals[i].at, t->at, t->len))
			return true;
	return false;
}

static void start_header(struct scanner *s, const struct pytoken *t, enum pyscope_kind kind)
{
	s->header_kind = kind;
	s->header_line = s->async_line ? s->async_line : t->line;
	if (s->decorator_line)
		s->header_line = s->decorator_line;
	s->decorator_line = 0;
}

static int header_name(struct scanner *s, const struct pytoken *t)
{
	unsigned line = s->header_line;

	s->header_line = 0;
	return pyscopes_add(s->scopes, s->header_kind, s->scope, line, t->at, t->len,
			    is_global(s, t), &s->header);
}

/* A name outside of all brackets: it may be a keyword of a statement. */
static int statement_name(struct scanner *s, const struct pytoken *t, bool *ret_done)
{
	*ret_done = true;
	if (s->header_line)
		return header_name(s, t);
	if (s->in_global)
		return add_global(s, t);
	if (pytoken_is(t, "def"))
		start_header(s, t, PYSCOPE_FUNCTION);
	else if (pytoken_is(t, "class"))
		start_header(s, t, PYSCOPE_CLASS);
	else if (pytoken_is(t, "global"))
		s->in_global = true;
	else
		*ret_done = false;
	return 0;
}

static int name(struct scanner *s, const struct pytoken *t)
{
	bool done = false;
	int err = 0;

	if (!s->n_nests)
		err = statement_name(s, t, &done);
	s->async_line = pytoken_is(t, "async") ? t->line : 0;
	if (err || done)
		return err;
	if (pytoken_is(t, "lambda"))
		return open_lambda(s, t->line);
	if (pytoken_is(t, "for"))
		return comprehension_for(s);
	if (pytoken_is(t, "as") || pytoken_is(t, "from"))
		end_lambdas(s);
	comprehension_keyword(s, t);
	return 0;
}

static int op(struct scanner *s, const struct pytoken *t)
{
	switch (t->op) {
	case '(':
	case '[':
	case '{':
		return open_bracket(s, t->op, t->line);
	case ')':
	case ']':
	case '}':
		close_bracket(s);
		return 0;
	case ':':
		return colon(s);
	case ';':
		s->in_global = false;
		/* fall through */
	case ',':
	case '=':
		end_lambdas(s);
		return 0;
	default:
		return 0;
	}
}

static bool in_bracket(const struct scanner *s)
{
	for (size_t i = 0; i < s->n_nests; i++)
		if (s->nests[i].state >= BRACKET)
			return true;
	return false;
}

static void end_line(struct scanner *s)
{
	while (s->n_nests)
		pop_nest(s);
	s->header = PYSCOPE_MODULE;
	s->header_line = 0;
	s->in_global = false;
	s->in_decorator = false;
	s->async_line = 0;
	s->line_start = true;
}

static void start_line(struct scanner *s, const struct pytoken *t)
{
	bool decorator = t->kind == PYTOKEN_OP && t->op == '@';

	s->line_start = false;
	s->indent = t->indent;
	while (s->n_blocks && s->blocks[s->n_blocks - 1].indent >= s->indent)
		s->n_globals = s->blocks[--s->n_blocks].first_global;
	s->scope = s->n_blocks ? s->blocks[s->n_blocks - 1].scope : PYSCOPE_MODULE;
	s->in_decorator = decorator && !s->decorator_line;
	if (!decorator && !pytoken_is(t, "def") && !pytoken_is(t, "class") &&
	    !pytoken_is(t, "async"))
		s->decorator_line = 0;
}

static int scan_token(struct scanner *s, const struct pytoken *t)
{
	if (t->kind == PYTOKEN_NEWLINE) {
		if (!in_bracket(s) && !s->line_start)
			end_line(s);
		return 0;
	}
	if (s->line_start) {
		start_line(s, t);
	} else if (s->in_decorator && !(t->kind == PYTOKEN_OP && t->op == '(')) {
		/* co_firstlineno is the line of the expression, not of its '@' or '('. */
		s->decorator_line = t->line;
		s->in_decorator = false;
	}
	if (t->kind == PYTOKEN_NAME)
		return name(s, t);
	if (t->kind == PYTOKEN_OP)
		return op(s, t);
	if (t->kind == PYTOKEN_STRING && t->format)
		return scan_format(s, t);
	return 0;
}

static int scan_tokens(struct scanner *s, struct pylexer *lx)
{
	struct pytoken t;
	int err = 0;

	do {
		pylexer_next(lx, &t);
		if (t.kind != PYTOKEN_END)
			err = scan_token(s, &t);
	} while (!err && t.kind != PYTOKEN_END);
	return err;
}

static int scan_format(struct scanner *s, const struct pytoken *t)
{
	size_t n_nests = s->n_nests;
	uint32_t scope = s->scope;
	struct pylexer expression;
	struct pyformat format;
	int err = 0;

	if (s->format_depth == FORMAT_MAX)
		return -E2BIG;
	s->format_depth++;
	pyformat_init(&format, t);
	while (!err && pyformat_next(&format, &expression)) {
		err = open_bracket(s, '(', expression.line);
		if (!err)
			err = scan_tokens(s, &expression);
		s->n_nests = n_nests;
		s->scope = scope;
	}
	s->format_depth--;
	return err;
}

int pysource_scan(const char *text, size_t len, struct pyscopes **ret)
{
	struct scanner *s = calloc(1, sizeof(*s));
	struct pylexer lx;
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->scopes = pyscopes_new();
	s->line_start = true;
	s->scope = s->header = PYSCOPE_MODULE;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	pylexer_init(&lx, text, len, 1);
	if (s->scopes)
		err = scan_tokens(s, &lx);
	if (!err)
		err = pyscopes_finish(s->scopes);
	if (err)
		pyscopes_free(s->scopes);
	else
		*ret = s->scopes;
	free(s->globals);
	free(s);
	return err;
}
