/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One batch to one collector, and what became of it, over HTTP:
 *
 *	POST URL/v1/batches, the body batch_pack()'s bytes; Authorization: Bearer TOKEN,
 *	X-Pycost-Batch: the batch's id, X-Pycost-Sent: Unix time of sending
 *
 * The connection is kept for the next one. For one thread at a time; several may have one each.
 */
#ifndef PYCOST_POST_H
#define PYCOST_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/fleet/batch.h"

#define POST_TOKEN_SIZE 1024 /* with its NUL */

/* All but url may be NULL or 0; texts are borrowed for post_open() only. */
struct post_options {
	const char *url;   /* "https://collector:7680"; a path before /v1/batches is kept */
	const char *token;
	const char *ca;	   /* files: who signs collectors; the certificate of this side, its key */
	const char *certificate, *key;
	unsigned timeout_s; /* of one batch; default 60 */
	/* Asked about once a second while a batch is on its way: true gives it up. */
	bool (*stop)(void *arg);
	void *arg;
};

enum post_outcome {
	POST_STORED = 1, /* durable now */
	POST_DUPLICATE,	 /* it had been */
	POST_LATER,	 /* not reached, busy, or in trouble: try again, no sooner than it says */
	POST_REFUSED,	 /* token, certificate or URL are not right: a person has to do something */
	POST_EXPIRED,	 /* too old to be taken, ever */
	POST_POISON,	 /* not what the collector can read, ever */
};

/* Of HTTP: the batch's clock, or the sender's, is too far off to be taken now. */
#define POST_STATUS_CLOCK 409

struct post_answer {
	enum post_outcome outcome;
	long status;	   /* of HTTP; 0: there was no answer */
	uint32_t retry_s;  /* POST_LATER: the collector's wish; 0: none */
	char text[256];	   /* why, unless it is stored */
};

struct post;

/* -EINVAL: the URL is none, or the token has control characters; in words in err. */
int post_open(const struct post_options *o, struct post **ret, char *err, size_t errlen);
void post_close(struct post *p);

void post_batch(struct post *p, const uint8_t id[BATCH_ID_SIZE], const void *bytes, size_t size,
		struct post_answer *ret);

#endif
