/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a server of ClickHouse is: its URL. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/store/clickhouse_http.h"

#define FORM "http://HOST:PORT/DATABASE"

__attribute__((format(printf, 4, 5)))
static int refuse(char *err, size_t errlen, const char *url, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	snprintf(err, errlen, "%s: %s", url, why);
	return -EINVAL;
}

/* It becomes part of statements. */
static bool is_word(const char *text)
{
	if (!*text || isdigit((unsigned char)*text))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_')
			return false;
	return true;
}

/* The host with its port, which is added where there is none. */
static char *host_and_port(const char *host, size_t length, const char *port)
{
	const char *bracket = memchr(host, ']', length); /* [::1] */
	const char *from = bracket ? bracket : host;
	char *ret;

	if (memchr(from, ':', length - (size_t)(from - host)))
		return strndup(host, length);
	return asprintf(&ret, "%.*s:%s", (int)length, host, port) < 0 ? NULL : ret;
}

static int parse(char *url, struct clickhouse_address *a, char *err, size_t errlen)
{
	bool tls = !strncmp(url, "https://", 8);
	const char *host = url + (tls ? 8 : 7), *database;
	size_t length;

	if (!tls && strncmp(url, "http://", 7))
		return refuse(err, errlen, url, "no URL of ClickHouse, which is " FORM);
	/* First of all, as the rest may be shown. */
	if (strchr(host, '@')) {
		snprintf(err, errlen,
			 "a URL of ClickHouse holds user and password: give them by themselves");
		return -EINVAL;
	}
	length = strcspn(host, "/?#");
	database = host + length;
	if (*database == '/')
		database++;
	if (!length || strspn(host, ":") || length > 255)
		return refuse(err, errlen, url, "no host; a URL of ClickHouse is " FORM);
	if (!*database)
		database = "default";
	if (!is_word(database))
		return refuse(err, errlen, url,
			      "the database must be a name of letters, digits and underscores");
	a->name = host_and_port(host, length, tls ? "8443" : "8123");
	a->database = strdup(database);
	if (!a->name || !a->database ||
	    asprintf(&a->base, "%s://%s/", tls ? "https" : "http", a->name) < 0) {
		a->base = NULL;
		return -ENOMEM;
	}
	return 0;
}

int clickhouse_address_parse(const char *url, size_t length, struct clickhouse_address *ret,
			     char *err, size_t errlen)
{
	struct clickhouse_address a = {};
	char *copy = strndup(url, length);
	int error = copy ? parse(copy, &a, err, errlen) : -ENOMEM;

	free(copy);
	if (error) {
		clickhouse_address_clear(&a);
		return error;
	}
	*ret = a;
	return 0;
}

void clickhouse_address_clear(struct clickhouse_address *a)
{
	free(a->base);
	free(a->name);
	free(a->database);
	memset(a, 0, sizeof(*a));
}
