/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes are what follows the first line of a file with a proof. */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/proof_cache.h"

static const char head[] = PROOF_CACHE_VERSION " 3.11\n";

/* What is left is of the sites that were found, in their order, with a register. */
static void check(const struct probe_sites *found, const struct probe_sites *sites)
{
	size_t k = 0;

	if (!sites->n || sites->n > found->n)
		abort();
	for (size_t i = 0; i < sites->n; i++) {
		while (k < found->n && found->v[k].offset != sites->v[i].offset)
			k++;
		if (k == found->n || sites->v[i].frame_reg > 14 ||
		    (found->v[k].frame_reg != PROBE_NO_REG &&
		     found->v[k].frame_reg != sites->v[i].frame_reg))
			abort();
		k++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct probe_site found[] = {
		{.offset = 0x1000, .frame_reg = 3},
		{.offset = 0x2000, .frame_reg = 3},
		{.offset = 0x3000, .frame_reg = PROBE_NO_REG},
		{.offset = 0x4000, .frame_reg = 13},
	};
	const struct probe_sites entries = {(struct probe_site *)found, 3};
	const struct probe_sites returns = {(struct probe_site *)found + 3, 1};
	struct probe_site sites[4];
	struct interpreter in = {.machine = EM_X86_64, .major = 3, .minor = 11,
				 .entries = {sites, 3}, .returns = {sites + 3, 1}};
	char *text = malloc(sizeof(head) + size);

	memcpy(sites, found, sizeof(found));
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + sizeof(head) - 1, data, size);
	text[sizeof(head) - 1 + size] = 0;
	if (!proof_cache_parse(text, &in)) {
		check(&entries, &in.entries);
		check(&returns, &in.returns);
	} else if (memcmp(sites, found, sizeof(found))) {
		abort();
	}
	free(text);
	return 0;
}
