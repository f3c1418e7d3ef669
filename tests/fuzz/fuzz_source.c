/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/pysource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "f", "C", "<lambda>", "<listcomp>", "<genexpr>", "" };
	struct pyscopes *scopes;
	char qualname[128];

	if (pysource_scan((const char *)data, size, &scopes))
		return 0;
	for (unsigned line = 0; line < 8; line++)
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			pyscopes_qualname(scopes, names[i], line, qualname, sizeof(qualname));
	if (pyscopes_bytes(scopes) > 64 * size + 1024) /* stays in proportion */
		abort();
	pyscopes_free(scopes);
	return 0;
}
