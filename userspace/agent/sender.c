/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/sender.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "userspace/agent/agent_config.h"
#include "userspace/agent/spool.h"
#include "userspace/clock.h"
#include "userspace/fleet/daemon_log.h"
#include "userspace/fleet/post.h"
#include "userspace/fleet/web.h"

#define IDLE_MS 5000
#define FIRST_MS 1000
#define LAST_MS 60000
#define REFUSED_FIRST_MS 60000 /* somebody has to give it a right first */
#define REFUSED_LAST_MS 300000
#define ASKED_MOST_MS 3600000 /* that a collector may ask us to wait */
#define AHEAD_S 600
#define TELL_NS (600ull * 1000000000) /* how often what lasts is told again */

/* What an attempt is made by. */
struct where {
	char collector[AGENT_TEXT_MAX], token_file[AGENT_TEXT_MAX], ca[AGENT_TEXT_MAX],
		certificate[AGENT_TEXT_MAX], key[AGENT_TEXT_MAX];
	unsigned timeout_s;
};

struct sender {
	struct spool *spool;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct where where;
	struct post *post, *next; /* next: to be taken before the next attempt */
	bool stopping; /* also atomic: between batches it is looked at without the mutex */
	uint64_t stop_at; /* ns */
	bool changed;	  /* the configuration: no use in waiting */
	struct sender_status status;
	/* of the thread alone */
	unsigned failures; /* in a row */
	uint64_t behind;   /* batches in a row that were put behind the others */
	uint64_t told;	   /* ns */
};

/* From half of it to all of it: hosts that failed together do not come back together. */
static unsigned jittered(unsigned ms)
{
	uint32_t dice = 0;

	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
		dice = clock_ns();
	return ms / 2 + (uint64_t)dice * (ms - ms / 2) / UINT32_MAX;
}

static unsigned backoff_ms(unsigned failures, unsigned first, unsigned last)
{
	unsigned ms = first;

	while (--failures && ms < last)
		ms *= 2;
	return ms < last ? ms : last;
}

/* False: it is time to end. */
static bool pause_for(struct sender *s, unsigned ms)
{
	struct timespec until = clock_in_ms(ms);
	bool go_on;

	pthread_mutex_lock(&s->mutex);
	s->status.next_s = time(NULL) + ms / 1e3;
	while (!s->stopping && !s->changed)
		if (pthread_cond_timedwait(&s->wake, &s->mutex, &until))
			break;
	s->status.next_s = 0;
	s->changed = false;
	go_on = !s->stopping;
	pthread_mutex_unlock(&s->mutex);
	return go_on;
}

/* What is the same as before is told now and then only. */
static void trouble_tell(struct sender *s, const struct post_answer *a, unsigned wait_ms)
{
	bool refused = a->outcome == POST_REFUSED, news;
	uint64_t now = clock_ns();
	char value[LOG_VALUE_SIZE];

	pthread_mutex_lock(&s->mutex);
	news = strcmp(s->status.trouble, a->text);
	snprintf(s->status.trouble, sizeof(s->status.trouble), "%s", a->text);
	s->status.failures++;
	s->status.refusals += refused;
	pthread_mutex_unlock(&s->mutex);
	if (!news && s->told && now - s->told < TELL_NS)
		return;
	s->told = now;
	daemon_log(refused ? LOG_ERR : LOG_WARNING, refused ? "send_refused" : "send_failed",
		  "why=%s retry_s=%.0f%s", daemon_log_value(value, a->text), wait_ms / 1e3,
		  refused ? " mend=\"give the token-file a token that may push for this service\"" : "");
}

static void success_note(struct sender *s, const struct spool_batch *b, bool duplicate)
{
	bool better;

	pthread_mutex_lock(&s->mutex);
	better = *s->status.trouble;
	*s->status.trouble = 0;
	s->status.bytes += b->size;
	s->status.late += duplicate;
	s->status.last_sent_s = time(NULL);
	pthread_mutex_unlock(&s->mutex);
	if (better)
		daemon_log(LOG_NOTICE, "send_works_again", "after_attempts=%u", s->failures + 1);
	s->failures = 0;
}

static void aside(struct sender *s, const struct spool_batch *b, const struct post_answer *a)
{
	char value[LOG_VALUE_SIZE];
	bool expired = a->outcome == POST_EXPIRED;

	spool_done(s->spool, b, expired ? SPOOL_EXPIRED : SPOOL_POISON, a->text);
	s->failures = 0;
	daemon_log_some(LOG_ERR, expired ? "batch_expired" : "batch_poison", "minute=%llu bytes=%zu why=%s",
		       (unsigned long long)b->begin_s, b->size, daemon_log_value(value, a->text));
}

/*
 * A batch that was made by a clock that was ahead waits until its time has come: the others need
 * not. False: there are no others that have not been tried.
 */
static bool put_behind(struct sender *s, const struct spool_batch *b)
{
	struct spool_status waiting;

	spool_status(s->spool, &waiting);
	/* If it is not of the future by our own clock, it is ours that is wrong. */
	if (b->begin_s < (uint64_t)time(NULL) + AHEAD_S || s->behind + 1 >= waiting.batches ||
	    !spool_behind(s->spool, b)) {
		s->behind = 0;
		return false;
	}
	s->behind++;
	return true;
}

