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
#include "userspace/recording_format.h"

#define STRINGS_MAX 6

struct reader {
	int fd;		     /* -1: read from data */
	const uint8_t *data; /* what is left of it */
	size_t data_size;
	uint64_t offset;

	struct sink *to;
	uint32_t version;
	bool has_meta;
	bool ended;
	uint32_t functions;
	uint32_t nodes;
	bool kernel_mode;
	struct recording_status status;
	char *err;
	size_t errlen;

	/* Facts that wait for their flush. */
	uint8_t *facts;
	size_t size;
	size_t capacity;
	/* Storage for the strings of the fact at hand. */
	char *strings;
	size_t strings_size;
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

/* A cost per call that the correction can compute with. */
static double take_overhead(struct cursor *c)
{
	double value = take_double(c);

	if (!overhead_is_valid(value))
		c->bad = true;
	return value;
}

/* Copies strings out of the payload to terminate them; valid until the next fact. */
static int take_strings(struct reader *r, struct cursor *c, const char **ret, size_t count)
{
	size_t used = 0;
	/* No string outgrows the payload, so this never moves them halfway. */
	size_t needed = (c->end - c->at) + count;

	if (needed > STRINGS_MAX * (RECORDING_STRING_MAX + 1))
		needed = STRINGS_MAX * (RECORDING_STRING_MAX + 1);
	if (r->strings_size < needed) {
		char *strings = realloc(r->strings, needed);

		if (!strings)
			return -ENOMEM;
		r->strings = strings;
		r->strings_size = needed;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t size = take_varint(c);

		ret[i] = "";
		if (size > RECORDING_STRING_MAX || size > (size_t)(c->end - c->at) ||
		    memchr(c->at, 0, size))
			c->bad = true;
		if (c->bad)
			return 0;
		memcpy(r->strings + used, c->at, size);
		ret[i] = r->strings + used;
		used += size;
		r->strings[used++] = 0;
		c->at += size;
	}
	return 0;
}

/*
 * One function a fact: they take its fields, and hand it over only when the
 * cursor is still good.  A fact that breaks the contract sets c->bad too.
 */
static int read_meta(struct reader *r, struct cursor *c)
{
	struct sink_meta meta = { .metric = take_u32(c) };
	uint32_t flags = take_u32(c);
	const char *s[3];
	int err;

	meta.start_realtime_ns = take_varint(c);
	err = take_strings(r, c, s, 3);
	if (err)
		return err;
	if (r->has_meta || meta.metric < METRIC_INSTRUCTIONS || meta.metric > METRIC_TASK_CLOCK ||
	    flags & ~META_FLAGS ||
	    (flags & META_KERNEL_MODE &&
	     (r->version < 2 || meta.metric == METRIC_TASK_CLOCK)))
		c->bad = true;
	if (c->bad)
		return 0;
	r->has_meta = true;
	meta.user_only = flags & META_USER_ONLY;
	meta.metric_fallback = flags & META_METRIC_FALLBACK;
	meta.per_thread = flags & META_PER_THREAD;
	meta.kernel_mode = r->kernel_mode = flags & META_KERNEL_MODE;
	meta.host = s[0];
	meta.kernel = s[1];
	meta.version = s[2];
	return r->to->meta(r->to, &meta);
}

static void take_kernel_overheads(struct cursor *c, struct sink_calibration *ret)
{
	ret->kernel_entry = take_overhead(c);
	ret->kernel_exit = take_overhead(c);
	ret->kernel_entry_error = take_overhead(c);
	ret->kernel_exit_error = take_overhead(c);
	ret->kernel_total_error = take_overhead(c);
}

static int read_calibration(struct reader *r, struct cursor *c)
{
	struct sink_calibration calibration = { .id = take_u32(c) };
	const char *s[2];
	int err = take_strings(r, c, s, 2);

	if (err)
		return err;
	calibration.python = s[0];
	calibration.build_id = s[1];
	calibration.entry = take_overhead(c);
	calibration.exit = take_overhead(c);
	calibration.entry_error = take_overhead(c);
	calibration.exit_error = take_overhead(c);
	calibration.total_error = take_overhead(c);
	calibration.plain = take_overhead(c);
	if (r->version >= 2)
		calibration.search_error = take_overhead(c);
	if (r->kernel_mode)
		take_kernel_overheads(c, &calibration);
	return c->bad ? 0 : r->to->calibration(r->to, &calibration);
}

static int read_process(struct reader *r, struct cursor *c)
{
	struct sink_process process = { .pid = take_u32(c) };
	const char *s[3];
	int err;

	process.ppid = take_u32(c);
	process.calibration = take_u32(c);
	err = take_strings(r, c, s, 3);
	if (err)
		return err;
	process.comm = s[0];
	process.python = s[1];
	process.exe = s[2];
	return c->bad ? 0 : r->to->process(r->to, &process);
}

static int read_function(struct reader *r, struct cursor *c)
{
	struct sink_function f = { .line = take_u32(c) };
	uint32_t unresolved = take_u32(c);
	const char *s[6];
	int err = take_strings(r, c, s, 6);

	if (err)
		return err;
	if (unresolved > 1 || r->functions == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	f.id = ++r->functions;
	f.unresolved = unresolved;
	f.name = s[0];
	f.qualname = s[1];
	f.class_name = s[2];
	f.module = s[3];
	f.file = s[4];
	f.wraps = s[5];
	return r->to->function(r->to, &f);
}

static int read_node(struct reader *r, struct cursor *c)
{
	uint32_t distance = take_u32(c);
	struct sink_node node = { .function = take_u32(c) };

	node.pid = take_u32(c);
	node.tid = take_u32(c);
	if (distance > r->nodes || node.function > r->functions || r->nodes == UINT32_MAX)
		c->bad = true;
	if (c->bad)
		return 0;
	node.id = ++r->nodes;
	node.parent = distance ? node.id - distance : 0;
	return r->to->node(r->to, &node);
}

static int read_cost(struct reader *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.calls = take_varint(c);
	cost.self = take_varint(c);
	if (r->kernel_mode)
		cost.kernel_self = take_varint(c);
	if (!cost.node || cost.node > r->nodes)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_search(struct reader *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.search_self = unzigzag(take_varint(c));
	cost.search_caller = unzigzag(take_varint(c));
	if (!cost.node || cost.node > r->nodes)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_lone(struct reader *r, struct cursor *c)
{
	struct sink_cost cost = { .node = take_u32(c) };

	cost.lone_self = unzigzag(take_varint(c));
	cost.lone_caller = unzigzag(take_varint(c));
	if (!cost.node || cost.node > r->nodes || !r->kernel_mode)
		c->bad = true;
	return c->bad ? 0 : r->to->cost(r->to, &cost);
}

static int read_loss(struct reader *r, struct cursor *c)
{
	uint32_t loss = take_u32(c);
	uint64_t total = take_varint(c);

	if (!loss || loss >= LOSS_MAX)
		c->bad = true;
	return c->bad ? 0 : r->to->loss(r->to, loss, total);
}

static int (*const fact_readers[])(struct reader *, struct cursor *) = {
	[FACT_META] = read_meta,	 [FACT_CALIBRATION] = read_calibration,
	[FACT_PROCESS] = read_process,	 [FACT_FUNCTION] = read_function,
	[FACT_NODE] = read_node,	 [FACT_COST] = read_cost,
	[FACT_LOSS] = read_loss,	 [FACT_SEARCH] = read_search,
	[FACT_LONE] = read_lone,
};

/* Replays the waiting facts. */
static int facts_replay(struct reader *r)
{
	struct cursor c = { r->facts, r->facts + r->size, false };

	while (c.at < c.end) {
		uint64_t type = take_varint(&c);
		int err;

		if (type >= sizeof(fact_readers) / sizeof(*fact_readers) || !fact_readers[type])
			return fail(r, -EPROTO,
				    "damaged: unknown fact %" PRIu64 " before byte %" PRIu64, type,
				    r->offset);
		if (type != FACT_META && !r->has_meta)
			return fail(r, -EPROTO, "damaged: it does not say what was measured");
		err = fact_readers[type](r, &c);
		if (!err && c.bad)
			err = -EPROTO;
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
	uint8_t *facts;

	if (r->facts && capacity <= r->capacity)
		return 0;
	capacity += capacity / 2 + 1;
	facts = realloc(r->facts, capacity);
	if (!facts)
		return fail(r, -ENOMEM, "%s", strerror(ENOMEM));
	r->facts = facts;
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
	struct cursor c = { r->facts + r->size, r->facts + r->size + length, false };
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
	memmove(r->facts + r->size, c.at, rest);
	r->size += rest;
	err = facts_replay(r);
	if (err)
		return err;
	if (!r->has_meta)
		return fail(r, -EPROTO, "damaged: it does not say what was measured");
	r->status.size = r->offset;
	r->ended = type == BLOCK_END;
	err = r->ended ? r->to->end(r->to, duration_ns) : r->to->flush(r->to, duration_ns);
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
	n = source_read(r, r->facts + r->size, length);
	if (n < (ssize_t)length)
		return n < 0 ? n : 0;
	if (XXH64(r->facts + r->size, length, block_seed(type, length)) != get_u64(header + 8))
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
	r->version = get_u32(header + RECORDING_MAGIC_SIZE);
	if (r->version > RECORDING_VERSION)
		return fail(r, -EPROTONOSUPPORT,
			    "it was made by a newer pycost (recording version %" PRIu32
			    ", this one reads up to %d)",
			    r->version, RECORDING_VERSION);
	if (!r->version)
		return fail(r, -EINVAL, "it is not a pycost recording (version 0)");
	return 0;
}

static int reader_run(struct reader *r, struct recording_status *ret_status)
{
	bool more = true;
	int err = header_read(r);

	while (!err && more)
		err = block_read(r, &more);
	free(r->facts);
	free(r->strings);
	if (err)
		return err;
	r->status.incomplete = !r->ended;
	*ret_status = r->status;
	return 0;
}

int recording_read_memory(const void *data, size_t size, struct sink *to,
			  struct recording_status *ret_status, char *err, size_t errlen)
{
	struct reader r = { .fd = -1,	 .data = data, .data_size = size,
			    .to = to, .err = err,	 .errlen = errlen };

	return reader_run(&r, ret_status);
}

int recording_read(const char *path, struct sink *to, struct recording_status *ret_status,
		   char *err, size_t errlen)
{
	struct reader r = { .to = to, .err = err, .errlen = errlen };
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
