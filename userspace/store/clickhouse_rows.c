/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RowBinary: numbers as they are in memory here, little endian; texts after their length as
 * a varint (dbms/src/DataStreams/BinaryRowOutputStream.cpp of 18.16). Level 1 of gzip: the
 * way to the server is short, and 18.16 knows nothing faster.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_rows.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "RowBinary is little endian");

static int grow(struct clickhouse_rows *r)
{
	size_t room = r->room ? r->room * 2 : 1 << 16;
	unsigned char *bytes = realloc(r->bytes, room);

	if (!bytes)
		return -ENOMEM;
	r->bytes = bytes;
	r->room = room;
	return 0;
}

static int deflate_plain(struct clickhouse_rows *r, const void *bytes, size_t size, int flush)
{
	int state = Z_OK, err;

	if (!r->begun) {
		if (deflateInit2(&r->zip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			return -ENOMEM;
		r->begun = 1;
	}
	r->zip.next_in = (unsigned char *)bytes;
	r->zip.avail_in = (unsigned int)size;
	do {
		err = r->size == r->room ? grow(r) : 0;
		if (err)
			return err;
		r->zip.next_out = r->bytes + r->size;
		r->zip.avail_out = r->room - r->size > 1u << 30 ? 1u << 30 :
								  (unsigned int)(r->room - r->size);
		state = deflate(&r->zip, flush);
		r->size = (size_t)(r->zip.next_out - r->bytes);
	} while (r->zip.avail_in || (flush == Z_FINISH && state != Z_STREAM_END));
	return 0;
}

static int put(struct clickhouse_rows *r, const void *bytes, size_t size)
{
	int err;

	if (size > sizeof(r->plain) - r->plain_used) {
		err = deflate_plain(r, r->plain, r->plain_used, Z_NO_FLUSH);
		r->plain_used = 0;
		if (err)
			return err;
	}
	if (size > sizeof(r->plain))
		return deflate_plain(r, bytes, size, Z_NO_FLUSH);
	memcpy(r->plain + r->plain_used, bytes, size);
	r->plain_used += size;
	return 0;
}

static int put_text(struct clickhouse_rows *r, const char *text)
{
	size_t length = strlen(text), left = length, n = 0;
	unsigned char varint[10];
	int err;

	do {
		varint[n] = (left & 0x7f) | (left > 0x7f ? 0x80 : 0);
		n++;
		left >>= 7;
	} while (left);
	err = put(r, varint, n);
	return err ? err : put(r, text, length);
}

int clickhouse_rows_add(void *rows, const struct store_value *values, size_t count)
{
	struct clickhouse_rows *r = rows;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = values[i].type == STORE_TEXT ? put_text(r, values[i].text) :
						     put(r, &values[i].u64, sizeof(values[i].u64));
	r->count++;
	return err;
}

int clickhouse_rows_end(struct clickhouse_rows *r)
{
	int err = deflate_plain(r, r->plain, r->plain_used, Z_FINISH);

	r->plain_used = 0;
	return err;
}

void clickhouse_rows_free(struct clickhouse_rows *r)
{
	if (r->begun)
		deflateEnd(&r->zip);
	free(r->bytes);
	memset(r, 0, offsetof(struct clickhouse_rows, plain));
	r->plain_used = 0;
	r->begun = 0;
}
