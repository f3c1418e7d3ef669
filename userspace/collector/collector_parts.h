/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the collector share; private to them. */
#ifndef PYCOST_COLLECTOR_PARTS_H
#define PYCOST_COLLECTOR_PARTS_H

#include <microhttpd.h>
#include <pthread.h>

#include "userspace/collector/access.h"
#include "userspace/collector/asking.h"
#include "userspace/collector/collector.h"
#include "userspace/collector/exchange.h"
#include "userspace/collector/otlp.h"
#include "userspace/collector/sender_rate.h"
#include "userspace/collector/serve_config.h"
#include "userspace/collector/serve_metrics.h"
#include "userspace/collector/visitor.h"
#include "userspace/store/store.h"

#define UNPACKERS_MAX 64

struct collector {
	const struct serve_config *config;
	struct store *store;
	struct MHD_Daemon *daemon;
	int listener;
	uint16_t port;
	bool tls;
	uint64_t started_s;
	struct serve_metrics metrics;
	struct visitors visitors;
	struct sender_rates *rates;

	pthread_rwlock_t access_lock;
	struct access *access;

	struct exchange_queue unpacking, grouping;
	pthread_t unpackers[UNPACKERS_MAX], grouper;
	unsigned unpacker_count;
	bool has_grouper;
	struct asking *asking;
	struct otlp *otlp;

	pthread_t keeper; /* of maintenance */
	bool has_keeper, keeper_stop;
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_wake;

	/* Atomics. */
	bool draining;
	uint64_t exchanges; /* under way */
	uint64_t writing_since_ns; /* 0: no write is under way */
	uint64_t failed_ns; /* when the store failed last; 0: never */
	/* Of the store, as it was last asked. */
	pthread_mutex_t status_lock;
	struct store_status status;
};

static inline bool collector_is_draining(const struct collector *c)
{
	return __atomic_load_n(&c->draining, __ATOMIC_SEQ_CST);
}
/* Whether the store took what it was given lately. */
bool collector_is_ready(const struct collector *c);
void collector_failed(struct collector *c);

/* door.c: what microhttpd calls; cls is the collector. */
enum MHD_Result door_request(void *cls, struct MHD_Connection *connection, const char *url,
			     const char *method, const char *version, const char *data, size_t *size,
			     void **con_cls);
void door_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		    enum MHD_RequestTerminationCode toe);
void door_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
		     enum MHD_ConnectionNotificationCode toe);

/* intake.c: threads; arg is the collector. */
void *intake_unpack(void *arg);
void *intake_group(void *arg);

#endif
