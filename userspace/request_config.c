/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/request_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "userspace/config_parts.h"
#include "userspace/route_pattern.h"
#include "userspace/user_hash.h"

int request_config_init(struct request_config *c)
{
	*c = (struct request_config){ .max_endpoints = CONFIG_ENDPOINTS_DEFAULT,
				      .max_tag_sets = CONFIG_TAG_SETS_DEFAULT };
	return 0;
}

void request_config_clear(struct request_config *c)
{
	free(c->routes);
	explicit_bzero(c->key, sizeof(c->key));
	*c = (struct request_config){ 0 };
}

int config_fail(int error, char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (errlen)
		vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return error;
}

#define FAIL(...) config_fail(-EINVAL, err, errlen, __VA_ARGS__)

const char *config_key_objection(const char *key)
{
	if (!*key)
		return "it is empty";
	if (strlen(key) > WIRE_FIELD_NAME_MAX)
		return "it is longer than 32 characters";
	for (; *key; key++)
		if (!isalnum((unsigned char)*key) && !strchr("_.-", *key))
			return "letters, digits, '_', '-' and '.' are all it may have";
	return NULL;
}

/* ---- routes ---- */

static bool is_method(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++)
		if (!isupper((unsigned char)text[n]) && text[n] != '-')
			return false;
	return n && n <= WIRE_METHOD_MAX;
}

int request_config_add_route(struct request_config *c, const char *method, const char *pattern,
			     const char *name, char *err, size_t errlen)
{
	const char *objection = route_pattern_objection(pattern);
	struct config_route *route;

	if (method && !is_method(method))
		return FAIL("'%.64s' is no method: GET, for example", method);
	if (objection)
		return FAIL("'%.64s' is no pattern of paths: %s", pattern, objection);
	if (name && !*name)
		return FAIL("the name of '%.64s' is empty", pattern);
	if (strlen(pattern) >= CONFIG_TEXT_MAX || (name && strlen(name) >= CONFIG_TEXT_MAX))
		return FAIL("'%.32s...' is longer than %d characters", pattern, CONFIG_TEXT_MAX - 1);
	if (c->route_count == CONFIG_ROUTES_MAX)
		return config_fail(-ENOSPC, err, errlen, "there are more than %d routes",
				   CONFIG_ROUTES_MAX);
	route = reallocarray(c->routes, c->route_count + 1, sizeof(*route));
	if (!route)
		return config_fail(-ENOMEM, err, errlen, "no memory");
	c->routes = route;
	route += c->route_count++;
	*route = (struct config_route){ .method = "" };
	strcpy(route->method, method ? method : "");
	strcpy(route->pattern, pattern);
	strcpy(route->name, name ? name : pattern);
	return 0;
}

int request_config_route(struct request_config *c, const char *text, char *err, size_t errlen)
{
	char copy[2 * CONFIG_TEXT_MAX + WIRE_METHOD_MAX + 8], *pattern = copy, *name, *method = NULL;

	if (strlen(text) >= sizeof(copy))
		return FAIL("'%.32s...' is too long", text);
	strcpy(copy, text);
	if (*copy != '/' && strchr(copy, ' ')) {
		method = copy;
		pattern = strchr(copy, ' ');
		*pattern++ = 0;
		pattern += strspn(pattern, " ");
	}
	name = strrchr(pattern, '=');
	if (name)
		*name++ = 0;
	return request_config_add_route(c, method, pattern, name, err, errlen);
}

/* ---- fields ---- */

/* What would let others act for a user is never kept, not even for a moment. */
static bool header_is_secret(const char *name)
{
	static const char *const secret[] = { "authorization", "proxy-authorization", "cookie",
					      "set-cookie", "set-cookie2" };

	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
		if (!strcasecmp(name, secret[i]))
			return true;
	return false;
}

static const char *field_name_objection(const char *name)
{
	if (!*name)
		return "it has no name";
	if (strlen(name) > WIRE_FIELD_NAME_MAX)
		return "its name is longer than 32 characters";
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || strchr("=;,&:\"", *name))
			return "its name has a character that is in no name";
	return NULL;
}

static int field_check(const struct request_config *c, const struct config_field *f, char *err,
		       size_t errlen)
{
	const char *objection = field_name_objection(f->name);

	if (objection)
		return FAIL("a field cannot be kept: %s", objection);
	if (f->kind == WIRE_FIELD_HEADER && header_is_secret(f->name))
		return FAIL("the header '%s' is never stored: choose another, or cookie:NAME, which is "
			    "kept as a hash", f->name);
	objection = config_key_objection(f->alias);
	if (objection)
		return FAIL("'%s' cannot be the name of a tag: %s: say NAME=ALIAS", f->alias, objection);
	if (f->form == FIELD_HASHED && f->kind != WIRE_FIELD_COOKIE && f->split)
		return FAIL("'%s' cannot both be a user's and split: that would be a call tree for each "
			    "user", f->name);
	for (unsigned i = 0; i < c->field_count; i++)
		if (!strcmp(c->fields[i].alias, f->alias))
			return FAIL("two fields are called '%s': say NAME=ALIAS", f->alias);
	return c->field_count < WIRE_FIELDS ? 0
		       : config_fail(-ENOSPC, err, errlen, "there are more than %d fields", WIRE_FIELDS);
}

