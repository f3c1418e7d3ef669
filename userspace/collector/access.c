/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/access.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "userspace/fleet/yaml_file.h"
#include "userspace/glob.h"

_Static_assert(ACCESS_HASH_SIZE == crypto_hash_sha256_BYTES, "a token's hash");

static const struct {
	const char *name;
	enum access_right right;
} rights[] = {
	{ "push", MAY_PUSH },
	{ "query", MAY_QUERY },
	{ "metrics", MAY_METRICS },
};
#define RIGHT_COUNT (sizeof(rights) / sizeof(*rights))

static char *everything[] = { "*" };
static const struct grant anybody = {
	.name = "anybody",
	.may = MAY_PUSH | MAY_QUERY | MAY_METRICS,
	.services = everything,
	.service_count = 1,
};

const struct grant *access_anybody(void)
{
	return &anybody;
}

bool grant_covers(const struct grant *g, const char *service)
{
	for (size_t i = 0; i < g->service_count; i++)
		if (glob_matches(g->services[i], service))
			return true;
	return false;
}

/* ---- the file ---- */

static void grant_free(struct grant *g)
{
	for (size_t i = 0; i < g->service_count; i++)
		free(g->services[i]);
	free(g->services);
	free(g->certificate);
}

struct reading {
	struct access *access;
	struct grant *grant; /* that is being read */
	bool token, hash;
};

static int take_service(struct yaml_file *y, yaml_node_t *item, void *arg)
{
	struct grant *g = arg;
	const char *text = yaml_file_text(y, item, "a service"), *objection;
	char **more;

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= ACCESS_TEXT_MAX)
		return yaml_file_fail(y, item, "a service has 1 to %d characters", ACCESS_TEXT_MAX - 1);
	objection = glob_objection(text);
	if (objection)
		return yaml_file_fail(y, item, "'%s': %s", text, objection);
	if (g->service_count == ACCESS_SERVICES_MAX)
		return yaml_file_fail(y, item, "more than %d services: use stars", ACCESS_SERVICES_MAX);
	more = reallocarray(g->services, g->service_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	g->services = more;
	more[g->service_count] = strdup(text);
	return more[g->service_count] ? g->service_count++, 0 : -ENOMEM;
}

static int take_right(struct yaml_file *y, yaml_node_t *item, void *arg)
{
	struct grant *g = arg;
	const char *text = yaml_file_text(y, item, "may");

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < RIGHT_COUNT; i++)
		if (!strcmp(text, rights[i].name)) {
			g->may |= rights[i].right;
			return 0;
		}
	return yaml_file_fail(y, item, "'%.64s' is none of push, query, metrics", text);
}

static int take_name(struct yaml_file *y, const yaml_node_t *at, struct grant *g, const char *text)
{
	if (!*text || strlen(text) >= sizeof(g->name))
		return yaml_file_fail(y, at, "a name has 1 to %zu characters", sizeof(g->name) - 1);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '"' || *c == '\\' || *c == 0x7f)
			return yaml_file_fail(y, at, "a name has no spaces, quotes or backslashes");
	strcpy(g->name, text);
	return 0;
}

static int take_hash(struct yaml_file *y, const yaml_node_t *at, struct grant *g, const char *text)
{
	size_t size;
	const char *end;

	if (sodium_hex2bin(g->hash, sizeof(g->hash), text, strlen(text), NULL, &size, &end) ||
	    size != sizeof(g->hash) || *end)
		return yaml_file_fail(y, at, "sha256 is 64 hexadecimal digits: see sha256sum(1)");
	return 0;
}

static int take_token(struct yaml_file *y, const yaml_node_t *at, struct grant *g, const char *text)
{
	if (strlen(text) < ACCESS_TOKEN_MIN)
		return yaml_file_fail(y, at, "a token of less than %d characters can be guessed: "
				       "make one by 'openssl rand -hex 32'", ACCESS_TOKEN_MIN);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return yaml_file_fail(y, at, "a token is printable ASCII without spaces");
	crypto_hash_sha256(g->hash, (const unsigned char *)text, strlen(text));
	return 0;
}

static int take_field(struct yaml_file *y, const char *key, const yaml_node_t *at,
		      yaml_node_t *value, void *arg)
{
	struct reading *r = arg;
	struct grant *g = r->grant;
	const char *text;

	if (!strcmp(key, "services"))
		return yaml_file_items(y, value, take_service, g);
	if (!strcmp(key, "may"))
		return yaml_file_items(y, value, take_right, g);
	text = yaml_file_text(y, value, key);
	if (!text)
		return -EINVAL;
	if (!strcmp(key, "name"))
		return take_name(y, value, g, text);
	if (!strcmp(key, "token")) {
		r->token = true;
		return take_token(y, value, g, text);
	}
	if (!strcmp(key, "sha256")) {
		r->hash = true;
		return take_hash(y, value, g, text);
	}
	if (strcmp(key, "certificate"))
		return yaml_file_fail(y, at, "'%.64s' is none of name, token, sha256, certificate, "
				       "services, may", key);
	if (g->certificate || !*text)
		return yaml_file_fail(y, value, "one certificate, please: use stars");
	g->certificate = strdup(text);
	return g->certificate ? 0 : -ENOMEM;
}

