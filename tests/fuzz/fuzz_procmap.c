/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>

#include "symbolizer/procmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procmap map;
	char path[64];

	if (procmap_parse((const char *)data, size, &map))
		return 0;
	if (map.start >= map.end || map.path_len > size)
		abort();
	procmap_path(&map, path, sizeof(path));
	return 0;
}