int config_add_field(struct request_config *c, int kind, const char *name, const char *alias,
		     unsigned how, char *err, size_t errlen)
{
	struct config_field f = { .kind = kind, .split = how & FIELD_SPLIT };
	int ret;

	if ((how & FIELD_USER) && (how & FIELD_AGENT))
		return FAIL("'%.64s' cannot be both a user's and a client's", name);
	if ((how & FIELD_AGENT) && kind != WIRE_FIELD_HEADER)
		return FAIL("'%.64s' is no header, and 'client' reads a User-Agent", name);
	/* Told as too long before it is cut. */
	if (strlen(name) > WIRE_FIELD_NAME_MAX || (alias && strlen(alias) > WIRE_FIELD_NAME_MAX))
		return FAIL("'%.64s': names are at most %d characters long", name, WIRE_FIELD_NAME_MAX);
	f.form = how & FIELD_USER || kind == WIRE_FIELD_COOKIE ? FIELD_HASHED
		 : how & FIELD_AGENT			       ? FIELD_CLIENT
							       : FIELD_PLAIN;
	strcpy(f.name, name);
	strcpy(f.alias, alias ? alias : f.form == FIELD_CLIENT ? "client" : name);
	if (kind == WIRE_FIELD_HEADER)
		for (char *at = f.name; *at; at++)
			*at = tolower((unsigned char)*at);
	if (kind == WIRE_FIELD_HEADER && !alias && f.form != FIELD_CLIENT)
		strcpy(f.alias, f.name);
	ret = field_check(c, &f, err, errlen);
	if (!ret)
		c->fields[c->field_count++] = f;
	return ret;
}

int config_field_kind(const char *name)
{
	return !strcmp(name, "header") ? WIRE_FIELD_HEADER
	       : !strcmp(name, "cookie") ? WIRE_FIELD_COOKIE
	       : !strcmp(name, "arg") || !strcmp(name, "argument") ? WIRE_FIELD_ARGUMENT
								   : WIRE_FIELD_NONE;
}

static int field_how(const char *word, unsigned *how)
{
	if (!strcmp(word, "split"))
		*how |= FIELD_SPLIT;
	else if (!strcmp(word, "user"))
		*how |= FIELD_USER;
	else if (!strcmp(word, "client"))
		*how |= FIELD_AGENT;
	else
		return -EINVAL;
	return 0;
}

int request_config_field(struct request_config *c, const char *text, char *err, size_t errlen)
{
	char copy[256], *name, *alias, *rest, *word;
	unsigned how = 0;

	if (strlen(text) >= sizeof(copy))
		return FAIL("'%.32s...' is too long", text);
	strcpy(copy, text);
	rest = strchr(copy, ',');
	if (rest)
		*rest++ = 0;
	while ((word = strsep(&rest, ",")))
		if (field_how(word, &how))
			return FAIL("'%s' is none of split, user, client", word);
	name = strchr(copy, ':');
	if (!name)
		return FAIL("'%s' does not say where it is: header:%s, cookie:%s or arg:%s", copy, copy,
			    copy, copy);
	*name++ = 0;
	if (!config_field_kind(copy))
		return FAIL("'%s' is none of header, cookie, arg", copy);
	alias = strchr(name, '=');
	if (alias)
		*alias++ = 0;
	return config_add_field(c, config_field_kind(copy), name, alias, how, err, errlen);
}

/* ---- tags, limits, the key ---- */

int request_config_add_tag(struct request_config *c, const char *key, enum tag_source source,
			   const char *value, char *err, size_t errlen)
{
	const char *objection = config_key_objection(key);
	struct config_tag *tag = &c->tags[c->tag_count];

	if (objection)
		return FAIL("'%.64s' cannot be the name of a tag: %s", key, objection);
	if (strlen(value) >= CONFIG_TEXT_MAX)
		return FAIL("the tag '%s' is longer than %d characters", key, CONFIG_TEXT_MAX - 1);
	if (source != TAG_TEXT && !*value)
		return FAIL("the tag '%s' does not say where it is", key);
	if (source == TAG_ENVIRONMENT && strchr(value, '='))
		return FAIL("'%s' is no variable's name", value);
	for (unsigned i = 0; i < c->tag_count; i++)
		if (!strcmp(c->tags[i].key, key))
			return FAIL("the tag '%s' is given twice", key);
	if (c->tag_count == CONFIG_TAGS_MAX)
		return config_fail(-ENOSPC, err, errlen, "there are more than %d tags",
				   CONFIG_TAGS_MAX);
	*tag = (struct config_tag){ .source = source };
	strcpy(tag->key, key);
	strcpy(tag->value, value);
	c->tag_count++;
	return 0;
}

