/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/cgroup.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONTAINER_DIGITS (CGROUP_CONTAINER_SIZE - 1)
#define POD_LENGTH (CGROUP_POD_SIZE - 1)
#define RANK_NONE 4

struct line {
	int rank; /* the lower, the better its path */
	const char *path, *end;
};

/* What follows it; NULL: that was the last. */
static const char *line_next(const char *at, struct line *ret)
{
	const char *end = at + strcspn(at, "\n");
	const char *controllers = memchr(at, ':', end - at);
	const char *path = controllers ? memchr(controllers + 1, ':', end - controllers - 1) : NULL;
	size_t size = path ? path - controllers - 1 : 0;

	*ret = (struct line){RANK_NONE, end, end};
	if (path) {
		ret->path = path + 1;
		controllers++;
		ret->rank = !size							  ? 0
			    : size == 12 && !strncmp(controllers, "name=systemd", size)	  ? 1
			    : memmem(controllers, size, "memory", strlen("memory")) != NULL ? 2
											  : 3;
	}
	return *end ? end + 1 : NULL;
}

/* The first run of exactly so many digits. */
static void container_find(const struct line *l, char ret[CGROUP_CONTAINER_SIZE])
{
	for (const char *at = l->path; at < l->end; at++) {
		size_t n = 0;

		while (at + n < l->end && isxdigit((unsigned char)at[n]))
			n++;
		if (n == CONTAINER_DIGITS) {
			snprintf(ret, CGROUP_CONTAINER_SIZE, "%.*s", CONTAINER_DIGITS, at);
			return;
		}
		at += n;
	}
}

static bool is_uuid(const char *at, const char *end)
{
	for (int i = 0; i < POD_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (at + i >= end || (dash ? at[i] != '-' && at[i] != '_' : !isxdigit((unsigned char)at[i])))
			return false;
	}
	return at + POD_LENGTH == end || !isxdigit((unsigned char)at[POD_LENGTH]);
}

static void pod_find(const struct line *l, char ret[CGROUP_POD_SIZE])
{
	for (const char *at = l->path; at + 3 < l->end; at++)
		if (!strncmp(at, "pod", 3) && is_uuid(at + 3, l->end)) {
			for (int i = 0; i < POD_LENGTH; i++)
				ret[i] = at[3 + i] == '_' ? '-' : at[3 + i];
			ret[POD_LENGTH] = 0;
			return;
		}
}

void cgroup_parse(const char *text, struct cgroup *ret)
{
	int rank = RANK_NONE;
	struct line l;

	*ret = (struct cgroup){0};
	while (text) {
		text = line_next(text, &l);
		if (l.rank < rank && l.end - l.path > 1) {
			rank = l.rank;
			snprintf(ret->path, sizeof(ret->path), "%.*s", (int)(l.end - l.path), l.path);
		}
		if (!*ret->container)
			container_find(&l, ret->container);
		if (!*ret->pod)
			pod_find(&l, ret->pod);
	}
}