static int check_grant(struct yaml_file *y, const yaml_node_t *at, const struct reading *r)
{
	const struct grant *g = r->grant;

	if (!*g->name)
		return yaml_file_fail(y, at, "a grant must have a 'name'");
	if (r->token + r->hash + !!g->certificate != 1)
		return yaml_file_fail(y, at, "'%s' must have one of token, sha256, certificate", g->name);
	if (!g->may)
		return yaml_file_fail(y, at, "'%s' must have 'may': push, query or metrics", g->name);
	if (!g->service_count && (g->may & (MAY_PUSH | MAY_QUERY)))
		return yaml_file_fail(y, at, "'%s' must have 'services'; a star is all of them", g->name);
	for (size_t i = 0; i < r->access->count; i++) {
		const struct grant *other = &r->access->grants[i];

		if (!strcmp(other->name, g->name))
			return yaml_file_fail(y, at, "the name '%s' is given twice", g->name);
		if (!other->certificate && !g->certificate &&
		    !sodium_memcmp(other->hash, g->hash, sizeof(g->hash)))
			return yaml_file_fail(y, at, "'%s' has the token of '%s'", g->name, other->name);
	}
	return 0;
}

static int take_grant(struct yaml_file *y, yaml_node_t *item, void *arg)
{
	struct access *a = arg;
	struct grant g = { 0 }, *more;
	struct reading r = { .access = a, .grant = &g };
	int err;

	if (a->count == ACCESS_GRANTS_MAX)
		return yaml_file_fail(y, item, "more than %d grants", ACCESS_GRANTS_MAX);
	err = yaml_file_pairs(y, item, "a grant", take_field, &r);
	if (!err)
		err = check_grant(y, item, &r);
	more = err ? NULL : reallocarray(a->grants, a->count + 1, sizeof(*more));
	if (!more) {
		grant_free(&g);
		return err ? err : -ENOMEM;
	}
	a->grants = more;
	more[a->count++] = g;
	return 0;
}

static int take_section(struct yaml_file *y, const char *key, const yaml_node_t *at,
			yaml_node_t *value, void *arg)
{
	if (strcmp(key, "tokens"))
		return yaml_file_fail(y, at, "'%.64s' is not 'tokens', which is all there is here", key);
	return yaml_file_items(y, value, take_grant, arg);
}

static struct access *access_new(void)
{
	struct access *a = calloc(1, sizeof(*a));

	if (a)
		a->users = 1;
	return a;
}

struct access *access_open(void)
{
	struct access *a = access_new();

	if (a)
		a->open = true;
	return a;
}

int access_parse(const char *name, const char *text, size_t size, struct access **ret, char *err,
		 size_t errlen)
{
	struct access *a = access_new();
	struct yaml_file y;
	yaml_node_t *root;
	int error;

	snprintf(err, errlen, "no memory");
	error = a ? yaml_file_parse(&y, name, text, size, err, errlen) : -ENOMEM;
	if (error) {
		access_put(a);
		return error;
	}
	snprintf(err, errlen, "no memory");
	root = yaml_file_root(&y);
	error = root ? yaml_file_pairs(&y, root, "the file", take_section, a) : 0;
	yaml_file_free(&y);
	if (!error && !a->count) {
		snprintf(err, errlen, "%s: there is no token in it: nobody could do anything", name);
		error = -EINVAL;
	}
	if (error)
		access_put(a);
	else
		*ret = a;
	return error;
}

int access_read(const char *path, struct access **ret, char *err, size_t errlen)
{
	size_t size;
	char *text;
	int error = yaml_file_read(path, &text, &size, err, errlen);

	if (error)
		return error;
	error = access_parse(path, text, size, ret, err, errlen);
	explicit_bzero(text, size);
	free(text);
	return error;
}

struct access *access_get(struct access *a)
{
	__atomic_add_fetch(&a->users, 1, __ATOMIC_RELAXED);
	return a;
}

void access_put(struct access *a)
{
	if (!a || __atomic_sub_fetch(&a->users, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; i < a->count; i++)
		grant_free(&a->grants[i]);
	free(a->grants);
	free(a);
}

/* ---- those who ask ---- */

const struct grant *access_by_header(const struct access *a, const char *value)
{
	static const char scheme[] = "bearer ";
	uint8_t hash[ACCESS_HASH_SIZE];
	const struct grant *found = NULL;

	if (strncasecmp(value, scheme, sizeof(scheme) - 1))
		return NULL;
	value += sizeof(scheme) - 1;
	value += strspn(value, " ");
	crypto_hash_sha256(hash, (const unsigned char *)value, strlen(value));
	/* All of them, always: how long it takes says nothing. */
	for (size_t i = 0; i < a->count; i++) {
		bool same = !sodium_memcmp(a->grants[i].hash, hash, sizeof(hash));

		if (same && !a->grants[i].certificate)
			found = &a->grants[i];
	}
	return found;
}

const struct grant *access_by_name(const struct access *a, const char *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->grants[i].certificate && glob_matches(a->grants[i].certificate, name))
			return &a->grants[i];
	return NULL;
}
