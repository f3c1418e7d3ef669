/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and heads of requests that the collector reads. The first byte says which. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "userspace/collector/access.h"
#include "userspace/collector/door_text.h"
#include "userspace/collector/serve_config.h"
#include "userspace/fleet/daemon_log.h"

static void fuzz_access(const char *text, size_t size)
{
	struct access *a = NULL;
	char err[256] = "";

	if (access_parse("f", text, size, &a, err, sizeof(err))) {
		if (!*err || strchr(err, '\n'))
			abort();
		return;
	}
	if (!a->count || a->open)
		abort();
	for (size_t i = 0; i < a->count; i++) {
		const struct grant *g = &a->grants[i];

		if (!*g->name || !g->may)
			abort();
		for (size_t k = 0; k < g->service_count; k++)
			if (!grant_covers(g, g->services[k]))
				abort();
		/* What is no token lets nobody in. */
		if (access_by_header(a, "Bearer ") && !*g->name)
			abort();
	}
	access_put(a);
}

static void fuzz_config(const char *text, size_t size)
{
	struct sockaddr_storage address;
	struct serve_config c;
	char err[256] = "";
	bool local;

	serve_config_init(&c);
	if (serve_config_text(&c, "f", text, size, err, sizeof(err))) {
		if (!*err || strchr(err, '\n'))
			abort();
	} else if (!serve_config_check(&c, err, sizeof(err))) {
		if (serve_config_address(&c, &address, &local, err, sizeof(err)) ||
		    (!local && !c.tokens && !c.insecure))
			abort();
	}
	serve_config_free(&c);
}

static void fuzz_head(const char *text)
{
	static const char grants[] =
		"tokens: [{name: a, token: 0123456789abcdef, services: b, may: push}]";
	char value[LOG_VALUE_SIZE], err[256];
	uint8_t id[BATCH_ID_SIZE];
	struct access *a;
	int64_t t = 0;

	if (!door_batch_id(text, id) && strlen(text) != 2 * BATCH_ID_SIZE)
		abort();
	if (!door_unix_time(text, &t) && t <= 0)
		abort();
	door_clock_shift(t, 1700000000);
	door_host_is_local(text);
	daemon_log_value(value, text);
	if (strchr(value, '\n') || strlen(value) >= sizeof(value))
		abort();
	if (access_parse("f", grants, strlen(grants), &a, err, sizeof(err)))
		abort();
	if (access_by_header(a, text) && !strstr(text, "0123456789abcdef"))
		abort();
	access_put(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || sodium_init() < 0)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (data[0] % 3 == 0)
		fuzz_access(text, size - 1);
	else if (data[0] % 3 == 1)
		fuzz_config(text, size - 1);
	else
		fuzz_head(text);
	free(text);
	return 0;
}
