/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks a collector over HTTP. */
#ifndef PYCOST_QUERY_CLIENT_H
#define PYCOST_QUERY_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/* One part of a question, as query_set() takes it. */
struct query_part {
	const char *key, *value;
};

struct query_client {
	const char *url; /* "http://127.0.0.1:7680" */
	const char *token_file, *ca, *certificate, *key; /* NULL: none */
	unsigned timeout_s;
};

/*
 * -EINVAL: the question is refused, or the URL is none; -ECONNREFUSED: nobody is there;
 * -EACCES: who asks may not; -ETIMEDOUT; -EBADMSG: the answer is no answer; -EIO: anything
 * else. err says it in words, with what to do.
 */
int query_client_ask(const struct query_client *c, const char *kind, const struct query_part *parts,
		     size_t count, json_t **ret, char *err, size_t errlen);

#endif