/* How long to wait before the next attempt; 0: none of that. */
static unsigned conclude(struct sender *s, const struct spool_batch *b, const struct post_answer *a)
{
	unsigned ms;

	switch (a->outcome) {
	case POST_STORED:
	case POST_DUPLICATE:
		spool_done(s->spool, b, SPOOL_SENT, NULL);
		s->behind = 0;
		success_note(s, b, a->outcome == POST_DUPLICATE);
		return 0;
	case POST_POISON:
	case POST_EXPIRED:
		aside(s, b, a);
		return 0;
	case POST_REFUSED:
		ms = jittered(backoff_ms(++s->failures, REFUSED_FIRST_MS, REFUSED_LAST_MS));
		break;
	default:
		if (a->status == POST_STATUS_CLOCK && put_behind(s, b))
			return 0;
		ms = jittered(backoff_ms(++s->failures, FIRST_MS, LAST_MS));
		if (a->status == POST_STATUS_CLOCK) {
			ms = jittered(LAST_MS); /* for what is made meanwhile */
		} else if (a->retry_s > 0) {
			double asked = a->retry_s * 1e3;

			/* Not earlier than asked for, nor all at once. */
			ms = (asked < ASKED_MOST_MS ? asked : ASKED_MOST_MS) + jittered(FIRST_MS);
		}
		break;
	}
	trouble_tell(s, a, ms);
	return ms;
}

/* Called amid an attempt. */
static bool time_is_up(void *arg)
{
	struct sender *s = arg;
	bool up;

	pthread_mutex_lock(&s->mutex);
	up = s->stopping && clock_ns() >= s->stop_at;
	pthread_mutex_unlock(&s->mutex);
	return up;
}

static int post_make(struct sender *s, const struct where *w, struct post **ret, char *text, size_t len)
{
	char token[POST_TOKEN_SIZE] = "";
	struct post_options o = {.url = w->collector, .token = *w->token_file ? token : NULL,
				 .ca = *w->ca ? w->ca : NULL,
				 .certificate = *w->certificate ? w->certificate : NULL,
				 .key = *w->key ? w->key : NULL, .timeout_s = w->timeout_s,
				 .stop = time_is_up, .arg = s};
	int err = *w->token_file ? web_token_read(w->token_file, token, sizeof(token), text, len) : 0;

	if (!err)
		err = post_open(&o, ret, text, len);
	explicit_bzero(token, sizeof(token));
	return err;
}

static void where_copy(struct where *to, const struct agent_config *c)
{
	memcpy(to->collector, c->collector, sizeof(to->collector));
	memcpy(to->token_file, c->token_file, sizeof(to->token_file));
	memcpy(to->ca, c->ca, sizeof(to->ca));
	memcpy(to->certificate, c->certificate, sizeof(to->certificate));
	memcpy(to->key, c->key, sizeof(to->key));
	to->timeout_s = c->timeout_s;
}

/* The token's file and the certificates may be others by now. */
static void post_again(struct sender *s)
{
	struct post *fresh;
	char why[512];

	pthread_mutex_lock(&s->mutex);
	if (!s->next && !post_make(s, &s->where, &fresh, why, sizeof(why)))
		s->next = fresh;
	pthread_mutex_unlock(&s->mutex);
}

static void post_renew(struct sender *s)
{
	pthread_mutex_lock(&s->mutex);
	if (s->next) {
		post_close(s->post);
		s->post = s->next;
		s->next = NULL;
	}
	s->status.attempts++;
	pthread_mutex_unlock(&s->mutex);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct post_answer answer;
	struct spool_batch b;
	unsigned wait_ms;

	while (!time_is_up(s)) {
		int err = spool_oldest(s->spool, &b);

		if (err == -ENOENT) {
			if (__atomic_load_n(&s->stopping, __ATOMIC_RELAXED))
				break;
			spool_wait(s->spool, IDLE_MS);
			continue;
		}
		if (err) {
			if (!pause_for(s, FIRST_MS))
				break;
			continue;
		}
		post_renew(s);
		post_batch(s->post, b.id, b.bytes, b.size, &answer);
		wait_ms = conclude(s, &b, &answer);
		free(b.bytes);
		if (answer.outcome == POST_REFUSED)
			post_again(s);
		if (wait_ms && !pause_for(s, wait_ms))
			break;
	}
	return NULL;
}

int sender_start(const struct agent_config *c, struct spool *spool, struct sender **ret, char *text,
		 size_t len)
{
	struct sender *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->spool = spool;
	where_copy(&s->where, c);
	err = post_make(s, &s->where, &s->post, text, len);
	if (err) {
		free(s);
		return err;
	}
	pthread_mutex_init(&s->mutex, NULL);
	clock_cond_init(&s->wake);
	err = -pthread_create(&s->thread, NULL, send_all, s);
	if (err) {
		snprintf(text, len, "cannot start a thread: %s", strerror(-err));
		post_close(s->post);
		free(s);
		return err;
	}
	*ret = s;
	return 0;
}

int sender_config(struct sender *s, const struct agent_config *c, char *text, size_t len)
{
	struct where *w = malloc(sizeof(*w));
	struct post *fresh = NULL;
	int err = w ? 0 : -ENOMEM;

	if (!err) {
		where_copy(w, c);
		err = post_make(s, w, &fresh, text, len);
	}
	if (err) {
		free(w);
		return err;
	}
	pthread_mutex_lock(&s->mutex);
	s->where = *w;
	free(w);
	post_close(s->next);
	s->next = fresh;
	s->changed = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	return 0;
}

void sender_stop(struct sender *s, int linger_ms)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->stop_at = clock_ns() + linger_ms * 1000000ull;
	__atomic_store_n(&s->stopping, true, __ATOMIC_RELAXED);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	spool_wake(s->spool);
	pthread_join(s->thread, NULL);
	post_close(s->post);
	post_close(s->next);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void sender_status(struct sender *s, struct sender_status *ret)
{
	pthread_mutex_lock(&s->mutex);
	*ret = s->status;
	pthread_mutex_unlock(&s->mutex);
}