int request_config_tag(struct request_config *c, const char *text, char *err, size_t errlen)
{
	static const char environment[] = "env:", file[] = "file:";
	char copy[2 * CONFIG_TEXT_MAX], *value;
	enum tag_source source = TAG_TEXT;

	if (strlen(text) >= sizeof(copy))
		return FAIL("'%.32s...' is too long", text);
	strcpy(copy, text);
	value = strchr(copy, '=');
	if (!value)
		return FAIL("'%.64s' has no value: KEY=VALUE", text);
	*value++ = 0;
	if (!strncmp(value, environment, strlen(environment))) {
		source = TAG_ENVIRONMENT;
		value += strlen(environment);
	} else if (!strncmp(value, file, strlen(file))) {
		source = TAG_FILE;
		value += strlen(file);
	}
	return request_config_add_tag(c, copy, source, value, err, errlen);
}

int request_config_limit(struct request_config *c, const char *what, const char *value, char *err,
			 size_t errlen)
{
	uint32_t *limit = !strcmp(what, "endpoints") ? &c->max_endpoints
			  : !strcmp(what, "tags")    ? &c->max_tag_sets
						     : NULL;
	unsigned long n;
	char *end;

	if (!limit)
		return FAIL("'%.64s' is none of endpoints, tags", what);
	n = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || n < 1 || n > CONFIG_LIMIT_MAX)
		return FAIL("'%.64s' is not a number from 1 to %d", value, CONFIG_LIMIT_MAX);
	*limit = n;
	return 0;
}

#define SECRET_MIN 16
#define SECRET_MAX 4096

int request_config_user_key(struct request_config *c, const char *path, char *err, size_t errlen)
{
	uint8_t secret[SECRET_MAX];
	FILE *f = fopen(path, "re");
	size_t size;
	int ret;

	if (!f)
		return config_fail(-errno, err, errlen, "cannot read the key %s: %s", path,
				   strerror(errno));
	size = fread(secret, 1, sizeof(secret), f);
	ret = ferror(f) ? -EIO : 0;
	fclose(f);
	if (ret)
		return config_fail(ret, err, errlen, "cannot read the key %s: %s", path,
				   strerror(-ret));
	if (size < SECRET_MIN)
		return FAIL("the key %s has less than %d bytes: head -c 32 /dev/urandom would make one",
			    path, SECRET_MIN);
	ret = user_key_from(secret, size, c->key, sizeof(c->key));
	explicit_bzero(secret, sizeof(secret));
	if (ret)
		return config_fail(ret, err, errlen, "libsodium does not start");
	c->has_key = true;
	return 0;
}

/* ---- the end ---- */

static int tag_read(struct config_tag *tag, char *err, size_t errlen)
{
	FILE *f = fopen(tag->value, "re");
	char line[CONFIG_TEXT_MAX] = "";

	if (!f)
		return config_fail(-errno, err, errlen, "the tag '%s': cannot read %s: %s", tag->key,
				   tag->value, strerror(errno));
	if (!fgets(line, sizeof(line), f) && ferror(f)) {
		fclose(f);
		return config_fail(-EIO, err, errlen, "the tag '%s': cannot read %s", tag->key,
				   tag->value);
	}
	fclose(f);
	line[strcspn(line, "\r\n")] = 0;
	strcpy(tag->value, line);
	tag->source = TAG_TEXT;
	return 0;
}

int request_config_finish(struct request_config *c, char *err, size_t errlen)
{
	int ret = 0;

	for (unsigned i = 0; i < c->tag_count && !ret; i++)
		if (c->tags[i].source == TAG_FILE)
			ret = tag_read(&c->tags[i], err, errlen);
	if (ret)
		return ret;
	config_default_backends(c);
	if (!c->has_key && user_key_random(c->key, sizeof(c->key)))
		return config_fail(-EIO, err, errlen, "libsodium does not start");
	return 0;
}

void request_config_wire(const struct request_config *c, struct wire_field ret[WIRE_FIELDS])
{
	memset(ret, 0, WIRE_FIELDS * sizeof(*ret));
	for (unsigned i = 0; i < c->field_count; i++) {
		const struct config_field *f = &c->fields[i];

		ret[i].kind = f->kind;
		ret[i].length = strlen(f->name);
		ret[i].split = f->split;
		memcpy(ret[i].name, f->name, ret[i].length);
	}
}
