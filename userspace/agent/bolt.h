/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A value of a BoltDB file, in which Podman before 5 keeps its containers.
 *
 * The format, little-endian, by go.etcd.io/bbolt 1.3 (page.go, node.go, bucket.go, db.go):
 * pages of 16 bytes of head, u64 id, u16 flags, u16 count, u32 overflow, and then
 *	meta	u32 magic, version, page size, flags; u64 root page, sequence, free list,
 *		end, transaction, FNV-1a of all that
 *	branch	count times u32 position, u32 key size, u64 page
 *	leaf	count times u32 flags, position, key size, value size
 * where a position counts from its own element. A bucket within a bucket is a value: u64
 * page, u64 sequence, and where page is 0 a leaf that follows at once. Of the first two
 * pages, both meta, the later valid one holds.
 */
#ifndef PYCOST_BOLT_H
#define PYCOST_BOLT_H

#include <stddef.h>

/*
 * The file's bytes, which may be anything: they are not trusted. path: depth buckets' names
 * from the root down, and the key. *ret points into data. -ENOENT; -EBADMSG: no such file,
 * or one that is being changed.
 */
int bolt_get(const void *data, size_t size, const char *const *path, size_t depth,
	     const void **ret, size_t *ret_size);

#endif
