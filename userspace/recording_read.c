/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File -> sink.  Every byte is hostile: a block is believed when its checksum
 * matches, and even then its facts are held to the contract of sink.h, since a
 * checksum only tells that nothing changed after somebody computed it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "userspace/bytes.h"
#include "userspace/recording.h"
#include "userspace/recording_facts.h"
#include "userspace/recording_format.h"

struct reader {
	int fd;		     /* -1: read from data */
	const uint8_t *data; /* what is left of it */
	size_t data_size;
	uint64_t offset;

	struct facts facts;
	bool ended;
	struct recording_status status;
	char *err;
	size_t errlen;

	/* Facts that wait for their flush. */
	uint8_t *waiting;
	size_t size;
	size_t capacity;
};

__attribute__((format(printf, 3, 4)))
static int fail(struct reader *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (r->errlen)
		vsnprintf(r->err, r->errlen, fmt, ap);
	va_end(ap);
	return err;
}

/* Fills buf; a short count is the end of the file. */
static ssize_t source_read(struct reader *r, void *buf, size_t size)
{
	size_t done = 0;

	if (r->fd < 0) {
		done = size < r->data_size ? size : r->data_size;
		if (!done)
			return 0;
		memcpy(buf, r->data, done);
		r->data += done;
		r->data_size -= done;
	} else while (done < size) {
		ssize_t n = read(r->fd, (char *)buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(r, -errno, "cannot read it: %s", strerror(errno));
		if (n == 0)
			break;
		done += n;
	}
	r->offset += done;
	return done;
}

/* Replays the waiting facts. */
static int facts_replay(struct reader *r)
{
	struct cursor c = { r->waiting, r->waiting + r->size, false };

	while (c.at < c.end) {
		uint64_t type = take_varint(&c);
		int err;

		if (!fact_is_known(type))
			return fail(r, -EPROTO,
				    "damaged: unknown fact %" PRIu64 " before byte %" PRIu64, type,
				    r->offset);
		if (type != FACT_META && !r->facts.has_meta)
			return fail(r, -EPROTO, "damaged: it does not say what was measured");
		err = fact_read(&r->facts, type, &c);
		if (err == -EPROTO || err == -EINVAL)
			return fail(r, -EPROTO,
				    "damaged: a fact of type %" PRIu64 " before byte %" PRIu64
				    " makes no sense",
				    type, r->offset);
		if (err)
			return fail(r, err, "%s", strerror(-err));
	}
	r->size = 0;
	return 0;
}

/* Makes room for size more bytes of facts. */
static int facts_reserve(struct reader *r, size_t size)
{
	size_t capacity = r->size + size;
	uint8_t *grown;

	if (r->waiting && capacity <= r->capacity)
		return 0;
	capacity += capacity / 2 + 1;
	grown = realloc(r->waiting, capacity);
	if (!grown)
		return fail(r, -ENOMEM, "%s", strerror(ENOMEM));
	r->waiting = grown;
	r->capacity = capacity;
	return 0;
}

static int corrupt(struct reader *r, uint64_t offset)
{
	r->status.corrupt = true;
	r->status.corrupt_offset = offset;
	return 0;
}

/* Applies a whole and intact block that was read behind the waiting facts. */
static int block_apply(struct reader *r, uint32_t type, uint32_t length, uint64_t offset)
{
	struct cursor c = { r->waiting + r->size, r->waiting + r->size + length, false };
	uint64_t duration_ns;
	size_t rest;
	int err;

	if (type == BLOCK_FACTS) {
		r->size += length;
		return 0;
	}
	duration_ns = take_varint(&c);
	if (c.bad)
		return corrupt(r, offset);
	rest = c.end - c.at;
	memmove(r->waiting + r->size, c.at, rest);
	r->size += rest;
	err = facts_replay(r);
	if (err)
		return err;
	if (!r->facts.has_meta)
		return fail(r, -EPROTO, "damaged: it does not say what was measured");
	r->status.size = r->offset;
	r->ended = type == BLOCK_END;
	err = r->ended ? r->facts.to->end(r->facts.to, duration_ns) : r->facts.to->flush(r->facts.to, duration_ns);
	return err ? fail(r, err, "%s", strerror(-err)) : 0;
}

/* One block.  *ret_more is false at the end of what can be read. */
static int block_read(struct reader *r, bool *ret_more)
{
	uint8_t header[RECORDING_BLOCK_HEADER_SIZE];
	uint64_t offset = r->offset;
	ssize_t n = source_read(r, header, sizeof(header));
	uint32_t type, length;
	int err;

	*ret_more = false;
	if (n < (ssize_t)sizeof(header)) {
		/* After the end marker there must be nothing at all. */
		if (n > 0 && r->ended)
			return corrupt(r, offset);
		return n < 0 ? n : 0;
	}
	type = get_u32(header);
	length = get_u32(header + 4);
	if (r->ended || type < BLOCK_FACTS || type > BLOCK_END || length > RECORDING_BLOCK_MAX)
		return corrupt(r, offset);
	err = facts_reserve(r, length);
	if (err)
		return err;
	n = source_read(r, r->waiting + r->size, length);
	if (n < (ssize_t)length)
		return n < 0 ? n : 0;
	if (XXH64(r->waiting + r->size, length, block_seed(type, length)) != get_u64(header + 8))
		return corrupt(r, offset);
	*ret_more = true;
	err = block_apply(r, type, length, offset);
	if (r->status.corrupt)
		*ret_more = false;
	return err;
}

static int header_read(struct reader *r)
{
	uint8_t header[RECORDING_HEADER_SIZE];
	ssize_t n = source_read(r, header, sizeof(header));

	if (n < 0)
		return n;
	if (n == 0)
		return fail(r, -EINVAL, "it is empty");
	if (memcmp(header, RECORDING_MAGIC,
		   n < RECORDING_MAGIC_SIZE ? (size_t)n : RECORDING_MAGIC_SIZE))
		return fail(r, -EINVAL, "it is not a pycost recording");
	if (n < (ssize_t)sizeof(header))
		return fail(r, -EINVAL, "it ends within its header: nothing was recorded");
	r->facts.version = get_u32(header + RECORDING_MAGIC_SIZE);
	if (r->facts.version > RECORDING_VERSION)
		return fail(r, -EPROTONOSUPPORT,
			    "it was made by a newer pycost (recording version %" PRIu32
			    ", this one reads up to %d)",
			    r->facts.version, RECORDING_VERSION);
	if (!r->facts.version)
		return fail(r, -EINVAL, "it is not a pycost recording (version 0)");
	return 0;
}

static int reader_run(struct reader *r, struct recording_status *ret_status)
{
	bool more = true;
	int err = header_read(r);

	while (!err && more)
		err = block_read(r, &more);
	free(r->waiting);
	facts_clear(&r->facts);
	if (err)
		return err;
	r->status.incomplete = !r->ended;
	*ret_status = r->status;
	return 0;
}

int recording_read_memory(const void *data, size_t size, struct sink *to,
			  struct recording_status *ret_status, char *err, size_t errlen)
{
	struct reader r = { .fd = -1,	  .data = data, .data_size = size,
			    .facts = { .to = to }, .err = err,	.errlen = errlen };

	return reader_run(&r, ret_status);
}

int recording_read(const char *path, struct sink *to, struct recording_status *ret_status,
		   char *err, size_t errlen)
{
	struct reader r = { .facts = { .to = to }, .err = err, .errlen = errlen };
	bool standard_input = !strcmp(path, "-");
	int ret;

	r.fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (r.fd < 0)
		return fail(&r, -errno, "%s", strerror(errno));
	ret = reader_run(&r, ret_status);
	if (!standard_input)
		close(r.fd);
	return ret;
}
