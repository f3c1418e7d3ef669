/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of Podman's, which another may be writing. What is found lies within it. Its head
 * is made right, as no mutation finds the checksum that it must have.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/agent/bolt.h"

static const char id[] = "4e23bcf1ca7822b1ff17f026c8a0f37a5fdaa75661378b3d94403d5c0bc3d37a";

static void head_mend(uint8_t *meta)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (int i = 0; i < 56; i++)
		hash = (hash ^ meta[i]) * 0x100000001b3;
	memcpy(meta + 56, &hash, sizeof(hash));
}

static void look(const uint8_t *data, size_t size, const char *const *path, size_t depth)
{
	const void *found;
	size_t length, sum = 0;

	if (bolt_get(data, size, path, depth, &found, &length))
		return;
	for (size_t i = 0; i < length; i++)
		sum += ((const uint8_t *)found)[i];
	if (sum > length * 255)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const paths[][3] = {{"ctr", id, "config"}, {"all-ctrs", id}, {"a"}};
	uint8_t *own = malloc(size + 1);

	if (!own)
		return 0;
	memcpy(own, data, size);
	for (size_t at = 16; at + 64 <= size && at <= 4112; at += 4096)
		head_mend(own + at);
	for (size_t depth = 0; depth < 3; depth++)
		look(own, size, paths[2 - depth], depth);
	free(own);
	return 0;
}
