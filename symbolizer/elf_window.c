/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/elf_window.h"

#include <string.h>

#define MOVES_MAX 65536 /* a gigabyte */

void elf_window_init(struct elf_window *w, struct elf_file *f, const struct elf_span *span)
{
	w->file = f;
	w->offset = span->offset;
	w->size = span->offset > UINT64_MAX - span->size ? 0 : span->size;
	w->at = 0;
	w->n = 0;
	w->moves = 0;
}

const char *elf_window_at(struct elf_window *w, uint64_t at, size_t min, size_t *ret_n)
{
	if (at < w->at || at - w->at > w->n || w->n - (at - w->at) < min) {
		size_t size = ELF_WINDOW_SIZE;
		ssize_t n;

		if (at >= w->size || w->size - at < min || w->moves++ == MOVES_MAX)
			return NULL;
		if (size > w->size - at)
			size = w->size - at;
		n = elf_file_bytes(w->file, w->offset + at, w->bytes, size);
		w->at = at;
		w->n = n > 0 ? (size_t)n : 0;
		if (w->n < min)
			return NULL;
	}
	*ret_n = w->n - (at - w->at);
	return w->bytes + (at - w->at);
}

const char *elf_window_string(struct elf_window *w, uint64_t at, size_t *ret_len)
{
	size_t n;
	const char *s = elf_window_at(w, at, 1, &n), *end;

	end = s ? memchr(s, 0, n) : NULL;
	if (s && !end) {
		/* It may go on behind the window: one that begins here. */
		w->n = 0;
		s = elf_window_at(w, at, 1, &n);
		end = s ? memchr(s, 0, n) : NULL;
	}
	if (!end)
		return NULL;
	*ret_len = (size_t)(end - s);
	return s;
}
