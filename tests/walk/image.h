/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of a saved process: as much of its memory as the walker reads, and the
 * frames that the process itself saw.  Text, a fact a line, numbers in hexadecimal:
 *
 *	python MINOR FREE_THREADED
 *	process INTERPRETERS CURRENT COLLECTING CODE_TYPE	struct wire_sampled
 *	self PTHREAD_SELF
 *	frame CODE INSTR NAME		innermost first
 *	await CODE INSTR NAME
 *	memory ADDRESS BYTES
 */
#ifndef PYCOST_TESTS_WALK_IMAGE_H
#define PYCOST_TESTS_WALK_IMAGE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire.h"

#define IMAGE_FRAMES 64
#define IMAGE_SPANS 1024
#define IMAGE_BYTES (256 << 10)

struct image_span {
	unsigned long long address;
	unsigned at, size; /* in bytes[] */
};

struct image {
	unsigned minor, free_threaded;
	struct wire_sampled process;
	unsigned long long self;
	struct wire_sample_frame frames[IMAGE_FRAMES]; /* WIRE_FRAME_AWAITS as in a sample */
	unsigned n_frames;
	struct image_span spans[IMAGE_SPANS];
	unsigned n_spans;
	unsigned char bytes[IMAGE_BYTES];
	unsigned n_bytes;
};

static inline int image_memory_add(struct image *m, unsigned long long address, const char *hex)
{
	struct image_span *s = &m->spans[m->n_spans];
	unsigned byte;

	if (m->n_spans >= IMAGE_SPANS)
		return -1;
	s->address = address;
	s->at = m->n_bytes;
	for (; m->n_bytes < IMAGE_BYTES && sscanf(hex, "%2x", &byte) == 1 && hex[1]; hex += 2)
		m->bytes[m->n_bytes++] = byte;
	s->size = m->n_bytes - s->at;
	m->n_spans++;
	return 0;
}

static inline int image_frame_add(struct image *m, unsigned long long code, unsigned instr)
{
	if (m->n_frames >= IMAGE_FRAMES)
		return -1;
	m->frames[m->n_frames].code = code;
	m->frames[m->n_frames++].instr = instr;
	return 0;
}

static inline int image_line(struct image *m, const char *line)
{
	unsigned long long a, b, c, d;
	unsigned instr;
	int at = 0;

	if (sscanf(line, "python %x %x", &m->minor, &m->free_threaded) == 2)
		return 0;
	if (sscanf(line, "process %llx %llx %llx %llx", &a, &b, &c, &d) == 4) {
		m->process.interpreters = a;
		m->process.current = b;
		m->process.collecting = c;
		m->process.code_type = d;
		return 0;
	}
	if (sscanf(line, "self %llx", &m->self) == 1)
		return 0;
	if (sscanf(line, "frame %llx %x", &a, &instr) == 2)
		return image_frame_add(m, a, instr);
	if (sscanf(line, "await %llx %x", &a, &instr) == 2)
		return image_frame_add(m, a, instr | WIRE_FRAME_AWAITS);
	if (sscanf(line, "memory %llx %n", &a, &at) == 1 && at)
		return image_memory_add(m, a, line + at);
	return *line == '#' || !*line ? 0 : -1;
}

/* `text` is cut into lines in place.  NULL: it is no image, or too large a one. */
static inline struct image *image_parse(char *text)
{
	struct image *m = calloc(1, sizeof(*m));
	char *rest = text, *line;

	while (m && (line = strsep(&rest, "\n")))
		if (image_line(m, line)) {
			free(m);
			return NULL;
		}
	return m;
}

static inline struct image *image_load(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = f ? calloc(1, 2 * IMAGE_BYTES) : NULL;
	struct image *m = NULL;

	if (text && fread(text, 1, 2 * IMAGE_BYTES - 1, f))
		m = image_parse(text);
	free(text);
	if (f)
		fclose(f);
	return m;
}

/* Where it is in bytes[], when all of it is in one span; else negative. */
static inline long image_find(const struct image *m, unsigned long long address, unsigned len)
{
	for (unsigned i = 0; i < m->n_spans; i++) {
		const struct image_span *s = &m->spans[i];

		if (address >= s->address && len <= s->size &&
		    address - s->address <= s->size - len)
			return s->at + (address - s->address);
	}
	return -1;
}

/* 0: all of it is known. */
static inline int image_read(const struct image *m, void *dst, unsigned len,
			     unsigned long long address)
{
	long at = image_find(m, address, len);

	if (at >= 0)
		memcpy(dst, m->bytes + at, len);
	return at < 0;
}

/* From now on the memory there is so, whether it was known or not. */
static inline void image_set(struct image *m, unsigned long long address, const void *value,
			     unsigned size)
{
	long at = image_find(m, address, size);

	if (at < 0 && m->n_spans < IMAGE_SPANS && size <= IMAGE_BYTES - m->n_bytes) {
		at = m->n_bytes;
		m->spans[m->n_spans++] = (struct image_span){ address, at, size };
		m->n_bytes += size;
	}
	if (at >= 0)
		memcpy(m->bytes + at, value, size);
}

#endif
