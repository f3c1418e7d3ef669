// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/reread.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "bpf/cpython.h"
#include "bpf/wire.h"

static int target_read(pid_t pid, uint64_t address, void *ret, size_t size)
{
	struct iovec to = {ret, size}, from = {(void *)(uintptr_t)address, size};
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	return n < 0 ? -errno : (size_t)n < size ? -EFAULT : 0;
}

static int str_read(pid_t pid, const struct cpython_layout *l, uint64_t str, size_t max,
		    struct wire_str *ret, uint8_t *data)
{
	struct py_str_head head;
	uint64_t at, bytes;
	/* A free-threaded build's objects have a longer head: see names.bpf.h. */
	int err = target_read(pid, str + l->object_size - PY_STR_LENGTH, &head, sizeof(head));

	if (err)
		return err;
	head.state >>= l->str_state_shift;
	if (!(head.state & PY_STR_COMPACT))
		return -EFAULT;
	at = str + (head.state & PY_STR_ASCII ? l->str_ascii_data : l->str_unicode_data);
	bytes = head.length > max ? max : head.length * PY_STR_KIND(head.state);
	if (bytes > max)
		bytes = max;
	err = target_read(pid, at, data, bytes);
	if (err)
		return err;
	*ret = (struct wire_str){.length = head.length, .bytes = bytes,
				 .kind = PY_STR_KIND(head.state),
				 .ascii = !!(head.state & PY_STR_ASCII)};
	return 0;
}

/* The str that a member of the code object points to. */
static int member_read(pid_t pid, const struct cpython_layout *l, uint64_t code, unsigned offset,
		       size_t max, struct wire_str *ret, uint8_t *data)
{
	uint64_t str;
	int err;

	if (ret->kind || offset == PY_NONE)
		return 0;
	err = target_read(pid, code + offset, &str, sizeof(str));
	return err ? err : str_read(pid, l, str, max, ret, data);
}

/* Where the table's bytes are, and how many. */
static int linetable_find(pid_t pid, const struct cpython_layout *l, uint64_t code, uint64_t *ret,
			  uint64_t *ret_size)
{
	uint64_t table;
	int err = target_read(pid, code + l->code_linetable, &table, sizeof(table));

	if (!err)
		err = target_read(pid, table + l->object_size, ret_size, sizeof(*ret_size));
	*ret = table + l->object_size + PY_BYTES_DATA - PY_BYTES_SIZE;
	return err;
}

/* Without one, costs are a little less exact: no error. */
static void linetable_read(pid_t pid, const struct cpython_layout *l, struct wire_event_code *e)
{
	uint64_t table, size;

	if (e->linetable_size != WIRE_LINETABLE_UNREAD ||
	    linetable_find(pid, l, e->code, &table, &size) || size >= INT32_MAX)
		return;
	if (!target_read(pid, table, e->linetable,
			 size < WIRE_LINETABLE_MAX ? size : WIRE_LINETABLE_MAX))
		e->linetable_size = size;
}

int reread_linetable(pid_t pid, const struct cpython_layout *l, const struct wire_event_code *e,
		     uint8_t **ret)
{
	uint64_t table, size;
	uint8_t *bytes;
	int err = linetable_find(pid, l, e->code, &table, &size);

	if (err)
		return err;
	/* Another code object may be at that address by now. */
	if (size != e->linetable_size || size < WIRE_LINETABLE_MAX || size > REREAD_LINETABLE_MAX)
		return -ESTALE;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	err = target_read(pid, table, bytes, size);
	if (!err && memcmp(bytes, e->linetable, WIRE_LINETABLE_MAX))
		err = -ESTALE;
	if (err)
		free(bytes);
	else
		*ret = bytes;
	return err;
}

bool reread_is_due(const struct wire_event_code *e)
{
	return !e->file.kind || !e->name.kind || (e->wrapped && !e->wraps.kind) ||
	       e->linetable_size == WIRE_LINETABLE_UNREAD;
}

int reread_code(pid_t pid, const struct cpython_layout *l, struct wire_event_code *e)
{
	int err = member_read(pid, l, e->code, l->code_filename, WIRE_FILE_MAX, &e->file,
			      e->file_data);

	if (!err)
		err = member_read(pid, l, e->code, l->code_name, WIRE_NAME_MAX, &e->name,
				  e->name_data);
	if (!err)
		err = member_read(pid, l, e->code, l->code_qualname, WIRE_QUALNAME_MAX,
				  &e->qualname, e->qualname_data);
	if (!err && e->wrapped && !e->wraps.kind)
		err = str_read(pid, l, e->wrapped, WIRE_QUALNAME_MAX, &e->wraps, e->wraps_data);
	if (!err)
		err = target_read(pid, e->code + l->code_firstlineno, &e->firstlineno,
				  sizeof(e->firstlineno));
	linetable_read(pid, l, e);
	return err;
}
