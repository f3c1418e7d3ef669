// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/load/client.h"

#define TRICKLE_BYTES 32
#define CONTINUE_NS 1000000000ull /* after this the body is sent unasked */
#define KEPT_BYTES 65536
#define MS_NS 1000000ull

static struct pending *pending_at(struct client *c, unsigned i)
{
	return &c->queue[(c->first + i) % LOAD_DEPTH_MAX];
}

void client_open(struct client *c)
{
	c->out.length = c->written = 0;
	c->limit = SIZE_MAX;
	c->first = c->count = c->made = 0;
	c->whole = c->alone = c->wants_out = false;
	c->wake = 0;
}

bool client_may_add(const struct client *c, const struct load_options *o)
{
	return !c->whole && !c->alone && c->count < o->depth && !c->wake;
}

static bool is_special(const struct kind *k)
{
	return k->expect || k->trickle_ms || k->abort;
}

/* How far it is sent before something else is to happen. */
static size_t limit_of(const struct kind *k, const struct message *m, size_t from, struct dice *d)
{
	if (k->abort == ABORT_HEAD)
		return from + dice_between(d, 1, m->head - 1);
	if (k->abort == ABORT_BODY && m->length > m->head + 1)
		return from + dice_between(d, m->head + 1, m->length - 1);
	if (k->expect)
		return from + m->head;
	return SIZE_MAX;
}

/* What was answered need not be kept. */
static void forget(struct client *c)
{
	size_t old = c->count ? pending_at(c, 0)->from : c->out.length;

	if (old > c->written || (c->count && old < KEPT_BYTES))
		return;
	memmove(c->out.data, c->out.data + old, c->out.length - old);
	c->out.length -= old;
	c->written -= old;
	for (unsigned i = 0; i < c->count; i++) {
		pending_at(c, i)->from -= old;
		pending_at(c, i)->to -= old;
	}
}

void client_add(struct client *c, const struct load_options *o, const struct kind *k,
		const char *id, struct dice *d, uint64_t now)
{
	struct pending *p;
	struct message m;

	if (c->out.length)
		forget(c);
	p = pending_at(c, c->count);
	p->kind = k;
	strcpy(p->id, id);
	p->from = c->out.length;
	message_make(&m, &c->out, k, id, o->uwsgi, d);
	p->to = c->out.length;
	strcpy(p->path, m.path);
	p->begun = now;
	if (!c->count)
		answer_begin(&c->answer, !strcmp(k->method, "HEAD"));
	c->count++;
	c->made++;
	c->alone = is_special(k);
	c->limit = limit_of(k, &m, p->from, d);
	c->whole = k->close || o->uwsgi || (o->per_connection && c->made >= o->per_connection);
}

/* All that may be sent was: what now? */
static enum client_end at_limit(struct client *c, struct dice *d, uint64_t now)
{
	const struct kind *k;

	if (!c->alone || !c->count)
		return CLIENT_LIVES;
	k = pending_at(c, 0)->kind;
	if (k->abort == ABORT_HEAD || k->abort == ABORT_BODY)
		return CLIENT_ABORTS;
	if (k->abort == ABORT_SENT && c->written == c->out.length) {
		if (c->wake)
			return CLIENT_ABORTS;
		c->wake = now + dice_between(d, 0, 3 * MS_NS) + 1;
	} else if (k->expect && c->written < c->out.length) {
		if (c->wake)
			c->limit = SIZE_MAX;
		else
			c->wake = now + CONTINUE_NS;
	}
	return CLIENT_LIVES;
}

enum client_end client_write(struct client *c, struct dice *d, uint64_t now)
{
	unsigned trickle = c->alone && c->count ? pending_at(c, 0)->kind->trickle_ms : 0;

