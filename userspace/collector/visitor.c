/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/collector/visitor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void visitors_init(struct visitors *v)
{
	pthread_mutex_init(&v->lock, NULL);
	v->first = NULL;
}

void visitors_free(struct visitors *v)
{
	pthread_mutex_destroy(&v->lock);
}

static void write_address(const struct sockaddr *address, char *buf, size_t size)
{
	const void *bytes = NULL;

	strcpy(buf, "?");
	if (address && address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)address)->sin_addr;
	if (address && address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)address)->sin6_addr;
	if (bytes)
		inet_ntop(address->sa_family, bytes, buf, size);
}

struct visitor *visitor_add(struct visitors *all, int fd, const struct sockaddr *address,
			    uint64_t deadline_ns)
{
	struct visitor *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->fd = fd;
	v->deadline_ns = deadline_ns;
	write_address(address, v->address, sizeof(v->address));
	pthread_mutex_lock(&all->lock);
	v->next = all->first;
	v->link = &all->first;
	if (v->next)
		v->next->link = &v->next;
	all->first = v;
	pthread_mutex_unlock(&all->lock);
	return v;
}

void visitor_remove(struct visitors *all, struct visitor *v)
{
	pthread_mutex_lock(&all->lock);
	*v->link = v->next;
	if (v->next)
		v->next->link = v->link;
	pthread_mutex_unlock(&all->lock);
	free(v->names);
	free(v);
}

void visitor_until(struct visitors *all, struct visitor *v, uint64_t deadline_ns)
{
	pthread_mutex_lock(&all->lock);
	v->deadline_ns = deadline_ns;
	pthread_mutex_unlock(&all->lock);
}

size_t visitors_cut(struct visitors *all, uint64_t now_ns)
{
	size_t n = 0;

	pthread_mutex_lock(&all->lock);
	for (struct visitor *v = all->first; v; v = v->next)
		if (v->deadline_ns && v->deadline_ns < now_ns && !v->cut) {
			/* Its thread finds the end of the connection, and closes it. */
			shutdown(v->fd, SHUT_RDWR);
			v->cut = true;
			n++;
		}
	pthread_mutex_unlock(&all->lock);
	return n;
}
