/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A note's descriptor is three addresses (location, link-time address of
 * .stapsdt.base, semaphore) and three strings (provider, name, arguments).
 * Prelinking moves addresses but not notes: the base section's address now,
 * less the one in the note, is how far they moved.
 */
#include "symbolizer/probe_note.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_STAPSDT 3 /* n_type */
#define NOTES_MAX 4096

struct cursor {
	const unsigned char *at;
	size_t left;
};

static const void *cursor_take(struct cursor *c, size_t size)
{
	const void *p = c->at;

	if (size > c->left)
		return NULL;
	c->at += size;
	c->left -= size;
	return p;
}

static const char *cursor_string(struct cursor *c)
{
	const char *end = memchr(c->at, 0, c->left);

	return end ? cursor_take(c, (size_t)(end - (const char *)c->at) + 1) : NULL;
}

/* Notes are padded to 4 bytes; the last one's padding may be missing. */
static const void *cursor_take_padded(struct cursor *c, size_t size)
{
	const void *p = cursor_take(c, size);
	size_t pad = -size & 3;

	if (p)
		cursor_take(c, pad < c->left ? pad : c->left);
	return p;
}

static void note_clear(struct probe_note *note)
{
	free(note->provider);
	free(note->name);
	free(note->args);
}

void probe_notes_free(struct probe_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		note_clear(&notes->v[i]);
	free(notes->v);
	*notes = (struct probe_notes){ 0 };
}

/* 1: parsed, 0: not one of this provider's or malformed. */
static int note_parse(struct elf_file *f, struct cursor desc, uint64_t base, const char *wanted,
		      struct probe_note *ret)
{
	uint64_t addr[3];
	const void *head = cursor_take(&desc, sizeof(addr));
	const char *provider = cursor_string(&desc);
	const char *name = cursor_string(&desc);
	const char *args = cursor_string(&desc);
	struct probe_note note = { 0 };
	uint64_t moved;

	if (!head || !provider || !name || !args || strcmp(provider, wanted))
		return 0;
	memcpy(addr, head, sizeof(addr));
	moved = base && addr[1] ? base - addr[1] : 0;
	if (elf_file_vaddr_to_offset(f, addr[0] + moved, &note.location))
		return 0;
	if (addr[2] && elf_file_vaddr_to_offset(f, addr[2] + moved, &note.semaphore))
		return 0;
	note.provider = strdup(provider);
	note.name = strdup(name);
	note.args = strdup(args);
	if (!note.provider || !note.name || !note.args) {
		note_clear(&note);
		return -ENOMEM;
	}
	*ret = note;
	return 1;
}

static int notes_append(struct probe_notes *notes, const struct probe_note *note)
{
	struct probe_note *v;

	if (notes->n == NOTES_MAX)
		return -E2BIG;
	if ((notes->n & (notes->n - 1)) == 0) { /* grow at powers of two */
		v = realloc(notes->v, (notes->n ? 2 * notes->n : 1) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		notes->v = v;
	}
	notes->v[notes->n++] = *note;
	return 0;
}

static int notes_collect(struct elf_file *f, struct cursor c, uint64_t base, const char *provider,
			 struct probe_notes *notes)
{
	const void *head;

	while ((head = cursor_take(&c, sizeof(Elf64_Nhdr)))) {
		struct probe_note note;
		struct cursor desc;
		const char *owner;
		Elf64_Nhdr h;
		int err;

		memcpy(&h, head, sizeof(h));
		owner = cursor_take_padded(&c, h.n_namesz);
		desc.at = owner ? cursor_take_padded(&c, h.n_descsz) : NULL;
		desc.left = h.n_descsz;
		if (!desc.at)
			return 0;
		if (h.n_type != NOTE_STAPSDT || h.n_namesz != sizeof("stapsdt") ||
		    memcmp(owner, "stapsdt", sizeof("stapsdt")))
			continue;
		err = note_parse(f, desc, base, provider, &note);
		if (err == 1) {
			err = notes_append(notes, &note);
			if (err)
				note_clear(&note);
		}
		if (err)
			return err;
	}
	return 0;
}

int probe_notes_read(struct elf_file *f, const char *provider, struct probe_notes *ret)
{
	struct probe_notes notes = { 0 };
	struct elf_section s;
	uint64_t base = 0;
	int err;

	if (!elf_file_section(f, ".stapsdt.base", &s))
		base = s.vaddr;
	err = elf_file_section(f, ".note.stapsdt", &s);
	if (!err)
		err = notes_collect(f, (struct cursor){ s.data, s.size }, base, provider, &notes);
	else if (err == -ENOENT || err == -EINVAL)
		err = 0;
	if (err) {
		probe_notes_free(&notes);
		return err;
	}
	*ret = notes;
	return 0;
}
