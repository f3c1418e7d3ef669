/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name of some hundred bytes can stand for gigabytes of text, since parts of it
 * may refer to earlier parts.  So libiberty writes through a callback, and is left
 * by a jump when there is no more room: its callback interfaces keep all but
 * some bytes of a Rust identifier that is not ASCII on the stack.
 */
#include "symbolizer/demangle.h"

#include <errno.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "symbolizer/cython_name.h"

#define SYMBOL_MAX 2048

struct sink {
	jmp_buf full;
	char *out;
	size_t len, n;
};

static void take(const char *text, size_t n, void *ctx)
{
	struct sink *s = ctx;

	if (n >= s->len - s->n)
		longjmp(s->full, 1);
	if (n) /* text may be NULL then */
		memcpy(s->out + s->n, text, n);
	s->n += n;
}

static bool is_rust(const char *symbol)
{
	const char *hash = strstr(symbol, "17h");

	/* The old scheme is C++'s, with a hash of 16 digits as the last part. */
	for (; hash; hash = strstr(hash + 1, "17h"))
		if (strspn(hash + 3, "0123456789abcdef") == 16 && hash[19] == 'E')
			return true;
	return !strncmp(symbol, "_R", 2);
}

int demangle(const char *symbol, char *out, size_t len)
{
	struct sink s = { .out = out, .len = len };
	int done;

	if (!strncmp(symbol, "__pyx_", 6))
		return cython_name(symbol, out, len);
	if ((strncmp(symbol, "_Z", 2) && strncmp(symbol, "_R", 2)) || !len ||
	    strnlen(symbol, SYMBOL_MAX) == SYMBOL_MAX)
		return -ENOENT;
	if (setjmp(s.full))
		return -ENOENT;
	if (is_rust(symbol))
		done = rust_demangle_callback(symbol, DMGL_NO_OPTS, take, &s);
	else
		done = cplus_demangle_v3_callback(symbol, DMGL_NO_OPTS, take, &s);
	if (!done || !s.n)
		return -ENOENT;
	out[s.n] = 0;
	return 0;
}
