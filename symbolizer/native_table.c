/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* How far back an enclosing function is looked for: they hardly nest. */
#define NESTING_MAX 32

struct entry {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* where in names it is: the rank's byte, then the text */
};

struct native_table {
	struct entry *v;
	size_t n, cap;
	char *names;
	size_t names_len, names_cap;
	size_t max_bytes;
	uint64_t lost;
};

struct native_table *native_table_new(size_t max_bytes)
{
	struct native_table *t = calloc(1, sizeof(*t));

	if (t)
		t->max_bytes = max_bytes < UINT32_MAX ? max_bytes : UINT32_MAX;
	return t;
}

void native_table_free(struct native_table *t)
{
	if (!t)
		return;
	free(t->v);
	free(t->names);
	free(t);
}

/* Doubles, but leaves half of what is left to the other array. */
static int grow(struct native_table *t, void **v, size_t *cap, size_t unit, size_t need)
{
	size_t used = native_table_bytes(t);
	size_t room = used < t->max_bytes ? (t->max_bytes - used) / unit : 0;
	size_t more = *cap ? *cap : 256;
	void *grown;

	if (more > room / 2)
		more = room / 2;
	if (more < need)
		more = need;
	if (more > room)
		return -ENOSPC;
	grown = realloc(*v, (*cap + more) * unit);
	if (!grown)
		return -ENOMEM;
	*v = grown;
	*cap += more;
	return 0;
}

int native_table_add(struct native_table *t, uint64_t start, uint64_t size, enum native_rank rank,
		     const char *name, size_t name_len)
{
	const char *version = rank == RANK_MADE ? NULL : memchr(name, '@', name_len);
	void *v = t->v, *names = t->names;
	int err = 0;

	if (version)
		name_len = (size_t)(version - name);
	if (!size || !name_len || start > UINT64_MAX - size)
		return 0;
	if (t->n == t->cap)
		err = grow(t, &v, &t->cap, sizeof(*t->v), 1);
	t->v = v;
	if (!err && t->names_cap - t->names_len < name_len + 2)
		err = grow(t, &names, &t->names_cap, 1, name_len + 2);
	t->names = names;
	if (err) {
		t->lost++;
		return err;
	}
	t->v[t->n++] = (struct entry){
		.start = start,
		.size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX,
		.name = (uint32_t)t->names_len,
	};
	t->names[t->names_len] = (char)rank;
	memcpy(t->names + t->names_len + 1, name, name_len);
	t->names[t->names_len + 1 + name_len] = 0;
	t->names_len += name_len + 2;
	return 0;
}

static int compare_names(const char *a, const char *b)
{
	size_t under_a, under_b;

	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	under_a = strspn(++a, "_");
	under_b = strspn(++b, "_");
	if (under_a != under_b)
		return under_a < under_b ? -1 : 1;
	if (strlen(a) != strlen(b))
		return strlen(a) < strlen(b) ? -1 : 1;
	return strcmp(a, b);
}

static int by_preference(const void *va, const void *vb, void *names)
{
	const struct entry *a = va, *b = vb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return compare_names((char *)names + a->name, (char *)names + b->name);
}

static int by_age(const void *va, const void *vb, void *names)
{
	const struct entry *a = va, *b = vb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->name < b->name ? 1 : -1; /* names are added at the end */
}

/* Copies the names that are left, and gives back what growing took too much. */
static int shrink(struct native_table *t)
{
	size_t len = 0;
	char *names;
	void *v;

	for (size_t i = 0; i < t->n; i++)
		len += strlen(t->names + t->v[i].name + 1) + 2;
	names = malloc(len + !len);
	if (!names)
		return -ENOMEM;
	len = 0;
	for (size_t i = 0; i < t->n; i++) {
		const char *name = t->names + t->v[i].name;
		size_t size = strlen(name + 1) + 2;

		memcpy(names + len, name, size);
		t->v[i].name = (uint32_t)len;
		len += size;
	}
	free(t->names);
	t->names = names;
	t->names_len = t->names_cap = len;
	v = t->n ? realloc(t->v, t->n * sizeof(*t->v)) : NULL;
	if (v) {
		t->v = v;
		t->cap = t->n;
	}
	return 0;
}

int native_table_seal(struct native_table *t, bool newest)
{
	size_t n = 0;

	if (t->n)
		qsort_r(t->v, t->n, sizeof(*t->v), newest ? by_age : by_preference, t->names);
	for (size_t i = 0; i < t->n; i++) {
		if (n && t->v[n - 1].start == t->v[i].start) {
			/* An alias may be the one that knows the whole size. */
			if (!newest && t->v[n - 1].size < t->v[i].size)
				t->v[n - 1].size = t->v[i].size;
			continue;
		}
		t->v[n++] = t->v[i];
	}
	t->n = n;
	return shrink(t);
}

bool native_table_find(const struct native_table *t, uint64_t address,
		       struct native_function *ret)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < NESTING_MAX && i < low; i++) {
		const struct entry *e = &t->v[low - 1 - i];

		if (address - e->start >= e->size)
			continue;
		ret->name = t->names + e->name + 1;
		ret->offset = address - e->start;
		ret->index = low - 1 - i;
		return true;
	}
	return false;
}

const char *native_table_name(const struct native_table *t, size_t index)
{
	return t->names + t->v[index].name + 1;
}

size_t native_table_count(const struct native_table *t)
{
	return t->n;
}

size_t native_table_bytes(const struct native_table *t)
{
	return sizeof(*t) + t->cap * sizeof(*t->v) + t->names_cap;
}

uint64_t native_table_lost(const struct native_table *t)
{
	return t->lost;
}

uint64_t native_table_hash(const struct native_table *t)
{
	return XXH3_64bits_withSeed(t->v, t->n * sizeof(*t->v),
				    XXH3_64bits(t->names, t->names_len));
}

bool native_table_equal(const struct native_table *a, const struct native_table *b)
{
	return a->n == b->n && a->names_len == b->names_len &&
	       (!a->n || !memcmp(a->v, b->v, a->n * sizeof(*a->v))) &&
	       (!a->names_len || !memcmp(a->names, b->names, a->names_len));
}
