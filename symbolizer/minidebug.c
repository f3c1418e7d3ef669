/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/minidebug.h"

#include <elf.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#define PACKED_MAX ((uint64_t)4 << 20)
#define UNPACKED_MAX ((size_t)16 << 20)
#define DECODER_MAX ((uint64_t)16 << 20) /* xz -6, the default, takes 9 MB */
#define STEP ((size_t)256 << 10)

/* Grows the output as it comes: what a header claims proves nothing. */
static int unpack(lzma_stream *s, char **out)
{
	size_t size = 0;
	lzma_ret state = LZMA_OK;

	while (state == LZMA_OK) {
		char *grown;

		if (size == UNPACKED_MAX)
			return -EFBIG;
		grown = realloc(*out, size + STEP);
		if (!grown)
			return -ENOMEM;
		*out = grown;
		s->next_out = (uint8_t *)grown + size;
		s->avail_out = STEP;
		while (state == LZMA_OK && s->avail_out)
			state = lzma_code(s, LZMA_FINISH);
		size += STEP;
	}
	if (state == LZMA_MEM_ERROR)
		return -ENOMEM;
	if (state == LZMA_MEMLIMIT_ERROR)
		return -EFBIG;
	return state == LZMA_STREAM_END ? 0 : -EINVAL;
}

int minidebug_read(struct elf_file *f, void **ret, size_t *ret_size)
{
	lzma_stream s = LZMA_STREAM_INIT;
	char *packed, *out = NULL;
	struct elf_span span;
	int err = elf_file_span_named(f, ".gnu_debugdata", &span);

	if (err)
		return err;
	if (span.type == SHT_NOBITS)
		return -ENOENT;
	if (span.size > PACKED_MAX)
		return -EFBIG;
	packed = malloc(span.size + !span.size);
	if (!packed)
		return -ENOMEM;
	if (elf_file_bytes(f, span.offset, packed, span.size) != (ssize_t)span.size)
		err = -EINVAL;
	else if (lzma_stream_decoder(&s, DECODER_MAX, 0) != LZMA_OK)
		err = -ENOMEM;
	s.next_in = (uint8_t *)packed;
	s.avail_in = span.size;
	if (!err)
		err = unpack(&s, &out);
	*ret_size = s.total_out;
	lzma_end(&s);
	free(packed);
	if (err)
		free(out);
	else
		*ret = out;
	return err;
}
