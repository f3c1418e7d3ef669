/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording's file as it is written: facts gather in a block, which goes out when
 * it is large or ended.  About a block is all the memory that it needs.
 */
#ifndef PYCOST_RECORDING_BLOCK_H
#define PYCOST_RECORDING_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "userspace/recording_format.h"

struct block {
	int fd;
	int error; /* sticks: after a failed write the file's end is unknown */
	/* Room for the block's header and duration, then facts. */
	uint8_t *buf;
	size_t capacity, size;
};

/* Makes the file, "-" for standard output, with its header.  To be closed in any case. */
int block_open(const char *path, struct block *ret);
/* Drops facts since the last end. */
int block_close(struct block *b);

/* Makes room for a fact of at most size bytes and puts its type. */
int block_fact(struct block *b, enum fact_type type, size_t size);
void block_varint(struct block *b, uint64_t value);
void block_double(struct block *b, double value);
/* A name longer than the format allows is cut: no reader could show it anyway. */
void block_strings(struct block *b, const char *const *strings, size_t count);
size_t block_strings_size(const char *const *strings, size_t count);

/* BLOCK_FLUSH or BLOCK_END behind what there is. */
int block_end(struct block *b, enum block_type type, uint64_t duration_ns);

#endif
