// SPDX-License-Identifier: GPL-2.0-or-later
/* The loop over all connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/client.h"

#define EVENTS 256
#define NS 1000000000ull
#define RETRY_NS 2000000ull /* after a connection that could not be had */

struct load {
	const struct load_options *o;
	struct client *clients;
	struct client **sleepers;
	unsigned sleeping;
	int epoll;
	struct dice dice;
	uint64_t begun, now, heard; /* ns; heard: of any server, last */
	uint64_t started, numbered; /* requests; those begun, whatever became of them */
	bool dead; /* nobody has answered for too long */
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static void sleep_until(struct load *l, struct client *c, uint64_t wake)
{
	if (!c->sleeper) {
		l->sleepers[l->sleeping++] = c;
		c->sleeper = l->sleeping;
	}
	c->wake = wake;
}

static void wake_up(struct load *l, struct client *c)
{
	struct client *last = l->sleepers[--l->sleeping];

	l->sleepers[c->sleeper - 1] = last;
	last->sleeper = c->sleeper;
	c->sleeper = 0;
}

static void watch(struct load *l, struct client *c, bool anew)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (c->wants_out || c->connecting)
		event.events |= EPOLLOUT;
	epoll_ctl(l->epoll, anew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &event);
}

/* -errno, or the connecting socket. */
static int connect_to(const char *server)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon = strrchr(server, ':');
	char host[64];
	int fd, one = 1, err;

	fd = socket(*server == '/' ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (*server == '/') {
		strncpy(path.sun_path, server, sizeof(path.sun_path) - 1);
		err = connect(fd, (struct sockaddr *)&path, sizeof(path));
	} else {
		snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - server) : 0, server);
		if (colon)
			inet_pton(AF_INET, host, &address.sin_addr);
		address.sin_port = htons(atoi(colon ? colon + 1 : server));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		err = connect(fd, (struct sockaddr *)&address, sizeof(address));
	}
	if (err && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static bool may_begin(const struct load *l)
{
	return l->started < l->o->requests && !l->dead &&
	       (!l->o->seconds || l->now - l->begun < l->o->seconds * NS);
}

static void fill(struct load *l, struct client *c)
{
	const struct load_options *o = l->o;
	char id[LOAD_ID_MAX];

	while (client_may_add(c, o) && may_begin(l)) {
		const struct kind *k = c->next ? c->next : mix_pick(o->mix, &l->dice);

		c->next = k;
		if (o->rate && l->started >= o->rate * (l->now - l->begun) / NS) {
			if (!c->count)
				sleep_until(l, c, l->begun + (uint64_t)((l->started + 1) / o->rate * NS));
			return;
		}
		/* It has to wait until the others are answered. */
		if ((k->abort || k->expect || k->trickle_ms) && c->count)
			return;
		snprintf(id, sizeof(id), "%s%llx", o->prefix, (unsigned long long)++l->numbered);
		client_add(c, o, k, id, &l->dice, l->now);
		l->started++;
		c->next = NULL;
	}
}

static void reconnect(struct load *l, struct client *c);

static void settle(struct load *l, struct client *c, enum client_end end)
{
	bool wanted = c->wants_out;

	if (end == CLIENT_LIVES) {
		fill(l, c);
		if (!c->wake && (c->written < c->out.length || c->wants_out))
			end = client_write(c, &l->dice, l->now);
	}
	if (end != CLIENT_LIVES) {
		l->started -= client_close(c, l->o->tally, end == CLIENT_ABORTS, &l->dice);
		reconnect(l, c);
		return;
	}
	if (wanted != c->wants_out)
		watch(l, c, false);
	if (c->wake)
		sleep_until(l, c, c->wake);
}

static void reconnect(struct load *l, struct client *c)
{
	const struct load_options *o = l->o;

	if (c->sleeper)
		wake_up(l, c);
	client_open(c);
	if (!may_begin(l))
		return;
	c->fd = connect_to(o->servers[(c - l->clients) % o->server_count]);
	if (c->fd < 0) {
		c->fd = -1;
		tally_refused(o->tally);
		sleep_until(l, c, l->now + RETRY_NS);
		return;
	}
	c->connecting = true;
	watch(l, c, true);
}

static void connected(struct load *l, struct client *c)
{
	socklen_t size = sizeof(int);
	int err = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &size);
	c->connecting = false;
	if (err) {
		tally_refused(l->o->tally);
		client_close(c, l->o->tally, false, &l->dice);
		sleep_until(l, c, l->now + RETRY_NS);
		return;
	}
	settle(l, c, CLIENT_LIVES);
	if (c->fd >= 0 && !c->connecting)
		watch(l, c, false);
}

