/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/census.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define LOOKS 2

struct seen {
	pid_t pid;
	dev_t dev;
	ino_t inode; /* of its executable */
	unsigned looks, round;
	UT_hash_handle hh;
};

struct census {
	struct seen *processes;
	unsigned round;
};

int census_new(struct census **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void census_free(struct census *c)
{
	struct seen *p, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->processes, p, next)
	{
		HASH_DEL(c->processes, p);
		free(p);
	}
	free(c);
}

static struct seen *seen_at(struct census *c, pid_t pid)
{
	struct seen *p;

	HASH_FIND_INT(c->processes, &pid, p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->pid = pid;
	HASH_ADD_INT(c->processes, pid, p);
	return p;
}

/* Is it to be looked at? */
static bool is_news(struct census *c, pid_t pid)
{
	char path[64];
	struct seen *p;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st)) /* the kernel's own, or not ours to see */
		return false;
	p = seen_at(c, pid);
	if (!p)
		return false;
	p->round = c->round;
	if (p->dev != st.st_dev || p->inode != st.st_ino)
		p->looks = 0;
	p->dev = st.st_dev;
	p->inode = st.st_ino;
	if (p->looks >= LOOKS)
		return false;
	p->looks++;
	return true;
}

int census_take(struct census *c, void (*found)(void *arg, pid_t pid), void *arg)
{
	DIR *proc = opendir("/proc");
	struct seen *p, *next;
	struct dirent *e;

	if (!proc)
		return -errno;
	c->round++;
	while ((e = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)*e->d_name) ? atoi(e->d_name) : 0;

		if (pid && pid != getpid() && is_news(c, pid))
			found(arg, pid);
	}
	closedir(proc);
	HASH_ITER(hh, c->processes, p, next)
	{
		if (p->round == c->round)
			continue;
		HASH_DEL(c->processes, p);
		free(p);
	}
	return 0;
}
