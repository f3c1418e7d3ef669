/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sink -> file.  One buffer of about a block is all the memory it needs: nodes
 * and functions are written once and forgotten, only their counts are kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "userspace/bytes.h"
#include "userspace/recording.h"
#include "userspace/recording_format.h"

struct recording {
	struct sink sink; /* first */
	int fd;
	int error; /* sticks: after a failed write the file's end is unknown */
	bool ended;
	/* Told so far: what would be refused by the reader is refused here. */
	uint32_t calibrations;
	uint32_t functions;
	uint32_t nodes;
	bool kernel_mode;
	/* A block under construction: room for its header and duration, then facts. */
	uint8_t *buf;
	size_t capacity;
	size_t size;
};

/* Facts start here, so header and duration can be put in front of them. */
#define FACTS_START (RECORDING_BLOCK_HEADER_SIZE + VARINT_MAX)

static struct recording *recording_of(struct sink *s)
{
	return (struct recording *)s;
}

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
static int block_write(struct recording *r, enum block_type type, const uint8_t *prefix,
		       size_t prefix_size)
{
	uint8_t *payload = r->buf + FACTS_START - prefix_size;
	uint8_t *block = payload - RECORDING_BLOCK_HEADER_SIZE;
	uint32_t length = r->size - FACTS_START + prefix_size;

	if (r->error)
		return r->error;
	if (prefix_size)
		memcpy(payload, prefix, prefix_size);
	put_u32(block, type);
	put_u32(block + 4, length);
	put_u64(block + 8, XXH64(payload, length, block_seed(type, length)));
	r->error = write_all(r->fd, block, RECORDING_BLOCK_HEADER_SIZE + length);
	r->size = FACTS_START;
	return r->error;
}

static int block_write_at(struct recording *r, enum block_type type, uint64_t duration_ns)
{
	uint8_t prefix[VARINT_MAX];

	return block_write(r, type, prefix, put_varint(prefix, duration_ns));
}

/* Makes room for a fact of at most size bytes and puts its type. */
static int fact_begin(struct recording *r, enum fact_type type, size_t size)
{
	int err = r->error;

	if (!err && r->ended)
		err = -EINVAL;
	if (!err && r->size + size > FACTS_START + RECORDING_BLOCK_SOFT_SIZE &&
	    r->size > FACTS_START)
		err = block_write(r, BLOCK_FACTS, NULL, 0);
	if (err)
		return err;

	size += VARINT_MAX;
	if (r->size + size > r->capacity) {
		size_t capacity = r->size + size + r->capacity;
		uint8_t *buf = realloc(r->buf, capacity);

		if (!buf)
			return -ENOMEM;
		r->buf = buf;
		r->capacity = capacity;
	}
	r->size += put_varint(r->buf + r->size, type);
	return 0;
}

static void add_varint(struct recording *r, uint64_t value)
{
	r->size += put_varint(r->buf + r->size, value);
}

static void add_double(struct recording *r, double value)
{
	put_double(r->buf + r->size, value);
	r->size += sizeof(value);
}

/* A name longer than the format allows is cut: no reader could show it anyway. */
static size_t string_size(const char *s)
{
	return s ? strnlen(s, RECORDING_STRING_MAX) : 0;
}

static void add_string(struct recording *r, const char *s)
{
	size_t size = string_size(s);

	add_varint(r, size);
	if (size)
		memcpy(r->buf + r->size, s, size);
	r->size += size;
}

static size_t strings_size(const char *const *strings, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += VARINT_MAX + string_size(strings[i]);
	return size;
}

static void add_strings(struct recording *r, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_string(r, strings[i]);
}

