/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/field_tags.h"

#include <stdio.h>
#include <string.h>

#include "userspace/client.h"
#include "userspace/user_hash.h"

/* What deploy/middleware calls a user; its own hash of one has another name. */
#define MARK_USER "user"
#define MARK_USER_HASH "user_hash"

/* "" is nobody. What is so long was cut: its hash is of how it begins, and says so. */
static void hash_set(const struct request_config *c, const char *key, const char *value,
		     size_t length, struct tag_list *to)
{
	char hash[USER_HASH_TEXT + 1];

	if (!length)
		return;
	user_hash(c->key, sizeof(c->key), value, length, hash);
	if (length == WIRE_FIELD_MAX)
		strcat(hash, "+");
	tag_list_set(to, key, strlen(key), hash, strlen(hash));
}

static void client_set(const char *alias, const char *value, size_t length, struct tag_list *to)
{
	struct client client;
	char key[WIRE_FIELD_NAME_MAX + 16];

	client_parse(value, length, &client);
	snprintf(key, sizeof(key), "%.22s.platform", alias);
	tag_list_set(to, key, strlen(key), client.platform, strlen(client.platform));
	snprintf(key, sizeof(key), "%.22s.version", alias);
	tag_list_set(to, key, strlen(key), client.version, strlen(client.version));
}

void field_tags(const struct request_config *c, const uint16_t lengths[WIRE_FIELDS],
		const char values[WIRE_FIELDS][WIRE_FIELD_MAX], bool split, struct tag_list *to)
{
	for (unsigned i = 0; i < c->field_count; i++) {
		const struct config_field *f = &c->fields[i];

		if (lengths[i] == WIRE_FIELD_ABSENT || (split && !f->split))
			continue;
		if (f->form == FIELD_HASHED)
			hash_set(c, f->alias, values[i], lengths[i], to);
		else if (f->form == FIELD_CLIENT)
			client_set(f->alias, values[i], lengths[i], to);
		else
			tag_list_set(to, f->alias, strlen(f->alias), values[i], lengths[i]);
	}
}

void mark_tags(const struct request_config *c, const char *marks, size_t length,
	       struct tag_list *to)
{
	const char *end = marks + length;

	while (marks < end) {
		const char *key_end = memchr(marks, 0, end - marks), *value, *value_end;

		if (!key_end || key_end + 1 == end)
			return;
		value = key_end + 1;
		value_end = memchr(value, 0, end - value);
		if (!value_end)
			return;
		if (!strcmp(marks, MARK_USER))
			hash_set(c, marks, value, value_end - value, to);
		else
			tag_list_set(to, marks, key_end - marks, value, value_end - value);
		marks = value_end + 1;
	}
}

static bool is_users(const struct request_config *c, const char *key)
{
	if (!strcmp(key, MARK_USER) || !strcmp(key, MARK_USER_HASH))
		return true;
	for (unsigned i = 0; i < c->field_count; i++)
		if (c->fields[i].form == FIELD_HASHED && !strcmp(c->fields[i].alias, key))
			return true;
	return false;
}

void tags_without_users(const struct request_config *c, struct tag_list *l)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->count; i++)
		if (!is_users(c, l->tags[i].key))
			l->tags[kept++] = l->tags[i];
	l->count = kept;
}
