/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/vdso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "symbolizer/native_object.h"
#include "symbolizer/procmap.h"

#define TABLE_MAX ((size_t)64 << 10)

/* How much is mapped there; 0: nothing. */
static uint64_t mapped_size(uint64_t start)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL;
	uint64_t found = 0;
	size_t size = 0;
	ssize_t len;

	while (maps && !found && (len = getline(&line, &size, maps)) > 0) {
		struct procmap map;

		if (!procmap_parse(line, (size_t)len - (line[len - 1] == '\n'), &map) &&
		    map.start == start)
			found = map.end - map.start;
	}
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

int vdso_read(struct native_object *ret)
{
	const struct native_object_source source = { .path = "", .debug_fd = -1,
						     .max_bytes = TABLE_MAX };
	uint64_t start = getauxval(AT_SYSINFO_EHDR);
	uint64_t size = start ? mapped_size(start) : 0;
	struct elf_file *elf;
	int err;

	if (!size)
		return -ENOENT;
	err = elf_file_open_memory((const void *)(uintptr_t)start, size, &elf);
	if (err)
		return err;
	err = native_object_read(elf, &source, ret);
	elf_file_free(elf);
	return err;
}
