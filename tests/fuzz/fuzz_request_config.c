/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration of requests, as a file and as each option; and its patterns on paths. */
#include <stdlib.h>
#include <string.h>

#include "userspace/client.h"
#include "userspace/process_tags.h"
#include "userspace/request_config.h"
#include "userspace/route_pattern.h"
#include "userspace/tag_sets.h"

/* It must say why, in one line, and leave all as it was. */
static void check(int ret, const char *err, const struct request_config *c, size_t routes)
{
	if (ret && (!*err || strchr(err, '\n') || c->route_count != routes))
		abort();
}

static void fuzz_options(const char *text)
{
	static int (*const add[])(struct request_config *, const char *, char *, size_t) = {
		request_config_route, request_config_field, request_config_backend,
		request_config_tag,
	};
	struct request_config c;
	char err[512];

	request_config_init(&c);
	for (size_t i = 0; i < sizeof(add) / sizeof(*add); i++) {
		size_t routes = c.route_count;

		*err = 0;
		add[i](&c, text, err, sizeof(err));
		if (c.route_count > routes + 1)
			abort();
	}
	request_config_clear(&c);
}

static void fuzz_patterns(const struct request_config *c, const char *text, size_t size)
{
	for (size_t i = 0; i < c->route_count; i++) {
		const char *pattern = c->routes[i].pattern;

		/* What matches for certain also may match. */
		if (route_pattern_matches(pattern, text, size) &&
		    !route_pattern_may_match(pattern, text, size))
			abort();
		/* Stars stand for themselves, too. */
		if (!route_pattern_matches(pattern, pattern, strlen(pattern)))
			abort();
	}
}

static void fuzz_file(const char *text, size_t size)
{
	struct wire_field wire[WIRE_FIELDS];
	struct request_config c;
	bool files = false;
	char err[512] = "";

	request_config_init(&c);
	check(request_config_text(&c, "f", text, size, err, sizeof(err)), err, &c, 0);
	fuzz_patterns(&c, text, size);
	for (unsigned i = 0; i < c.tag_count; i++)
		files |= c.tags[i].source == TAG_FILE;
	/* Files of any name are not read. */
	if (!files && request_config_finish(&c, err, sizeof(err)))
		abort();
	if (!files && (!c.backend_count || c.backend_count > WIRE_BACKENDS))
		abort();
	request_config_wire(&c, wire);
	for (unsigned i = 0; i < c.field_count; i++)
		if (wire[i].kind == WIRE_FIELD_COOKIE && c.fields[i].form != FIELD_HASHED)
			abort();
	request_config_clear(&c);
}

/* What comes from clients and from /proc. */
static void fuzz_foreign(const char *text, size_t size)
{
	static struct tag_list list;
	struct request_config c;
	struct client client;
	char err[64];

	client_parse(text, size, &client);
	server_name(text, size);
	request_config_init(&c);
	request_config_tag(&c, "a=env:PATH", err, sizeof(err));
	list.count = 0;
	environment_tags(&c, text, size, &list);
	request_config_clear(&c);
	cgroup_tags(text, &list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	/* Nor is a key. */
	if (!memmem(text, size, "user-key", 8))
		fuzz_file(text, size);
	fuzz_options(text);
	fuzz_foreign(text, size);
	free(text);
	return 0;
}
