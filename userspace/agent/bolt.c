/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/bolt.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAGE_HEAD 16
#define PAGE_MIN 1024
#define PAGE_MAX 65536
#define META_SIZE 64
#define META_HASHED 56
#define BUCKET_HEAD 16
#define ELEMENT_SIZE 16 /* of a branch and of a leaf */
#define MAGIC 0xED0CDAED
#define VERSION 2
#define IS_BRANCH 1
#define IS_LEAF 2
#define IS_BUCKET 1 /* of a leaf's element */
#define LEVELS_MAX 32

struct bolt {
	const uint8_t *data;
	size_t size, page_size;
};

struct item { /* of a leaf */
	uint32_t flags;
	const uint8_t *value;
	size_t size;
};

static uint16_t u16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return le16toh(v);
}

static uint32_t u32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t u64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static bool meta_is_valid(const uint8_t *meta)
{
	uint64_t hash = 0xcbf29ce484222325;

	if (u32(meta) != MAGIC || u32(meta + 4) != VERSION)
		return false;
	for (size_t i = 0; i < META_HASHED; i++)
		hash = (hash ^ meta[i]) * 0x100000001b3;
	return hash == u64(meta + META_HASHED);
}

/* The root bucket's page. */
static int root_find(struct bolt *b, uint64_t *ret)
{
	bool found = false;
	uint64_t latest = 0;

	/* The size of pages is said by the first alone; the second is looked for without it. */
	for (size_t at = 0; at <= PAGE_MAX; at = at ? at * 2 : PAGE_MIN) {
		const uint8_t *meta = b->data + at + PAGE_HEAD;

		if (at + PAGE_HEAD + META_SIZE > b->size)
			break;
		if (!meta_is_valid(meta) || u32(meta + 8) < PAGE_MIN || (at && u32(meta + 8) != at) ||
		    (found && u64(meta + 48) < latest))
			continue;
		found = true;
		latest = u64(meta + 48);
		b->page_size = u32(meta + 8);
		*ret = u64(meta + 16);
	}
	return found ? 0 : -EBADMSG;
}

/* One page with all that overflows it. */
static int page_find(const struct bolt *b, uint64_t id, const uint8_t **ret, size_t *ret_size)
{
	size_t at, pages;

	if (id >= b->size / b->page_size)
		return -EBADMSG;
	at = id * b->page_size;
	pages = (size_t)u32(b->data + at + 12) + 1;
	if (pages > (b->size - at) / b->page_size || u64(b->data + at) != id)
		return -EBADMSG;
	*ret = b->data + at;
	*ret_size = pages * b->page_size;
	return 0;
}

/* <0, 0, >0 of the element's key and this one; *ret_inside is false where it lies outside. */
static int key_compare(const uint8_t *page, size_t size, size_t element, size_t position,
		       size_t length, const char *key, bool *ret_inside)
{
	size_t n = strlen(key);
	int order;

	*ret_inside = element + position <= size && length <= size - element - position;
	if (!*ret_inside)
		return 0;
	order = memcmp(page + element + position, key, length < n ? length : n);
	return order ? order : (length > n) - (length < n);
}

/* The page below a branch that has the key: the last whose first key is not after it. */
static int branch_follow(const uint8_t *page, size_t size, const char *key, uint64_t *ret)
{
	size_t count = u16(page + 10);
	bool good = true;

	if (!count || count > (size - PAGE_HEAD) / ELEMENT_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		size_t at = PAGE_HEAD + i * ELEMENT_SIZE;

		if (key_compare(page, size, at, u32(page + at), u32(page + at + 4), key, &good) > 0 && i)
			break;
		if (!good)
			return -EBADMSG;
		*ret = u64(page + at + 8);
	}
	return good ? 0 : -EBADMSG;
}

static int leaf_find(const uint8_t *page, size_t size, const char *key, struct item *ret)
{
	size_t count = u16(page + 10);

	if (count > (size - PAGE_HEAD) / ELEMENT_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		size_t at = PAGE_HEAD + i * ELEMENT_SIZE;
		size_t position = u32(page + at + 4), length = u32(page + at + 8);
		bool good;

		if (key_compare(page, size, at, position, length, key, &good) && good)
			continue;
		if (!good)
			return -EBADMSG;
		ret->flags = u32(page + at);
		ret->value = page + at + position + length;
		ret->size = u32(page + at + 12);
		return ret->size <= size - at - position - length ? 0 : -EBADMSG;
	}
	return -ENOENT;
}

static int tree_find(const struct bolt *b, uint64_t id, const char *key, struct item *ret)
{
	const uint8_t *page;
	size_t size;
	int error;

	for (int level = 0; level < LEVELS_MAX; level++) {
		error = page_find(b, id, &page, &size);
		if (!error && u16(page + 8) & IS_LEAF)
			return leaf_find(page, size, key, ret);
		if (!error && !(u16(page + 8) & IS_BRANCH))
			error = -EBADMSG;
		if (!error)
			error = branch_follow(page, size, key, &id);
		if (error)
			return error;
	}
	return -EBADMSG;
}

int bolt_get(const void *data, size_t size, const char *const *path, size_t depth,
	     const void **ret, size_t *ret_size)
{
	struct bolt b = {.data = data, .size = size};
	struct item item;
	uint64_t root;
	int error = root_find(&b, &root);

	if (!error)
		error = tree_find(&b, root, path[0], &item);
	for (size_t i = 1; !error && i <= depth; i++) {
		if (!(item.flags & IS_BUCKET) || item.size < BUCKET_HEAD)
			return -EBADMSG;
		root = u64(item.value);
		if (root)
			error = tree_find(&b, root, path[i], &item);
		else if (item.size < BUCKET_HEAD + PAGE_HEAD)
			return -EBADMSG;
		else
			error = leaf_find(item.value + BUCKET_HEAD, item.size - BUCKET_HEAD, path[i], &item);
	}
	if (!error && item.flags & IS_BUCKET)
		error = -EBADMSG;
	if (!error) {
		*ret = item.value;
		*ret_size = item.size;
	}
	return error;
}