	c->wants_out = false;
	for (;;) {
		size_t end = c->out.length < c->limit ? c->out.length : c->limit;
		ssize_t sent;

		if (c->written >= end)
			break;
		if (trickle && end - c->written > TRICKLE_BYTES)
			end = c->written + dice_between(d, 1, TRICKLE_BYTES);
		sent = send(c->fd, c->out.data + c->written, end - c->written, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN) {
			c->wants_out = true;
			return CLIENT_LIVES;
		}
		if (sent < 0)
			return CLIENT_ENDED;
		c->written += sent;
		if (trickle && c->written < c->out.length) {
			c->wake = now + dice_between(d, 1, 2 * trickle * MS_NS);
			return CLIENT_LIVES;
		}
	}
	return at_limit(c, d, now);
}

/* The first pending is answered. */
static void finish(struct client *c, struct tally *t, uint64_t now)
{
	struct pending *p = pending_at(c, 0);

	if (!c->answer.has_id)
		tally_unnamed(t);
	else if (strcmp(c->answer.id, p->id))
		tally_mixed(t);
	/* A body that was not asked for stays unsent; the connection is of no use then. */
	if (c->answer.close || c->written < p->to)
		c->whole = true;
	tally_add(t, p->kind, p->id, p->path, c->answer.status, OUTCOME_ANSWERED, now - p->begun);
	c->first = (c->first + 1) % LOAD_DEPTH_MAX;
	c->count--;
	c->alone = false;
	c->limit = SIZE_MAX;
	c->wake = 0;
	if (c->count)
		answer_begin(&c->answer, !strcmp(pending_at(c, 0)->kind->method, "HEAD"));
}

static enum client_end take(struct client *c, struct tally *t, const char *data, size_t length,
			    uint64_t now)
{
	while (length) {
		bool ends;
		size_t taken;

		if (!c->count) {
			tally_garbled(t);
			return CLIENT_ENDED;
		}
		if (pending_at(c, 0)->kind->abort == ABORT_ANSWER)
			return CLIENT_ABORTS;
		taken = answer_take(&c->answer, data, length);
		data += taken;
		length -= taken;
		if (c->answer.continues && c->limit != SIZE_MAX) {
			c->limit = SIZE_MAX;
			c->wake = 0;
			c->wants_out = true;
		}
		if (c->answer.state == ANSWER_GARBLED) {
			tally_garbled(t);
			return CLIENT_ENDED;
		}
		if (c->answer.state != ANSWER_DONE)
			continue;
		ends = c->answer.close;
		finish(c, t, now);
		if (ends)
			return CLIENT_ENDED;
	}
	return c->whole && !c->count ? CLIENT_ENDED : CLIENT_LIVES;
}

enum client_end client_read(struct client *c, struct tally *t, uint64_t now)
{
	static char data[1 << 18];
	enum client_end end = CLIENT_LIVES;

	while (end == CLIENT_LIVES) {
		ssize_t got = recv(c->fd, data, sizeof(data), 0);

		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			if (!got && c->count) {
				answer_end(&c->answer);
				if (c->answer.state == ANSWER_DONE)
					finish(c, t, now);
			}
			return CLIENT_ENDED;
		}
		end = take(c, t, data, got, now);
		if ((size_t)got < sizeof(data))
			break;
	}
	return end;
}

unsigned client_close(struct client *c, struct tally *t, bool aborted, struct dice *d)
{
	unsigned unsent = 0;

	for (; c->count; c->count--, c->first = (c->first + 1) % LOAD_DEPTH_MAX) {
		struct pending *p = pending_at(c, 0);

		if (p->from >= c->written)
			unsent++;
		else
			tally_add(t, p->kind, p->id, p->path, c->answer.status,
				  aborted ? OUTCOME_ABORTED : OUTCOME_CUT, 0);
		c->answer.status = 0;
	}
	if (c->fd >= 0) {
		struct linger now = {.l_onoff = 1};

		if (aborted && dice_roll(d) % 2)
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(c->fd);
	}
	c->fd = -1;
	client_open(c);
	return unsent;
}