static int recording_meta(struct sink *s, const struct sink_meta *meta)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { meta->host, meta->kernel, meta->version };
	int err;

	if (meta->kernel_mode && meta->metric == METRIC_TASK_CLOCK)
		return -EINVAL;
	err = fact_begin(r, FACT_META, 3 * VARINT_MAX + strings_size(strings, 3));
	if (err)
		return err;
	add_varint(r, meta->metric);
	add_varint(r, (meta->user_only ? META_USER_ONLY : 0) |
			      (meta->metric_fallback ? META_METRIC_FALLBACK : 0) |
			      (meta->per_thread ? META_PER_THREAD : 0) |
			      (meta->kernel_mode ? META_KERNEL_MODE : 0));
	add_varint(r, meta->start_realtime_ns);
	add_strings(r, strings, 3);
	r->kernel_mode = meta->kernel_mode;
	return 0;
}

static bool kernel_overheads_are_valid(const struct sink_calibration *c)
{
	return overhead_is_valid(c->kernel_entry) && overhead_is_valid(c->kernel_exit) &&
	       overhead_is_valid(c->kernel_entry_error) &&
	       overhead_is_valid(c->kernel_exit_error) && overhead_is_valid(c->kernel_total_error);
}

#define KERNEL_OVERHEADS 5

static void add_kernel_overheads(struct recording *r, const struct sink_calibration *c)
{
	if (!r->kernel_mode)
		return;
	add_double(r, c->kernel_entry);
	add_double(r, c->kernel_exit);
	add_double(r, c->kernel_entry_error);
	add_double(r, c->kernel_exit_error);
	add_double(r, c->kernel_total_error);
}

static int recording_calibration(struct sink *s, const struct sink_calibration *c)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { c->python, c->build_id };
	int err;

	if (!c->id || c->id > r->calibrations + 1 || !overhead_is_valid(c->entry) ||
	    !overhead_is_valid(c->exit) || !overhead_is_valid(c->entry_error) ||
	    !overhead_is_valid(c->exit_error) || !overhead_is_valid(c->total_error) ||
	    !overhead_is_valid(c->plain) || !overhead_is_valid(c->search_error) ||
	    !kernel_overheads_are_valid(c))
		return -EINVAL;
	err = fact_begin(r, FACT_CALIBRATION,
			 VARINT_MAX + strings_size(strings, 2) +
				 (7 + KERNEL_OVERHEADS) * sizeof(double));
	if (err)
		return err;
	if (c->id > r->calibrations)
		r->calibrations = c->id;
	add_varint(r, c->id);
	add_strings(r, strings, 2);
	add_double(r, c->entry);
	add_double(r, c->exit);
	add_double(r, c->entry_error);
	add_double(r, c->exit_error);
	add_double(r, c->total_error);
	add_double(r, c->plain);
	add_double(r, c->search_error);
	add_kernel_overheads(r, c);
	return 0;
}

static int recording_process(struct sink *s, const struct sink_process *p)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { p->comm, p->python, p->exe };
	int err = fact_begin(r, FACT_PROCESS, 3 * VARINT_MAX + strings_size(strings, 3));

	if (err)
		return err;
	add_varint(r, p->pid);
	add_varint(r, p->ppid);
	add_varint(r, p->calibration);
	add_strings(r, strings, 3);
	return 0;
}

static int recording_function(struct sink *s, const struct sink_function *f)
{
	struct recording *r = recording_of(s);
	const char *strings[] = { f->name,   f->qualname, f->class_name,
				  f->module, f->file,	  f->wraps };
	int err;

	if (f->id != r->functions + 1)
		return -EINVAL;
	err = fact_begin(r, FACT_FUNCTION, 2 * VARINT_MAX + strings_size(strings, 6));
	if (err)
		return err;
	r->functions = f->id;
	add_varint(r, f->line);
	add_varint(r, f->unresolved);
	add_strings(r, strings, 6);
	return 0;
}

