/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/type_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bpf/cpython.h"
#include "symbolizer/procmap.h"

/* More than a type has, or a file of CPython's. */
#define METHODS_MAX 256
#define SLOTS_MAX 96
#define DATA_MAX (64u << 20)
#define NAME_SIZE 64
/* Strings that a name may be, and pointers to them all: a hostile file has millions. */
#define NAMES_MAX 64
#define POINTERS_MAX 256

int type_memory_open(pid_t pid, bool free_threaded, struct type_memory *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	ret->mem = open(path, O_RDONLY | O_CLOEXEC);
	ret->pid = pid;
	ret->extra = free_threaded ? PY_FREE_THREADED_HEAD : 0;
	if (ret->mem < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return 0;
}

void type_memory_close(struct type_memory *m)
{
	if (m->mem >= 0)
		close(m->mem);
	m->mem = -1;
}

static bool memory_read(const struct type_memory *m, uint64_t address, void *ret, size_t size)
{
	return address <= INT64_MAX - size && pread(m->mem, ret, size, address) == (ssize_t)size;
}

uint64_t type_memory_word(const struct type_memory *m, uint64_t address)
{
	uint64_t v;

	return memory_read(m, address, &v, sizeof(v)) ? v : 0;
}

static bool is_string(const struct type_memory *m, uint64_t address, const char *text)
{
	size_t size = strlen(text) + 1;
	char there[NAME_SIZE];

	return size <= sizeof(there) && address && memory_read(m, address, there, size) &&
	       !memcmp(there, text, size);
}

uint64_t type_memory_methods(const struct type_memory *m, uint64_t type)
{
	return type_memory_word(m, type + PY_TYPE_METHODS + m->extra);
}

uint64_t type_memory_method(const struct type_memory *m, uint64_t methods, const char *name)
{
	uint64_t v = methods, at;

	for (int i = 0; v && i < METHODS_MAX; i++, v += PY_METHOD_SIZE) {
		at = type_memory_word(m, v);
		if (!at)
			break;
		if (is_string(m, at, name))
			return type_memory_word(m, v + PY_METHOD_FUNCTION);
	}
	return 0;
}

/* One mapping of the file, or what follows its last one: zeroed data is in no file. */
struct stretch {
	uint64_t start;
	size_t size;
	unsigned char *bytes;
};

struct data {
	struct stretch *v;
	size_t n;
};

static void data_free(struct data *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].bytes);
	free(d->v);
}

static int data_add(const struct type_memory *m, uint64_t start, uint64_t end, struct data *d)
{
	size_t size = end - start;
	struct stretch *v;
	unsigned char *bytes;

	if (size > DATA_MAX)
		return 0;
	bytes = malloc(size);
	v = realloc(d->v, (d->n + 1) * sizeof(*v));
	if (v)
		d->v = v;
	if (!v || !bytes) {
		free(bytes);
		return -ENOMEM;
	}
	if (!memory_read(m, start, bytes, size)) {
		free(bytes); /* it has been unmapped, or is a hole */
		return 0;
	}
	v[d->n++] = (struct stretch){ start, size, bytes };
	return 0;
}

static int data_read(const struct type_memory *m, const struct image *file, struct data *d)
{
	char name[64], *line = NULL;
	size_t size = 0;
	ssize_t len;
	uint64_t end = 0;
	FILE *maps;
	int err = 0;

	*d = (struct data){ 0 };
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)m->pid);
	maps = fopen(name, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (len = getline(&line, &size, maps)) > 0) {
		struct procmap map;
		bool here;

		if (line[len - 1] == '\n')
			len--;
		if (procmap_parse(line, (size_t)len, &map))
			continue;
		here = map.inode == file->inode &&
		       makedev(map.dev_major, map.dev_minor) == file->dev;
		if (!map.executable && (here || (!map.inode && map.start == end)))
			err = data_add(m, map.start, map.end, d);
		end = here ? map.end : 0;
	}
	free(line);
	fclose(maps);
	if (err)
		data_free(d);
	return err;
}

/* The next aligned word of this value, above `after`; 0: there is none. */
static uint64_t data_word(const struct data *d, uint64_t word, uint64_t after)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct stretch *s = &d->v[i];
		size_t at = after < s->start ? 0 : after - s->start + sizeof(word);

		for (; at + sizeof(word) <= s->size; at += sizeof(word))
			if (!memcmp(s->bytes + at, &word, sizeof(word)))
				return s->start + at;
	}
	return 0;
}

