/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/agent_config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "userspace/fleet/listen_address.h"
#include "userspace/sample_event.h"

#define SPOOL_DEFAULT "/var/lib/pycost/spool"
#define MEGABYTE (1ull << 20)

int agent_config_init(struct agent_config *c)
{
	*c = (struct agent_config){.timeout_s = 30, .spool_limit = 1024 * MEGABYTE,
				   .spool_memory = 16 * MEGABYTE, .max_targets = 1000,
				   .rate = SAMPLE_RATE_DEFAULT, .exact_window_s = 300,
				   .exact_one_in = 100, .renew_s = 1800, .budget_host = 0.02,
				   .budget_targets = 0.02, .budget_requests = 0.01, .max_values = 200,
				   .max_slices = 5000, .min_path_share = 0.0005};
	strcpy(c->spool, SPOOL_DEFAULT);
	c->rules = calloc(RULES_MAX, sizeof(*c->rules));
	if (!c->rules)
		return -ENOMEM;
	return request_config_init(&c->requests);
}

void agent_config_clear(struct agent_config *c)
{
	for (size_t i = 0; c->rules && i < c->rule_count; i++)
		rule_clear(&c->rules[i]);
	free(c->rules);
	request_config_clear(&c->requests);
	*c = (struct agent_config){0};
}

struct rule *agent_config_rule(struct agent_config *c)
{
	return c->rule_count < RULES_MAX ? &c->rules[c->rule_count++] : NULL;
}

__attribute__((format(printf, 3, 4)))
static int refuse(char *text, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Unlike a collector, it says which of them: an address, and a port. */
static bool is_address(const char *listen)
{
	struct sockaddr_storage address;
	bool local;

	/* Both families have the port in the same place. */
	return *listen != ':' && !listen_address_parse(listen, &address, &local) &&
	       ((struct sockaddr_in *)&address)->sin_port;
}

static int collector_check(struct agent_config *c, char *text, size_t len)
{
	bool tls = !strncmp(c->collector, "https://", 8);
	size_t n = strlen(c->collector);

	if (!n)
		return refuse(text, len, "nowhere to send to: set 'collector', or --to URL");
	if (!tls && strncmp(c->collector, "http://", 7))
		return refuse(text, len, "'%.64s' is no collector: http://HOST:PORT or https://...",
			      c->collector);
	while (n && c->collector[n - 1] == '/')
		c->collector[--n] = 0;
	if (!tls && (*c->ca || *c->certificate))
		return refuse(text, len, "certificates are of no use without https://");
	if (!*c->certificate != !*c->key)
		return refuse(text, len, "'certificate' and 'key' go together");
	return 0;
}

static int files_check(const struct agent_config *c, char *text, size_t len)
{
	const char *const files[] = {c->token_file, c->ca, c->certificate, c->key};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (*files[i] && access(files[i], R_OK))
			return refuse(text, len, "cannot read %.400s: %s", files[i], strerror(errno));
	return 0;
}

int agent_config_finish(struct agent_config *c, char *text, size_t len)
{
	struct utsname name;
	int err = collector_check(c, text, len);

	if (!err)
		err = files_check(c, text, len);
	if (err)
		return err;
	if (!c->rule_count)
		return refuse(text, len, "nothing to measure: give 'rules', or --match REGEX");
	if (*c->listen && !is_address(c->listen))
		return refuse(text, len, "'%.60s' is no address with a port: 127.0.0.1:7681, for example",
			      c->listen);
	if (c->exact_share > 0 && c->exact_one_in < 2)
		return refuse(text, len, "exact costs are of one request in 2 or more: 'one-in'");
	if (!*c->host && !uname(&name))
		snprintf(c->host, sizeof(c->host), "%s", name.nodename);
	return request_config_finish(&c->requests, text, len);
}
