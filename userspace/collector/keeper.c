/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/keeper.h"

#include <time.h>

#include "userspace/clock.h"
#include "userspace/collector/collector_parts.h"
#include "userspace/fleet/daemon_log.h"

#define ROUND_S 60

void keeper_init(struct collector *c)
{
	pthread_mutex_init(&c->keeper_lock, NULL);
	clock_cond_init(&c->keeper_wake);
}

void keeper_free(struct collector *c)
{
	pthread_cond_destroy(&c->keeper_wake);
	pthread_mutex_destroy(&c->keeper_lock);
}

static void look_at_store(struct collector *c)
{
	struct store_status status;
	char why[512];

	if (store_status(c->store, &status, why, sizeof(why)))
		return; /* as it was */
	pthread_mutex_lock(&c->status_lock);
	c->status = status;
	pthread_mutex_unlock(&c->status_lock);
}

static void round_of(struct collector *c)
{
	char why[512] = "", reason[LOG_VALUE_SIZE];
	int err = store_maintain(c->store, time(NULL), why, sizeof(why));

	if (err) {
		metrics_count(&c->metrics, COUNT_MAINTAIN_ERRORS, 1);
		daemon_log_some(LOG_ERR, "maintain_failed", "error=%d reason=%s", -err,
			       daemon_log_value(reason, why));
	}
	look_at_store(c);
}

/* False: the end. */
static bool sleep_a_round(struct collector *c)
{
	struct timespec until = clock_in_ms(ROUND_S * 1000);
	bool stop;

	pthread_mutex_lock(&c->keeper_lock);
	while (!c->keeper_stop && !pthread_cond_timedwait(&c->keeper_wake, &c->keeper_lock, &until))
		;
	stop = c->keeper_stop;
	pthread_mutex_unlock(&c->keeper_lock);
	return !stop;
}

static void *keep(void *arg)
{
	struct collector *c = arg;

	do
		round_of(c);
	while (sleep_a_round(c));
	return NULL;
}

int keeper_start(struct collector *c)
{
	int err;

	look_at_store(c);
	err = -pthread_create(&c->keeper, NULL, keep, c);
	c->has_keeper = !err;
	return err;
}

void keeper_stop(struct collector *c)
{
	pthread_mutex_lock(&c->keeper_lock);
	c->keeper_stop = true;
	pthread_cond_signal(&c->keeper_wake);
	pthread_mutex_unlock(&c->keeper_lock);
	if (c->has_keeper)
		pthread_join(c->keeper, NULL);
	c->has_keeper = false;
}