static void handle(struct load *l, struct client *c, uint32_t events)
{
	enum client_end end = CLIENT_LIVES;

	if (c->fd < 0)
		return;
	if (c->connecting) {
		connected(l, c);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		l->heard = l->now;
		end = client_read(c, l->o->tally, l->now);
		if (c->sleeper && !c->wake)
			wake_up(l, c);
	}
	if (end == CLIENT_LIVES && events & EPOLLOUT && !c->wake)
		end = client_write(c, &l->dice, l->now);
	settle(l, c, end);
}

static void rouse(struct load *l)
{
	for (unsigned i = 0; i < l->sleeping; i++) {
		struct client *c = l->sleepers[i];
		enum client_end end = CLIENT_LIVES;

		if (c->wake > l->now)
			continue;
		wake_up(l, c);
		i--;
		if (c->fd < 0) {
			reconnect(l, c);
			continue;
		}
		if (c->count)
			end = client_write(c, &l->dice, l->now); /* it sees that it slept */
		if (end == CLIENT_LIVES && c->wake <= l->now)
			c->wake = 0;
		settle(l, c, end);
	}
}

static void lose_patience(struct load *l)
{
	uint64_t patience = l->o->patience * NS;

	for (unsigned i = 0; i < l->o->connections; i++) {
		struct client *c = &l->clients[i];

		if (c->count && l->now - c->queue[c->first].begun > patience)
			settle(l, c, CLIENT_ENDED);
	}
	if (l->now - l->heard > patience)
		l->dead = true;
}

static bool is_busy(const struct load *l)
{
	for (unsigned i = 0; i < l->o->connections; i++)
		if (l->clients[i].count)
			return true;
	return false;
}

static int timeout_ms(const struct load *l)
{
	uint64_t first = l->now + 100000000;

	for (unsigned i = 0; i < l->sleeping; i++)
		if (l->sleepers[i]->wake < first)
			first = l->sleepers[i]->wake;
	return first > l->now ? (first - l->now + 999999) / 1000000 : 0;
}

/*
 * No more may begin: who has nothing under way goes. A server with one thread would wait
 * for his request, and the others for it.
 */
static void dismiss(struct load *l)
{
	for (unsigned i = 0; i < l->o->connections; i++) {
		struct client *c = &l->clients[i];

		if (c->count)
			continue;
		if (c->sleeper)
			wake_up(l, c);
		client_close(c, l->o->tally, false, &l->dice);
		c->connecting = false;
	}
}

static void loop(struct load *l)
{
	uint64_t looked = l->now;

	while (may_begin(l) || is_busy(l)) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(l->epoll, events, EVENTS, timeout_ms(l));

		l->now = clock_ns();
		for (int i = 0; i < n; i++)
			handle(l, events[i].data.ptr, events[i].events);
		rouse(l);
		if (!may_begin(l))
			dismiss(l);
		if (l->now - looked > NS) {
			looked = l->now;
			lose_patience(l);
		}
	}
}

int load_run(const struct load_options *o, double *seconds)
{
	struct load l = {.o = o, .dice = {o->seed}};

	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.clients = calloc(o->connections, sizeof(*l.clients));
	l.sleepers = calloc(o->connections, sizeof(*l.sleepers));
	if (l.epoll < 0 || !l.clients || !l.sleepers)
		abort();
	l.begun = l.now = l.heard = clock_ns();
	for (unsigned i = 0; i < o->connections; i++) {
		l.clients[i].fd = -1;
		reconnect(&l, &l.clients[i]);
	}
	loop(&l);
	*seconds = (clock_ns() - l.begun) / (double)NS;
	for (unsigned i = 0; i < o->connections; i++) {
		client_close(&l.clients[i], o->tally, false, &l.dice);
		bytes_free(&l.clients[i].out);
	}
	close(l.epoll);
	free(l.clients);
	free(l.sleepers);
	return l.dead ? -ETIMEDOUT : 0;
}
