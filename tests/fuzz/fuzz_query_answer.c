/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer as another's server may give it, shown in every way that there is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "userspace/query/query_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = { "folded", "speedscope", "pprof" };
	static const struct query_style styles[] = { { .width = 80 }, { .wide = true, .exact = true } };
	json_t *answer = json_loadb((const char *)data, size, 0, NULL);
	FILE *out = answer ? fopen("/dev/null", "w") : NULL;
	char text[1024];

	for (int i = 0; out && i < 2; i++)
		query_print_table(answer, &styles[i], out);
	if (out) {
		query_print_csv(answer, out);
		query_no_data_text(answer, text, sizeof(text));
	}
	for (int i = 0; out && i < 3; i++)
		query_export(answer, formats[i], out, text, sizeof(text));
	if (out)
		fclose(out);
	json_decref(answer);
	return 0;
}
