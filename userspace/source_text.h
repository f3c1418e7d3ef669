/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a source file, fit for a terminal: the file may hold anything. */
#ifndef PYCOST_SOURCE_TEXT_H
#define PYCOST_SOURCE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/arena.h"

struct source_text {
	const char **lines; /* from 0; valid UTF-8, tabs as spaces, no control characters */
	size_t count;
	uint64_t changed_ns; /* last change, since 1970 */
	/* private */
	struct arena strings;
};

/*
 * -errno of open or read; -EINVAL: not a regular file, -EFBIG: larger than 16 MiB,
 * -ENOMEM.  Nothing is executed, and a named pipe does not block.
 */
int source_text_read(const char *path, struct source_text *ret);
void source_text_free(struct source_text *s);

#endif
