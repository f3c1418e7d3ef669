/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/served_cpu.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct clocked {
	uint32_t pid;
	uint32_t look; /* when it was last there */
	uint64_t ns;
	UT_hash_handle hh;
};

struct served_cpu {
	int map;
	uint32_t look;
	struct clocked *processes;
};

int served_cpu_new(int map, struct served_cpu **ret)
{
	struct served_cpu *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->map = map;
	*ret = c;
	return 0;
}

static void drop(struct served_cpu *c, struct clocked *p)
{
	HASH_DEL(c->processes, p);
	free(p);
}

void served_cpu_free(struct served_cpu *c)
{
	struct clocked *p, *next;

	if (!c)
		return;
	HASH_ITER(hh, c->processes, p, next)
		drop(c, p);
	free(c);
}

uint64_t process_cpu_ns(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* What it has taken since it was last looked at: nothing when that is the first time. */
static uint64_t clocked_look(struct served_cpu *c, uint32_t pid)
{
	uint64_t now = process_cpu_ns(pid), took = 0;
	struct clocked *p;

	HASH_FIND_INT(c->processes, &pid, p);
	if (!now)
		return 0;
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return 0;
		p->pid = pid;
		HASH_ADD_INT(c->processes, pid, p);
		if (!p->hh.tbl) {
			free(p);
			return 0;
		}
	} else if (now > p->ns) {
		took = now - p->ns;
	}
	p->ns = now;
	p->look = c->look;
	return took;
}

uint64_t served_cpu_look(struct served_cpu *c)
{
	struct clocked *p, *next;
	uint32_t key, after;
	uint64_t sum = 0;
	int err = bpf_map_get_next_key(c->map, NULL, &key);

	c->look++;
	while (!err) {
		sum += clocked_look(c, key);
		err = bpf_map_get_next_key(c->map, &key, &after);
		key = after;
	}
	HASH_ITER(hh, c->processes, p, next)
		if (p->look != c->look)
			drop(c, p);
	return sum;
}