/* The next such string above `after`; 0: there is none. */
static uint64_t data_string(const struct data *d, const char *text, uint64_t after)
{
	size_t size = strlen(text) + 1;

	for (size_t i = 0; i < d->n; i++) {
		const struct stretch *s = &d->v[i];
		size_t from = after < s->start ? 0 : after - s->start + 1;
		const unsigned char *found;

		if (from >= s->size)
			continue;
		found = memmem(s->bytes + from, s->size - from, text, size);
		if (found)
			return s->start + (found - s->bytes);
	}
	return 0;
}

static bool is_code(const struct image *file, uint64_t address)
{
	return address >= file->start && address < file->end;
}

static const struct {
	unsigned member; /* of PyTypeObject */
	unsigned id;	 /* of PyType_Slot */
} slots[] = {
	[TYPE_CALL] = { PY_TYPE_CALL, PY_SLOT_CALL },
	[TYPE_INIT] = { PY_TYPE_INIT, PY_SLOT_INIT },
	[TYPE_METHODS] = { PY_TYPE_METHODS, PY_SLOT_METHODS },
};

static bool is_sound(const struct type_memory *m, const struct image *file, enum type_slot slot,
		     uint64_t found)
{
	if (slot == TYPE_METHODS)
		found = found ? type_memory_word(m, found + PY_METHOD_FUNCTION) : 0;
	return is_code(file, found);
}

/* `at`: of the pointer to the name, in a PyType_Spec. */
static uint64_t spec_slot(const struct type_memory *m, uint64_t at, enum type_slot slot)
{
	uint64_t v = type_memory_word(m, at + PY_SPEC_SLOTS);

	for (int i = 0; v && i < SLOTS_MAX; i++, v += PY_SLOT_SIZE) {
		uint32_t id = (uint32_t)type_memory_word(m, v);

		if (!id)
			break;
		if (id == slots[slot].id)
			return type_memory_word(m, v + 8);
	}
	return 0;
}

/* Pointers to a name in a file's data, one after the other. */
struct search {
	const struct data *data;
	const char *name;
	uint64_t text, at; /* where the name is, and the last pointer to it */
	unsigned names, pointers;
};

/* false: there are no more. */
static bool search_next(struct search *s)
{
	for (;;) {
		s->at = s->text ? data_word(s->data, s->text, s->at) : 0;
		if (s->at)
			return s->pointers++ < POINTERS_MAX;
		s->text = s->names++ < NAMES_MAX ? data_string(s->data, s->name, s->text) : 0;
		if (!s->text)
			return false;
	}
}

int type_memory_find(const struct type_memory *m, const struct image *file, const char *name,
		     enum type_slot slot, uint64_t *ret_slot, uint64_t *ret_type)
{
	struct data d;
	struct search s = {.data = &d, .name = name};
	int err = data_read(m, file, &d);

	if (err)
		return err;
	err = -ENOENT;
	while (err && search_next(&s)) {
		uint64_t type = s.at - PY_TYPE_NAME - m->extra;

		*ret_type = type;
		*ret_slot = type_memory_word(m, type + slots[slot].member + m->extra);
		err = is_sound(m, file, slot, *ret_slot) ? 0 : -ENOENT;
		if (!err)
			break;
		*ret_type = 0;
		*ret_slot = spec_slot(m, s.at, slot);
		err = is_sound(m, file, slot, *ret_slot) ? 0 : -ENOENT;
	}
	data_free(&d);
	return err;
}

uint64_t type_memory_find_method(const struct type_memory *m, const struct image *file,
				 const char *name)
{
	struct data d;
	struct search s = {.data = &d, .name = name};
	uint64_t found = 0;

	if (data_read(m, file, &d))
		return 0;
	while (!found && search_next(&s)) {
		found = type_memory_word(m, s.at + PY_METHOD_FUNCTION);
		if (!is_code(file, found))
			found = 0;
	}
	data_free(&d);
	return found;
}

uint64_t type_memory_find_word(const struct type_memory *m, const struct image *file,
			       uint64_t word, uint64_t after)
{
	struct data d;
	uint64_t found;

	if (data_read(m, file, &d))
		return 0;
	found = data_word(&d, word, after);
	data_free(&d);
	return found;
}
