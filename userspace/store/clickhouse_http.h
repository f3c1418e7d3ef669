/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClickHouse as it is spoken to: one statement, one HTTP request.
 *
 * Statements are answered when they are done (wait_end_of_query), so that the status tells
 * what became of them. Settings are those that 18.16 has, and today's servers.
 */
#ifndef PYCOST_CLICKHOUSE_HTTP_H
#define PYCOST_CLICKHOUSE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A URL, http[s]://HOST[:PORT][/DATABASE]; without a port 8123 or 8443, without a database
 * "default". */
struct clickhouse_address {
	char *base;	/* http://HOST:PORT/ */
	char *name;	/* HOST:PORT, as errors call it */
	char *database; /* of letters, digits and underscores */
};
/* -EINVAL, in words. The password in a URL is refused: it would be seen in logs. */
int clickhouse_address_parse(const char *url, size_t length, struct clickhouse_address *ret,
			     char *err, size_t errlen);
void clickhouse_address_clear(struct clickhouse_address *a);

/* Connections that are kept; for several threads. */
struct clickhouse_http;
/* ca: file of who signs the servers' certificates; NULL: those that the system trusts. */
int clickhouse_http_new(const char *user, const char *password, const char *ca,
			struct clickhouse_http **ret);
void clickhouse_http_free(struct clickhouse_http *h); /* NULL: nothing */

struct clickhouse_call {
	const struct clickhouse_address *at;
	const char *sql;
	const char *database; /* to be in; NULL: the address's */
	uint64_t until_ns; /* of CLOCK_MONOTONIC: when no answer is wanted any more; 0: never */
	/* Rows to insert, gzipped; NULL: none. */
	const void *rows;
	size_t row_bytes;
	/* Takes the answer as it comes; not 0 ends it, and is returned. NULL: is not wanted. */
	int (*take)(void *arg, const char *bytes, size_t size);
	void *arg;
};

/*
 * -EAGAIN: the server is away, busy, out of room or not answering in time; what was to be
 * inserted may or may not be. -EACCES: the user is refused. -EIO: all else that it objects
 * to. -ETIMEDOUT: a statement took longer than it may. *ret_code, unless NULL: ClickHouse's
 * number of the error, or 0.
 */
int clickhouse_call(struct clickhouse_http *h, const struct clickhouse_call *call, int *ret_code,
		    char *err, size_t errlen);

/* Of dbms/src/Common/ErrorCodes.cpp (18.16), those that are looked for. */
#define CLICKHOUSE_UNKNOWN_TABLE 60
#define CLICKHOUSE_UNKNOWN_DATABASE 81
#define CLICKHOUSE_TIMEOUT_EXCEEDED 159

#endif
