/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/line_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int minors[] = { 9, 15 };
	static const struct line_costs costs = { .of = { 2, 1, 1, 2, 3, 3, 3, 2, 5, 6, 7, 8 } };

	for (size_t i = 0; i < 2; i++) {
		struct line_table *t;

		if (line_table_read(minors[i], 1, data, size, 2 * size, &costs, &t))
			continue;
		for (double at = 0; at < 300; at += 7) {
			double cost = line_table_search(t, at);

			if (!(cost >= 0) || cost > 20.0 * size + 1)
				abort();
		}
		free(t);
	}
	return 0;
}
