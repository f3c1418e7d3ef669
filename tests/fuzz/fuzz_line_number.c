/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/line_number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int minor = 9; minor <= 11; minor++)
		for (size_t whole = size; whole <= size + 1; whole++)
			for (uint32_t at = 0; at < 600; at += 2) {
				int64_t line = line_number(minor, 1, data, size, whole, at);

				if (line > INT32_MAX ||
				    (line < 0 && line != -EINVAL && line != -ENODATA) ||
				    (line == -ENODATA && whole == size))
					abort();
			}
	return 0;
}
