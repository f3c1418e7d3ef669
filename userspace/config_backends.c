/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back ends of a configuration: names for ports, addresses and Unix sockets. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/config_parts.h"

#define FAIL(...) config_fail(-EINVAL, err, errlen, __VA_ARGS__)
#define OTHERS "other"

static int address_port(struct config_address *a, const char *text, char *err, size_t errlen)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || !port || port > 65535)
		return FAIL("'%.64s' is no port: 1 to 65535", text);
	a->port = port;
	return 0;
}

/* No names: what they stand for may change while it is measured. */
static int address_host(struct config_address *a, const char *host, char *err, size_t errlen)
{
	a->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(a->family, host, a->host) == 1)
		return 0;
	return FAIL("'%.64s' is no address: getent hosts %.64s tells what it stands for", host, host);
}

/* "[::1]:5432", "10.0.0.5:5432": its two parts. */
static int address_split(const char *text, char *host, size_t size, const char **port, char *err,
			 size_t errlen)
{
	const char *colon = strrchr(text, ':'), *end = colon;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || end[1] != ':')
			return FAIL("'[%.64s' is no address: [::1]:5432 would be", text);
		colon = end + 1;
	}
	if ((size_t)(end - text) >= size || end == text)
		return FAIL("'%.64s' is no address: ADDRESS:PORT", text);
	memcpy(host, text, end - text);
	host[end - text] = 0;
	*port = colon + 1;
	return 0;
}

static int address_parse(struct config_address *a, const char *text, char *err, size_t errlen)
{
	char host[CONFIG_TEXT_MAX];
	const char *port = text;
	int ret = 0;

	if (*text == '/') {
		if (strlen(text) > CONFIG_PATH_MAX)
			return FAIL("'%.32s...' is longer than a socket's path can be", text);
		strcpy(a->path, text);
		return 0;
	}
	if (strchr(text, ':'))
		ret = address_split(text, host, sizeof(host), &port, err, errlen);
	if (!ret)
		ret = address_port(a, port, err, errlen);
	if (!ret && port != text)
		ret = address_host(a, host, err, errlen);
	return ret;
}

static bool address_is_same(const struct config_address *a, const struct config_address *b)
{
	return a->family == b->family && a->port == b->port &&
	       !memcmp(a->host, b->host, sizeof(a->host)) && !strcmp(a->path, b->path);
}

/* The index of that name; backend_count: none. */
static unsigned backend_find(const struct request_config *c, const char *name)
{
	unsigned i = 0;

	while (i < c->backend_count && strcmp(c->backends[i].name, name))
		i++;
	return i;
}

int config_add_address(struct request_config *c, const char *backend, const char *address,
		       char *err, size_t errlen)
{
	const char *objection = config_key_objection(backend);
	struct config_address a = { .backend = backend_find(c, backend) };
	int ret;

	if (objection)
		return FAIL("'%.64s' cannot be the name of a back end: %s", backend, objection);
	if (!strcmp(backend, OTHERS))
		return FAIL("'" OTHERS "' is what all unnamed back ends are called");
	if (a.backend == WIRE_BACKENDS - 1)
		return config_fail(-ENOSPC, err, errlen, "there are more than %d back ends",
				   WIRE_BACKENDS - 1);
	if (c->address_count == CONFIG_ADDRESSES_MAX)
		return config_fail(-ENOSPC, err, errlen, "back ends have more than %d addresses",
				   CONFIG_ADDRESSES_MAX);
	ret = address_parse(&a, address, err, errlen);
	if (ret)
		return ret;
	for (unsigned i = 0; i < c->address_count; i++)
		if (address_is_same(&c->addresses[i], &a))
			return FAIL("'%.64s' is an address of '%s' already", address,
				    c->backends[c->addresses[i].backend].name);
	if (a.backend == c->backend_count)
		strcpy(c->backends[c->backend_count++].name, backend);
	c->addresses[c->address_count++] = a;
	return 0;
}

/* All or none of them. */
int request_config_backend(struct request_config *c, const char *text, char *err, size_t errlen)
{
	unsigned backends = c->backend_count, addresses = c->address_count;
	char copy[1024], *rest, *address;
	int ret = 0;

	if (strlen(text) >= sizeof(copy))
		return FAIL("'%.32s...' is too long", text);
	strcpy(copy, text);
	rest = strchr(copy, '=');
	if (!rest)
		return FAIL("'%.64s' has no address: NAME=PORT, NAME=ADDRESS:PORT or NAME=/PATH", text);
	*rest++ = 0;
	while (!ret && (address = strsep(&rest, ",")))
		ret = config_add_address(c, copy, address, err, errlen);
	if (ret) {
		c->backend_count = backends;
		c->address_count = addresses;
	}
	return ret;
}

/*
 * The ports are those that their servers use unasked; the sockets are where Debian's and
 * their makers' packages put them.
 */
static const struct {
	const char *name, *addresses[8];
} usual[] = {
	{ "memcache", { "11211", "/run/memcached/memcached.sock", "/var/run/memcached/memcached.sock" } },
	{ "postgresql", { "5432", "/var/run/postgresql/.s.PGSQL.5432", "/run/postgresql/.s.PGSQL.5432",
			  "/tmp/.s.PGSQL.5432" } },
	{ "mysql", { "3306", "/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock",
		     "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock" } },
	{ "redis", { "6379", "/run/redis/redis-server.sock", "/var/run/redis/redis-server.sock",
		     "/run/redis/redis.sock", "/var/run/redis/redis.sock" } },
	{ "http", { "80", "443", "8000", "8080" } },
};

void config_default_backends(struct request_config *c)
{
	char err[1];

	/* What the user has named otherwise, or what there is no room for, stays as it is. */
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		for (const char *const *at = usual[i].addresses; *at; at++)
			config_add_address(c, usual[i].name, *at, err, 0);
	strcpy(c->backends[c->backend_count++].name, OTHERS);
}
