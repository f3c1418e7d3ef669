/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/recording_block.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "userspace/bytes.h"

/* Facts start here, so header and duration can be put in front of them. */
#define FACTS_START (RECORDING_BLOCK_HEADER_SIZE + VARINT_MAX)

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= n;
	}
	return 0;
}

/* Writes the facts so far as one block; prefix is the payload ahead of them. */
static int block_write(struct block *b, enum block_type type, const uint8_t *prefix,
		       size_t prefix_size)
{
	uint8_t *payload = b->buf + FACTS_START - prefix_size;
	uint8_t *block = payload - RECORDING_BLOCK_HEADER_SIZE;
	uint32_t length = b->size - FACTS_START + prefix_size;

	if (b->error)
		return b->error;
	if (prefix_size)
		memcpy(payload, prefix, prefix_size);
	put_u32(block, type);
	put_u32(block + 4, length);
	put_u64(block + 8, XXH64(payload, length, block_seed(type, length)));
	b->error = write_all(b->fd, block, RECORDING_BLOCK_HEADER_SIZE + length);
	b->size = FACTS_START;
	return b->error;
}

int block_end(struct block *b, enum block_type type, uint64_t duration_ns)
{
	uint8_t prefix[VARINT_MAX];

	return block_write(b, type, prefix, put_varint(prefix, duration_ns));
}

int block_fact(struct block *b, enum fact_type type, size_t size)
{
	int err = b->error;

	if (!err && b->size + size > FACTS_START + RECORDING_BLOCK_SOFT_SIZE &&
	    b->size > FACTS_START)
		err = block_write(b, BLOCK_FACTS, NULL, 0);
	if (err)
		return err;

	size += VARINT_MAX;
	if (b->size + size > b->capacity) {
		size_t capacity = b->size + size + b->capacity;
		uint8_t *buf = realloc(b->buf, capacity);

		if (!buf)
			return -ENOMEM;
		b->buf = buf;
		b->capacity = capacity;
	}
	b->size += put_varint(b->buf + b->size, type);
	return 0;
}

void block_varint(struct block *b, uint64_t value)
{
	b->size += put_varint(b->buf + b->size, value);
}

void block_double(struct block *b, double value)
{
	put_double(b->buf + b->size, value);
	b->size += sizeof(value);
}

/* A name longer than the format allows is cut: no reader could show it anyway. */
static size_t string_size(const char *s)
{
	return s ? strnlen(s, RECORDING_STRING_MAX) : 0;
}

static void block_string(struct block *b, const char *s)
{
	size_t size = string_size(s);

	block_varint(b, size);
	if (size)
		memcpy(b->buf + b->size, s, size);
	b->size += size;
}

size_t block_strings_size(const char *const *strings, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += VARINT_MAX + string_size(strings[i]);
	return size;
}

void block_strings(struct block *b, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		block_string(b, strings[i]);
}

static int file_open(const char *path)
{
	int fd;

	if (!strcmp(path, "-"))
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int block_open(const char *path, struct block *b)
{
	uint8_t header[RECORDING_HEADER_SIZE] = RECORDING_MAGIC;

	*b = (struct block){ .fd = -1, .capacity = 64 << 10, .size = FACTS_START };
	b->buf = malloc(b->capacity);
	if (!b->buf)
		return -ENOMEM;
	b->fd = file_open(path);
	if (b->fd < 0)
		return b->fd;
	put_u32(header + RECORDING_MAGIC_SIZE, RECORDING_VERSION);
	return write_all(b->fd, header, sizeof(header));
}

int block_close(struct block *b)
{
	int err = 0;

	if (b->fd >= 0 && close(b->fd) < 0)
		err = -errno;
	free(b->buf);
	return err;
}
