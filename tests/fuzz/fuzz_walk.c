/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame walker over any memory at all, and the parser of its images. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/walk/host.h"
#include "tests/walk/image.h"

static const struct image *memory;

static int memory_read(void *dst, unsigned len, unsigned long long address)
{
	return image_read(memory, dst, len, address);
}

static void walk_check(const struct walk *w)
{
	if (host_reads > HOST_READS || w->sample.frames > WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS)
		abort();
	if (w->sample.flags & (WIRE_SAMPLE_TORN | WIRE_SAMPLE_UNREAD | WIRE_SAMPLE_NO_THREAD) &&
	    (w->sample.frames || w->sample.has_opcode))
		abort();
	for (unsigned i = 0; i < w->sample.frames; i++)
		if (!w->frames[i].code)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct walk walk;
	char *text = malloc(size + 1);
	struct image *m;

	memcpy(text, data, size);
	text[size] = 0;
	m = image_parse(text);
	free(text);
	if (m && host_python(m->minor, m->free_threaded)) {
		memory = m;
		host_read = memory_read;
		host_walk(&walk, &m->process, m->self, 0);
		walk_check(&walk);
		host_walk(&walk, &m->process, m->self, walk.state);
		walk_check(&walk);
	}
	free(m);
	return 0;
}
