/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/sender_rate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <xxhash.h>

#define BURST_MINUTES 10.0
#define MINUTE_NS 60e9
#define RETRY_MOST 3600

struct sender {
	uint64_t key; /* hash of grant and name */
	uint64_t at_ns;
	double batches, bytes; /* left */
	UT_hash_handle hh; /* in order of their last batch */
};

struct sender_rates {
	pthread_mutex_t lock;
	struct sender *senders;
	double batches, bytes; /* per minute */
};

struct sender_rates *sender_rates_new(uint64_t batches, uint64_t bytes)
{
	struct sender_rates *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->batches = batches;
	r->bytes = bytes;
	return r;
}

void sender_rates_free(struct sender_rates *r)
{
	struct sender *s, *next;

	if (!r)
		return;
	HASH_ITER(hh, r->senders, s, next) {
		HASH_DEL(r->senders, s);
		free(s);
	}
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Moved to the end of the order; NULL: no memory. */
static struct sender *find(struct sender_rates *r, uint64_t key, uint64_t now_ns)
{
	struct sender *s;

	HASH_FIND(hh, r->senders, &key, sizeof(key), s);
	if (s) {
		HASH_DEL(r->senders, s);
	} else if (HASH_COUNT(r->senders) >= SENDERS_MAX) {
		s = r->senders;
		HASH_DEL(r->senders, s);
		s->key = 0;
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
	}
	if (s->key != key) {
		s->key = key;
		s->at_ns = now_ns;
		s->batches = r->batches * BURST_MINUTES;
		s->bytes = r->bytes * BURST_MINUTES;
	}
	HASH_ADD(hh, r->senders, key, sizeof(s->key), s);
	return s;
}

static double refill(double left, double rate, double minutes)
{
	left += rate * minutes;
	return left > rate * BURST_MINUTES ? rate * BURST_MINUTES : left;
}

unsigned sender_rates_take(struct sender_rates *r, const char *grant, const char *sender,
			   size_t bytes, uint64_t now_ns)
{
	uint64_t key = XXH3_64bits_withSeed(sender, strlen(sender), XXH3_64bits(grant, strlen(grant)));
	double minutes, wait = 0;
	struct sender *s;

	key = key ? key : 1;
	pthread_mutex_lock(&r->lock);
	s = find(r, key, now_ns);
	if (s) {
		minutes = now_ns > s->at_ns ? (now_ns - s->at_ns) / MINUTE_NS : 0;
		s->at_ns = now_ns;
		s->batches = refill(s->batches, r->batches, minutes);
		s->bytes = refill(s->bytes, r->bytes, minutes);
		/* What is left may go below zero once: a large batch must not wait for ever. */
		if (s->batches < 1)
			wait = (1 - s->batches) / r->batches;
		if (s->bytes <= 0 && (1 - s->bytes) / r->bytes > wait)
			wait = (1 - s->bytes) / r->bytes;
		if (wait <= 0) {
			s->batches -= 1;
			s->bytes -= bytes;
		}
	}
	pthread_mutex_unlock(&r->lock);
	if (wait <= 0)
		return 0;
	return wait * 60 + 1 < RETRY_MOST ? wait * 60 + 1 : RETRY_MOST;
}

size_t sender_rates_count(struct sender_rates *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = HASH_COUNT(r->senders);
	pthread_mutex_unlock(&r->lock);
	return n;
}
