/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a batch, as a foreign sender may send them. The first byte says whether the
 * rest is a frame of zstd as it is, or a message to be put into one, so that the fuzzer
 * gets at the message. What is taken must come out of the bytes that it is packed to again.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "userspace/fleet/batch.h"

#define LIMIT ((size_t)4 << 20)

static void check_again(const struct batch *b)
{
	char err[256];
	struct batch again;
	void *bytes;
	size_t size;

	if (batch_pack(b, &bytes, &size))
		abort();
	if (batch_unpack(bytes, size, 16 * LIMIT, &again, err, sizeof(err)))
		abort();
	if (again.slice_count != b->slice_count || again.cost_count != b->cost_count ||
	    again.request_count != b->request_count || again.user_count != b->user_count ||
	    again.function_count != b->function_count || again.counter_count != b->counter_count)
		abort();
	for (uint32_t i = 0; i < b->slice_count; i++)
		if (again.slices[i].id != b->slices[i].id)
			abort();
	batch_free(&again);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool framed = size && data[0] & 1;
	size_t bound = ZSTD_compressBound(size), packed_size;
	uint8_t *packed = malloc(bound + 1);
	char err[256] = "";
	struct batch b;
	int result;

	if (!size || !packed) {
		free(packed);
		return 0;
	}
	if (framed) {
		packed_size = size - 1;
		memcpy(packed, data + 1, packed_size);
	} else {
		packed_size = ZSTD_compress(packed, bound, data + 1, size - 1, 1);
		if (ZSTD_isError(packed_size))
			abort();
	}
	result = batch_unpack(packed, packed_size, LIMIT, &b, err, sizeof(err));
	if (!result) {
		check_again(&b);
		batch_free(&b);
	} else if (!*err || (result != -EBADMSG && result != -EFBIG)) {
		abort();
	}
	free(packed);
	return 0;
}
