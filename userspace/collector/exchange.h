/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request and its answer. The thread of its connection makes it and reads its body;
 * then it sleeps, and belongs to whoever works for it, until that one answers. After
 * exchange_answer() and its like it must not be touched.
 */
#ifndef PYCOST_EXCHANGE_H
#define PYCOST_EXCHANGE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userspace/collector/access.h"
#include "userspace/collector/answer_form.h"
#include "userspace/collector/serve_metrics.h"
#include "userspace/fleet/batch.h"
#include "userspace/query/query.h"

struct collector;
struct visitor;

enum route {
	ROUTE_NONE,
	ROUTE_BATCHES,
	ROUTE_QUERY,
	ROUTE_METRICS,
	ROUTE_HEALTH,
	ROUTE_READY,
};

struct exchange {
	struct collector *collector;
	struct MHD_Connection *connection;
	struct visitor *visitor;
	enum route route;
	struct access *access; /* which grant is of */
	const struct grant *grant;
	bool asleep, acted;
	uint64_t began_ns;

	char *body;
	size_t size, room, dropped;
	uint64_t reserved; /* bytes of what may be in flight */

	/* Of batches. */
	uint8_t id[BATCH_ID_SIZE];
	int64_t sent_s; /* 0: not said */
	struct batch batch;
	bool unpacked;

	struct query query;
	enum answer_form form;
	bool minute, older; /* not the query, but the last minute, as metrics */

	unsigned status; /* 0: no answer yet */
	unsigned retry_s; /* 0: does not say */
	const char *type;
	char *text; /* of the answer */
	size_t text_size;

	struct exchange *next; /* in a queue */
	uint64_t queued_ns;
};

/* The answer is made; one that is asleep is woken and gone. text: taken over; NULL: none. */
void exchange_answer(struct exchange *e, unsigned status, const char *type, char *text, size_t size);
/* {"error": ...} */
__attribute__((format(printf, 3, 4)))
void exchange_refuse(struct exchange *e, unsigned status, const char *fmt, ...);
/* The same of a batch: counted. retry_s: 0: it says nothing of when. */
__attribute__((format(printf, 5, 6)))
void exchange_refuse_batch(struct exchange *e, enum batch_result why, unsigned status,
			   unsigned retry_s, const char *fmt, ...);

/* In its connection's thread: what was answered goes out. */
enum MHD_Result exchange_send(struct exchange *e);

/* More of the body. -EMSGSIZE: larger than it may be; -ENOBUFS: too much is in flight. */
int exchange_take(struct exchange *e, const char *data, size_t size);
void exchange_free_body(struct exchange *e);
void exchange_free_batch(struct exchange *e);
/* Of what may be in flight, in place of what it had. False: it is too much. */
bool exchange_reserve(struct exchange *e, uint64_t bytes);

/* ---- queues of them ---- */

struct exchange_queue {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct exchange *first, **last;
	size_t count;
	uint64_t bytes; /* reserved by those in it */
	uint64_t came;	/* ever */
	bool closed;
};
void exchange_queue_init(struct exchange_queue *q);
void exchange_queue_free(struct exchange_queue *q);
void exchange_queue_put(struct exchange_queue *q, struct exchange *e);
/* Waits; NULL: it is closed and empty. */
struct exchange *exchange_queue_take(struct exchange_queue *q);
/*
 * Waits for one, then until that waits for so long, or there are so many bytes or so many
 * exchanges. As long as more keep coming it waits on, up to busy_ns or for busy_count of them:
 * one that comes alone, or those that come together and then wait for their answers, do not.
 * A chain of them by next; NULL: closed and empty.
 */
struct exchange_grouping {
	uint64_t wait_ns, busy_ns, bytes;
	size_t most, busy_count;
};
struct exchange *exchange_queue_take_group(struct exchange_queue *q,
					   const struct exchange_grouping *g);
void exchange_queue_close(struct exchange_queue *q);

#endif