static int recording_node(struct sink *s, const struct sink_node *n)
{
	struct recording *r = recording_of(s);
	int err;

	if (n->id != r->nodes + 1 || n->parent >= n->id || n->function > r->functions ||
	    (n->parent && !n->function))
		return -EINVAL;
	err = fact_begin(r, FACT_NODE, 4 * VARINT_MAX);
	if (err)
		return err;
	r->nodes = n->id;
	add_varint(r, n->parent ? n->id - n->parent : 0);
	add_varint(r, n->function);
	add_varint(r, n->pid);
	add_varint(r, n->tid);
	return 0;
}

/* Of most nodes, most of the time, there is none. */
static int recording_search(struct recording *r, const struct sink_cost *c)
{
	int err = fact_begin(r, FACT_SEARCH, 3 * VARINT_MAX);

	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, zigzag(c->search_self));
	add_varint(r, zigzag(c->search_caller));
	return 0;
}

/* Likewise. */
static int recording_lone(struct recording *r, const struct sink_cost *c)
{
	int err;

	if (!r->kernel_mode || (!c->lone_self && !c->lone_caller))
		return 0;
	err = fact_begin(r, FACT_LONE, 3 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, zigzag(c->lone_self));
	add_varint(r, zigzag(c->lone_caller));
	return 0;
}

static int recording_cost(struct sink *s, const struct sink_cost *c)
{
	struct recording *r = recording_of(s);
	int err;

	if (!c->node || c->node > r->nodes)
		return -EINVAL;
	err = fact_begin(r, FACT_COST, 4 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, c->node);
	add_varint(r, c->calls);
	add_varint(r, c->self);
	if (r->kernel_mode)
		add_varint(r, c->kernel_self);
	err = c->search_self || c->search_caller ? recording_search(r, c) : 0;
	return err ? err : recording_lone(r, c);
}

static int recording_loss(struct sink *s, enum loss loss, uint64_t total)
{
	struct recording *r = recording_of(s);
	int err;

	if (!loss_name(loss))
		return -EINVAL;
	err = fact_begin(r, FACT_LOSS, 2 * VARINT_MAX);
	if (err)
		return err;
	add_varint(r, loss);
	add_varint(r, total);
	return 0;
}

static int recording_flush(struct sink *s, uint64_t duration_ns)
{
	struct recording *r = recording_of(s);

	return r->ended ? -EINVAL : block_write_at(r, BLOCK_FLUSH, duration_ns);
}

static int recording_end(struct sink *s, uint64_t duration_ns)
{
	struct recording *r = recording_of(s);

	if (r->ended)
		return -EINVAL;
	r->ended = true;
	return block_write_at(r, BLOCK_END, duration_ns);
}

static const struct sink recording_sink = {
	.meta = recording_meta,
	.calibration = recording_calibration,
	.process = recording_process,
	.function = recording_function,
	.node = recording_node,
	.cost = recording_cost,
	.loss = recording_loss,
	.flush = recording_flush,
	.end = recording_end,
};

static int recording_open(const char *path)
{
	int fd;

	if (!strcmp(path, "-"))
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int recording_create(const char *path, struct sink **ret)
{
	uint8_t header[RECORDING_HEADER_SIZE] = RECORDING_MAGIC;
	struct recording *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->sink = recording_sink;
	r->capacity = 64 << 10;
	r->size = FACTS_START;
	r->fd = -1;
	r->buf = malloc(r->capacity);
	if (!r->buf) {
		err = -ENOMEM;
		goto fail;
	}
	r->fd = err = recording_open(path);
	if (err < 0)
		goto fail;
	put_u32(header + RECORDING_MAGIC_SIZE, RECORDING_VERSION);
	err = write_all(r->fd, header, sizeof(header));
	if (err)
		goto fail;
	*ret = &r->sink;
	return 0;
fail:
	recording_close(&r->sink);
	return err;
}

int recording_close(struct sink *s)
{
	struct recording *r = recording_of(s);
	int err = 0;

	if (!r)
		return 0;
	if (r->fd >= 0 && close(r->fd) < 0)
		err = -errno;
	free(r->buf);
	free(r);
	return err;
}
