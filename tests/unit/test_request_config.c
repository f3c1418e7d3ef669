/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suites.h"
#include "userspace/request_config.h"
#include "userspace/route_pattern.h"
#include "userspace/user_hash.h"

static char err[512];

static bool matches(const char *pattern, const char *path)
{
	return route_pattern_matches(pattern, path, strlen(path));
}

static void test_patterns(void)
{
	static const struct {
		bool matches;
		const char *pattern, *path;
	} cases[] = {
		{ true, "/", "/" },
		{ false, "/", "/a" },
		{ true, "/a", "/a/" },
		{ true, "/a/", "/a" },
		{ true, "/a", "/a?b=/c" },
		{ false, "/a", "/A" },
		{ true, "/shop/product/*", "/shop/product/42" },
		{ true, "/shop/product/*", "/shop/product/*" },
		{ false, "/shop/product/*", "/shop/product" },
		{ false, "/shop/product/*", "/shop/product/42/reviews" },
		{ true, "/files/**", "/files" },
		{ true, "/files/**", "/files/a/b/c" },
		{ false, "/files/**", "/file" },
		{ true, "/**/edit", "/a/b/edit" },
		{ true, "/**/edit", "/edit" },
		{ false, "/**/edit", "/a/edit/b" },
		{ true, "/**/x/**/y", "/x/a/x/b/y" },
		{ true, "/**/x/*/y", "/x/x/x/q/y" },
		{ false, "/**/x/**/y", "/y/x" },
		{ true, "/img-*.png", "/img-1.png" },
		{ true, "/a*b*c", "/aXbbYc" },
		{ false, "/a*b*c", "/aXbY" },
		{ true, "/**", "/" },
		{ true, "/**", "/a/b" },
		{ false, "/*", "/a/b" },
		{ true, "/a//b", "/a//b" },
		{ false, "/a/b", "/a//b" },
		{ false, "/*", "" },
		{ false, "/a", "a" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (matches(cases[i].pattern, cases[i].path) != cases[i].matches)
			fprintf(stderr, "%s %s\n", cases[i].pattern, cases[i].path);
		CU_ASSERT(matches(cases[i].pattern, cases[i].path) == cases[i].matches);
	}
	CU_ASSERT(route_pattern_may_match("/a/1", "/a/*", 4) && !matches("/a/1", "/a/*"));
	CU_ASSERT(!route_pattern_may_match("/b/1", "/a/*", 4));
	CU_ASSERT(route_pattern_may_match("/a/x*", "/*/*", 4));
	CU_ASSERT_PTR_NULL(route_pattern_objection("/a/**/b*c"));
	CU_ASSERT_PTR_NOT_NULL(route_pattern_objection("a"));
	CU_ASSERT_PTR_NOT_NULL(route_pattern_objection("/a b"));
	CU_ASSERT_PTR_NOT_NULL(route_pattern_objection("/a**"));
	CU_ASSERT_PTR_NOT_NULL(route_pattern_objection("/a?b=c"));
}

/* Many stars do not make it slow: this would take years if each were tried with each. */
static void test_pattern_of_stars(void)
{
	char path[257];

	memset(path, 'a', 256);
	path[0] = '/';
	path[256] = 0;
	CU_ASSERT(!matches("/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
	for (int i = 2; i < 256; i += 2)
		path[i] = '/';
	CU_ASSERT(!matches("/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", path));
}

static void test_routes(void)
{
	struct request_config c;

	request_config_init(&c);
	CU_ASSERT(!request_config_route(&c, "/a/*", err, sizeof(err)));
	CU_ASSERT(!request_config_route(&c, "GET /b=name of b", err, sizeof(err)));
	CU_ASSERT_EQUAL_FATAL(c.route_count, 2);
	CU_ASSERT_STRING_EQUAL(c.routes[0].name, "/a/*");
	CU_ASSERT_STRING_EQUAL(c.routes[0].method, "");
	CU_ASSERT_STRING_EQUAL(c.routes[1].method, "GET");
	CU_ASSERT_STRING_EQUAL(c.routes[1].pattern, "/b");
	CU_ASSERT_STRING_EQUAL(c.routes[1].name, "name of b");
	CU_ASSERT(request_config_route(&c, "get /b", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_route(&c, "/b=", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_route(&c, "b", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_route(&c, "", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(c.route_count == 2);
	while (c.route_count < CONFIG_ROUTES_MAX)
		CU_ASSERT_FATAL(!request_config_route(&c, "/x", err, sizeof(err)));
	CU_ASSERT(request_config_route(&c, "/x", err, sizeof(err)) == -ENOSPC);
	request_config_clear(&c);
}

static void test_fields(void)
{
	struct wire_field wire[WIRE_FIELDS];
	struct request_config c;

	request_config_init(&c);
	CU_ASSERT(!request_config_field(&c, "header:X-Platform=platform,split", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "cookie:sessionid", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "arg:User=user,user", err, sizeof(err)));
	CU_ASSERT(!request_config_field(&c, "header:User-Agent,client", err, sizeof(err)));
	CU_ASSERT_EQUAL_FATAL(c.field_count, 4);
	/* A cookie's value is never kept, whatever is said. */
	CU_ASSERT(c.fields[1].form == FIELD_HASHED && c.fields[2].form == FIELD_HASHED);
	CU_ASSERT(c.fields[0].form == FIELD_PLAIN && c.fields[3].form == FIELD_CLIENT);
	CU_ASSERT_STRING_EQUAL(c.fields[3].alias, "client");
	request_config_wire(&c, wire);
	CU_ASSERT(wire[0].kind == WIRE_FIELD_HEADER && wire[0].split && wire[0].length == 10);
	CU_ASSERT(!memcmp(wire[0].name, "x-platform", 10));
	CU_ASSERT(wire[2].kind == WIRE_FIELD_ARGUMENT && !memcmp(wire[2].name, "User", 4));
	CU_ASSERT(wire[4].kind == WIRE_FIELD_NONE);
	request_config_clear(&c);
}

static void test_refused_fields(void)
{
	static const char *const refused[] = {
		"header:Authorization", "header:AUTHORIZATION=x,user", "header:Proxy-Authorization",
		"header:Cookie", "header:set-cookie", "header:Cookie,split", "header:X,both",
		"header:", "X-Platform", "body:x", "header:a b", "header:a=b c", "arg:x,user,split",
		"header:x,user,client", "arg:x,client", "cookie:x,client", "header:taken",
		"header:0123456789012345678901234567890123", "",
	};
	struct request_config c;

	request_config_init(&c);
	CU_ASSERT(!request_config_field(&c, "arg:taken", err, sizeof(err)));
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		*err = 0;
		if (request_config_field(&c, refused[i], err, sizeof(err)) != -EINVAL)
			fprintf(stderr, "taken: %s\n", refused[i]);
		CU_ASSERT(*err);
	}
	CU_ASSERT(c.field_count == 1);
	CU_ASSERT(request_config_field(&c, refused[0], err, sizeof(err)) == -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "never stored"));
	request_config_clear(&c);
}

static const struct config_address *address_of(const struct request_config *c, const char *name,
					       unsigned n)
{
	for (unsigned i = 0; i < c->address_count; i++)
		if (!strcmp(c->backends[c->addresses[i].backend].name, name) && !n--)
			return &c->addresses[i];
	return NULL;
}

static void test_backends(void)
{
	struct request_config c;
	const struct config_address *a;

	request_config_init(&c);
	CU_ASSERT(!request_config_backend(&c, "search=9200,10.0.0.5:9300,[::1]:9200,/run/s.sock", err,
					  sizeof(err)));
	CU_ASSERT(!request_config_backend(&c, "memory=11211", err, sizeof(err)));
	CU_ASSERT(request_config_backend(&c, "x=9999,9200", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(c.backend_count == 2 && c.address_count == 5);
	CU_ASSERT(!request_config_finish(&c, err, sizeof(err)));
	/* The usual ones, but for the port that has another name; and all others. */
	CU_ASSERT(c.backend_count == 8 && !strcmp(c.backends[7].name, "other"));
	CU_ASSERT(address_of(&c, "memory", 0)->port == 11211);
	CU_ASSERT(address_of(&c, "memcache", 0)->path[0] == '/');
	CU_ASSERT(address_of(&c, "postgresql", 0)->port == 5432);
	a = address_of(&c, "search", 1);
	CU_ASSERT(a->family == AF_INET && !memcmp(a->host, "\x0a\0\0\x05", 4) && a->port == 9300);
	a = address_of(&c, "search", 2);
	CU_ASSERT(a->family == AF_INET6 && a->host[15] == 1 && a->port == 9200);
	a = address_of(&c, "search", 3);
	CU_ASSERT_STRING_EQUAL(a->path, "/run/s.sock");
	request_config_clear(&c);
}

static void test_refused_backends(void)
{
	static const char *const refused[] = {
		"x", "x=", "x=0", "x=65536", "x=1,", "x=db:1", "x=[::1", "x=[::1]5", "x=:5", "=5",
		"other=5", "a b=5", "x=1.2.3:5", "x=-5", "",
	};
	struct request_config c;
	char many[32];

	request_config_init(&c);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		if (request_config_backend(&c, refused[i], err, sizeof(err)) != -EINVAL)
			fprintf(stderr, "taken: %s\n", refused[i]);
		CU_ASSERT(!c.backend_count && !c.address_count);
	}
	for (int i = 0; i < WIRE_BACKENDS; i++) {
		snprintf(many, sizeof(many), "b%d=%d", i, 1000 + i);
		CU_ASSERT(request_config_backend(&c, many, err, sizeof(err)) ==
			  (i < WIRE_BACKENDS - 1 ? 0 : -ENOSPC));
	}
	/* None of the usual ones then, but all others have a name. */
	CU_ASSERT(!request_config_finish(&c, err, sizeof(err)) && c.backend_count == WIRE_BACKENDS);
	CU_ASSERT_STRING_EQUAL(c.backends[WIRE_BACKENDS - 1].name, "other");
	request_config_clear(&c);
}

static void test_tags(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX", text[64];
	struct request_config c;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && write(fd, "v1.2\nmore\n", 10) == 10);
	close(fd);
	snprintf(text, sizeof(text), "version=file:%s", path);
	request_config_init(&c);
	CU_ASSERT(!request_config_tag(&c, "service=shop=a", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&c, "commit=env:GIT_COMMIT", err, sizeof(err)));
	CU_ASSERT(!request_config_tag(&c, text, err, sizeof(err)));
	CU_ASSERT(request_config_tag(&c, "service=b", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_tag(&c, "service", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_tag(&c, "a b=c", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(request_config_tag(&c, "x=env:", err, sizeof(err)) == -EINVAL);
	CU_ASSERT(!request_config_finish(&c, err, sizeof(err)) && c.tag_count == 3);
	CU_ASSERT_STRING_EQUAL(c.tags[0].value, "shop=a");
	CU_ASSERT(c.tags[1].source == TAG_ENVIRONMENT && c.tags[2].source == TAG_TEXT);
	CU_ASSERT_STRING_EQUAL(c.tags[1].value, "GIT_COMMIT");
	CU_ASSERT_STRING_EQUAL(c.tags[2].value, "v1.2");
	request_config_clear(&c);
	unlink(path);
	request_config_init(&c);
	CU_ASSERT(!request_config_tag(&c, text, err, sizeof(err)));
	CU_ASSERT(request_config_finish(&c, err, sizeof(err)) == -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, path));
	request_config_clear(&c);
}

/* Equal for equal users under one key, different under another; never the value. */
static void test_hashes(void)
{
	char a[USER_HASH_TEXT], b[USER_HASH_TEXT];
	uint8_t one[USER_KEY_SIZE], two[USER_KEY_SIZE];

	CU_ASSERT(!user_key_from("0123456789abcdef", 16, one, sizeof(one)));
	CU_ASSERT(!user_key_random(two, sizeof(two)));
	user_hash(one, sizeof(one), "alice", 5, a);
	CU_ASSERT(strlen(a) == 16);
	user_hash(one, sizeof(one), "alice", 5, b);
	CU_ASSERT_STRING_EQUAL(a, b);
	user_hash(one, sizeof(one), "alicf", 5, b);
	CU_ASSERT(strcmp(a, b));
	user_hash(two, sizeof(two), "alice", 5, b);
	CU_ASSERT(strcmp(a, b));
	/* Of the same secret, the same key on any machine: BLAKE2b, as hashlib has it. */
	user_hash(one, sizeof(one), "alice", 5, a);
	CU_ASSERT_STRING_EQUAL(a, "aedc0204c2bd4244");
}

static void test_user_key(void)
{
	char path[] = "/tmp/pycost-unit-XXXXXX";
	struct request_config c, d;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && write(fd, "0123456789abcde", 15) == 15);
	request_config_init(&c);
	CU_ASSERT(request_config_user_key(&c, path, err, sizeof(err)) == -EINVAL && !c.has_key);
	CU_ASSERT(write(fd, "f", 1) == 1);
	CU_ASSERT(!request_config_user_key(&c, path, err, sizeof(err)) && c.has_key);
	close(fd);
	unlink(path);
	CU_ASSERT(request_config_user_key(&c, path, err, sizeof(err)) == -ENOENT);
	request_config_init(&d);
	CU_ASSERT(!request_config_finish(&d, err, sizeof(err)) && !d.has_key);
	CU_ASSERT(memcmp(c.key, d.key, sizeof(c.key)));
	request_config_clear(&c);
	request_config_clear(&d);
}

static int read_text(struct request_config *c, const char *text)
{
	*err = 0;
	return request_config_text(c, "f.yaml", text, strlen(text), err, sizeof(err));
}

static void test_sample_file(void)
{
	struct request_config c;

	request_config_init(&c);
	if (request_config_file(&c, "deploy/requests.yaml", err, sizeof(err)))
		fprintf(stderr, "%s\n", err);
	CU_ASSERT(c.route_count == 3 && c.field_count == 5 && c.tag_count == 4);
	CU_ASSERT_FATAL(c.route_count == 3);
	CU_ASSERT_STRING_EQUAL(c.routes[2].name, "change an order");
	CU_ASSERT_STRING_EQUAL(c.routes[2].method, "POST");
	CU_ASSERT_STRING_EQUAL(c.routes[1].method, "GET");
	CU_ASSERT(c.fields[0].split && c.fields[1].form == FIELD_CLIENT);
	CU_ASSERT(c.fields[2].form == FIELD_HASHED && c.fields[3].form == FIELD_HASHED);
	CU_ASSERT(c.fields[4].form == FIELD_PLAIN && c.fields[4].kind == WIRE_FIELD_ARGUMENT);
	CU_ASSERT(c.backend_count == 3 && c.address_count == 4);
	CU_ASSERT(c.tags[2].source == TAG_ENVIRONMENT && c.tags[3].source == TAG_FILE);
	CU_ASSERT(c.max_endpoints == 500 && c.max_tag_sets == 5000 && !c.marks);
	request_config_clear(&c);
}

/* One line each, which names file, line and what is wrong; and nothing has changed. */
static void test_file_errors(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "routes:\n  - /a\n  - b\n", "f.yaml:3: 'b' is no pattern" },
		{ "routes:\n  - patern: /a\n", "f.yaml:2: 'patern' is not known" },
		{ "routes:\n  - name: x\n", "f.yaml:2: a route must have a 'pattern'" },
		{ "routes:\n  - pattern: /a\n    pattern: /b\n", "f.yaml:3: 'pattern' is given twice" },
		{ "routs: []\n", "f.yaml:1: 'routs' is none of" },
		{ "fields:\n\n  - header: Authorization\n", "f.yaml:3: the header" },
		{ "fields:\n  - header: a\n    cookie: b\n", "f.yaml:3: a field is one of" },
		{ "fields:\n  - as: b\n", "f.yaml:2: a field must have one of" },
		{ "fields:\n  - header: a\n    split: maybe\n", "f.yaml:3: 'split' must be true or false" },
		{ "fields:\n  - header: [a]\n", "f.yaml:2: header must be text" },
		{ "backends:\n  a: 0\n", "f.yaml:2: '0' is no port" },
		{ "backends: 5\n", "f.yaml:1: backends must be a list" },
		{ "tags:\n  a: {env: X, file: Y}\n", "f.yaml:2: the tag 'a' must have one of" },
		{ "tags:\n  a: {}\n", "f.yaml:2: the tag 'a' must have one of" },
		{ "tags:\n  'a b': c\n", "f.yaml:2: 'a b' cannot be" },
		{ "limits:\n  endpoints: many\n", "f.yaml:2: 'many' is not a number" },
		{ "limits:\n  stars: 1\n", "f.yaml:2: 'stars' is none of" },
		{ "marks: maybe\n", "f.yaml:1: 'marks' must be true or false" },
		{ "marks: [true]\n", "f.yaml:1: marks must be text" },
		{ "user-key: /nonexistent/key\n", "f.yaml:1: cannot read the key" },
		{ "tags:\n\ta: b\n", "f.yaml:2:" },
		{ "a: [\n", "f.yaml:2:" },
		{ "- a\n", "f.yaml:1: the file must be a list of" },
		{ "tags:\n  a: \"b\\nc\"\n", "f.yaml:2: a tag must be one line" },
		{ "tags:\n  a: \"b\\0c\"\n", "f.yaml:2: a tag must be one line" },
		{ "? [a]\n: b\n", "f.yaml:1: what is before ':' must be text" },
	};
	struct request_config c;

	request_config_init(&c);
	CU_ASSERT(!request_config_route(&c, "/first", err, sizeof(err)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CU_ASSERT(read_text(&c, cases[i].text) < 0);
		if (strncmp(err, cases[i].says, strlen(cases[i].says)))
			fprintf(stderr, "%s: %s\n", cases[i].says, err);
		CU_ASSERT(!strncmp(err, cases[i].says, strlen(cases[i].says)));
		CU_ASSERT(!strchr(err, '\n'));
		CU_ASSERT(c.route_count == 1 && !c.field_count && !c.backend_count && !c.tag_count);
	}
	CU_ASSERT(!read_text(&c, "") && !read_text(&c, "# nothing\n"));
	CU_ASSERT(!read_text(&c, "routes:\nfields:\nbackends:\ntags:\nlimits:\n"));
	CU_ASSERT(!read_text(&c, "routes: /one\nfields: arg:x\nbackends: {a: 1}\n"));
	CU_ASSERT(c.route_count == 2 && c.field_count == 1 && c.backend_count == 1);
	CU_ASSERT(!c.marks && !read_text(&c, "marks: yes\n") && c.marks);
	CU_ASSERT(request_config_file(&c, "/nonexistent/f", err, sizeof(err)) == -ENOENT);
	request_config_clear(&c);
}

int suite_request_config(void)
{
	CU_TestInfo tests[] = {
		{ "patterns", test_patterns },
		{ "a pattern of stars", test_pattern_of_stars },
		{ "routes", test_routes },
		{ "fields", test_fields },
		{ "refused fields", test_refused_fields },
		{ "back ends", test_backends },
		{ "refused back ends", test_refused_backends },
		{ "tags", test_tags },
		{ "hashes", test_hashes },
		{ "the key", test_user_key },
		{ "the sample file", test_sample_file },
		{ "errors of files", test_file_errors },
		CU_TEST_INFO_NULL,
	};

	return suite_register("request config", tests);
}
