/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any file as source: its lines must be fit for a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userspace/source_text.h"
#include "userspace/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("source", MFD_CLOEXEC);
	struct source_text s;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || source_text_read(path, &s))
		abort();
	for (size_t i = 0; i < s.count; i++)
		for (const char *c = s.lines[i]; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				abort();
	source_text_free(&s);
	close(fd);
	return 0;
}
