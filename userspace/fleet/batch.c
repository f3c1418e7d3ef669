/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/fleet/batch.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "userspace/text.h"

/* Nobody can make a name that passes for another's: the hash is one of cryptography. */
static void text_hash(crypto_generichash_state *h, const char *text)
{
	crypto_generichash_update(h, (const uint8_t *)text, strlen(text) + 1);
}

static uint64_t hash_end(crypto_generichash_state *h)
{
	uint8_t bytes[crypto_generichash_BYTES_MIN];
	uint64_t id;

	crypto_generichash_final(h, bytes, sizeof(bytes));
	memcpy(&id, bytes, sizeof(id));
	id = le64toh(id);
	return id ? id : 1;
}

static void hash_begin(crypto_generichash_state *h)
{
	crypto_generichash_init(h, NULL, 0, crypto_generichash_BYTES_MIN);
}

uint64_t batch_slice_id(const struct batch_tag *tags, size_t count, const char *without)
{
	crypto_generichash_state h;

	hash_begin(&h);
	for (size_t i = 0; i < count; i++) {
		if (without && !strcmp(tags[i].key, without))
			continue;
		text_hash(&h, tags[i].key);
		text_hash(&h, tags[i].value);
	}
	return hash_end(&h);
}

uint64_t batch_function_id(const struct batch_function *f)
{
	uint32_t line = htole32(f->line);
	crypto_generichash_state h;

	hash_begin(&h);
	text_hash(&h, f->name);
	text_hash(&h, f->qualname);
	text_hash(&h, f->class_name);
	text_hash(&h, f->module);
	text_hash(&h, f->file);
	text_hash(&h, f->wraps);
	crypto_generichash_update(&h, (const uint8_t *)&line, sizeof(line));
	return hash_end(&h);
}

uint64_t batch_path_id(uint64_t parent, uint64_t function)
{
	uint64_t ids[] = { htole64(parent), htole64(function) };
	crypto_generichash_state h;

	hash_begin(&h);
	crypto_generichash_update(&h, (const uint8_t *)ids, sizeof(ids));
	return hash_end(&h);
}

const char *batch_text(struct arena *a, const char *text)
{
	size_t size = text_repair(NULL, text);
	char *copy = arena_alloc(a, size);

	if (!copy)
		return NULL;
	text_repair(copy, text);
	if (size > BATCH_TEXT_MAX + 1) {
		size = BATCH_TEXT_MAX;
		while (size && (copy[size] & 0xc0) == 0x80)
			size--;
		copy[size] = 0;
	}
	return copy;
}

const char *batch_slice_tag(const struct batch_slice *s, const char *key)
{
	for (uint32_t i = 0; i < s->tag_count; i++)
		if (!strcmp(s->tags[i].key, key))
			return s->tags[i].value;
	return "";
}

void batch_free(struct batch *b)
{
	arena_free(&b->memory);
	*b = (struct batch){ 0 };
}
