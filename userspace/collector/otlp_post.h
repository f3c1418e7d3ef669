/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OTLP/HTTP: one message after another to one URL, and what is answered. */
#ifndef PYCOST_OTLP_POST_H
#define PYCOST_OTLP_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct otlp_post;

/*
 * path is appended to the endpoint. headers: a file of them, one a line; may be a secret, and
 * is read once; NULL: none. is_stopped cuts short what is under way. -errno, and a sentence.
 */
int otlp_post_new(const char *endpoint, const char *path, const char *headers,
		  bool (*is_stopped)(void *arg), void *arg, struct otlp_post **ret, char *err,
		  size_t errlen);
void otlp_post_free(struct otlp_post *p); /* NULL: nothing */

/*
 * 0: taken, but for so many points or profiles. -EAGAIN: it may be taken later, not before
 * so many seconds (0: not said). -EBADMSG: it will never be taken. A sentence in why.
 */
int otlp_post_send(struct otlp_post *p, const uint8_t *bytes, size_t size, uint64_t *ret_rejected,
		   uint64_t *ret_wait_s, char *why, size_t whylen);

/* Of a 200's body: how much was rejected; why: the receiver's words. */
uint64_t otlp_post_rejected(const uint8_t *bytes, size_t size, char *why, size_t whylen);

#endif
