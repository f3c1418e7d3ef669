/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/usdt_arg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned machines[] = { EM_X86_64, EM_AARCH64 };
	char *spec = malloc(size + 1);

	memcpy(spec, data, size);
	spec[size] = 0;
	for (size_t i = 0; i < 2; i++) {
		struct usdt_arg args[3];
		int n = usdt_args_parse(spec, machines[i], args, 3);

		for (int j = 0; j < n; j++)
			if (args[j].kind > USDT_ARG_MEM || args[j].reg > USDT_ARM64_SP)
				abort();
	}
	free(spec);
	return 0;
}
