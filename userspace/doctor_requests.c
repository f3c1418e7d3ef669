// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether requests are seen here: one of our own, from ourselves to ourselves. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bpf/wire_request.h"
#include "userspace/counter.h"
#include "userspace/doctor.h"
#include "userspace/kernel.h"
#include "userspace/request_config.h"
#include "userspace/serving.h"

static const char question[] = "GET /doctor HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";

static int say(int from, int to, const char *text)
{
	ssize_t length = strlen(text);
	char heard[256];

	return send(from, text, length, 0) == length && recv(to, heard, sizeof(heard), 0) == length
		       ? 0
		       : -EIO;
}

/* Both ends of a connection to a name that the kernel makes up. */
static int connection_make(int ends[2])
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa_family_t), size = sizeof(name);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	ends[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ends[1] = -1;
	if (bind(listener, (struct sockaddr *)&name, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&name, &size) ||
	    connect(ends[0], (struct sockaddr *)&name, size))
		err = -errno;
	if (!err)
		ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!err && ends[1] < 0)
		err = -errno;
	close(listener);
	return err;
}

static int request_make(void)
{
	int ends[2], err = connection_make(ends);
	struct pollfd wait = {.fd = ends[1], .events = POLLIN};

	if (!err)
		err = say(ends[0], ends[1], question);
	if (!err)
		err = say(ends[1], ends[0], answer);
	/* What its thread does after the answer is the request's, until it sleeps. */
	poll(&wait, 1, 1);
	close(ends[0]);
	close(ends[1]);
	return err;
}

static int on_event(void *arg, void *data, size_t size)
{
	const struct wire_request *r = data;
	bool *seen = arg;

	*seen |= r->head.kind == WIRE_EVENT_REQUEST && r->head.tgid == (uint32_t)getpid() &&
		 r->status == 204;
	return 0;
}

/* -ENODATA: it was not seen. */
static int request_try(struct serving *s)
{
	struct ring_buffer *ring;
	bool seen = false;
	int err = serving_follow(s, getpid(), NULL);

	if (err)
		return err;
	ring = ring_buffer__new(serving_events_fd(s), on_event, &seen, NULL);
	if (!ring)
		return -errno;
	err = request_make();
	serving_unfollow(s, getpid());
	serving_pass(s);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return err ? err : seen ? 0 : -ENODATA;
}

static const char *closes_text(enum closes closes)
{
	switch (closes) {
	case CLOSES_BY_CALLS:
		return "by system calls";
	case CLOSES_BY_SOCKETS:
		return "by sockets, and when they are closed";
	case CLOSES_BY_TCP:
		break;
	}
	return "by sockets; of Unix ones it is not told at once that they are closed, as this "
	       "kernel has us trace no function of its own (fentry/sock_close)";
}

void doctor_requests(struct doctor *d)
{
	struct serving_options o = {.counter = d->counter};
	struct request_config config;
	struct serving *s = NULL;
	const char *told = "";
	char why[512] = "";
	int err;

	if (!d->counter)
		return;
	err = request_config_init(&config);
	if (!err)
		err = request_config_finish(&config, why, sizeof(why));
	o.config = &config;
	if (!err)
		err = serving_open(&o, &s, why, sizeof(why));
	if (!err) {
		err = request_try(s);
		snprintf(why, sizeof(why), "the programs load, but a request of our own was not seen: %s",
			 strerror(-err));
	}
	if (s)
		told = closes_text(serving_closes(s));
	serving_close(s);
	request_config_clear(&config);
	if (err)
		checkup_add(&d->checkup, CHECK_WARN, "requests",
			    "PYCOST_DEBUG=1 pycost doctor shows what the kernel said; all but --requests "
			    "works without",
			    "%s", why);
	else
		checkup_add(&d->checkup, CHECK_OK, "requests", NULL,
			    "can be seen: one of our own was, %s", told);
}
