/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/roster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <xxhash.h>

#include "userspace/agent/agent_config.h"
#include "userspace/agent/process_facts.h"
#include "userspace/agent/rule.h"
#include "userspace/census.h"

/* Tags that some processes have in common. */
struct tag_share {
	uint64_t hash;
	unsigned users;
	struct tag_list list;
	UT_hash_handle hh;
};

enum standing { WAITING, ATTACHED, NO_PYTHON, REFUSED };

struct chosen {
	pid_t pid;
	uint64_t born; /* clock ticks since boot; 0: not known */
	uint64_t ticks; /* of CPU, when last looked at */
	bool timed;	/* ticks holds */
	uint8_t standing;
	struct tag_share *tags;
	UT_hash_handle hh;
};

struct roster {
	const struct agent_config *config;
	struct census *census;
	struct chosen *processes;
	struct tag_share *shares;
	uint64_t beyond;
	struct tag_list scratch;
	int (*attach)(void *arg, pid_t pid);
	void *arg;
};

int roster_new(const struct agent_config *c, struct roster **ret)
{
	struct roster *r = calloc(1, sizeof(*r));
	int err = r ? census_new(&r->census) : -ENOMEM;

	if (err) {
		free(r);
		return err;
	}
	r->config = c;
	*ret = r;
	return 0;
}

/* ---- tags in common ---- */

static struct tag_share *share_get(struct roster *r, const struct tag_list *list)
{
	uint64_t hash = XXH64(list->tags, list->count * sizeof(*list->tags), list->count);
	struct tag_share *s;

	HASH_FIND(hh, r->shares, &hash, sizeof(hash), s);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->hash = hash;
		tag_list_copy(&s->list, list);
		HASH_ADD(hh, r->shares, hash, sizeof(s->hash), s);
		if (!s->hh.tbl) {
			free(s);
			return NULL;
		}
	}
	s->users++;
	return s;
}

static void share_put(struct roster *r, struct tag_share *s)
{
	if (!s || --s->users)
		return;
	HASH_DEL(r->shares, s);
	free(s);
}

/* ---- processes ---- */

static struct chosen *find(const struct roster *r, pid_t pid)
{
	struct chosen *p;

	HASH_FIND_INT(r->processes, &pid, p);
	return p;
}

static void drop(struct roster *r, struct chosen *p)
{
	share_put(r, p->tags);
	HASH_DEL(r->processes, p);
	free(p);
}

void roster_free(struct roster *r)
{
	struct chosen *p, *next;

	if (!r)
		return;
	HASH_ITER(hh, r->processes, p, next)
		drop(r, p);
	census_free(r->census);
	free(r);
}

/* Its CPU time and birth, in clock ticks: fields 14, 15 and 22 of proc(5). False: it is gone. */
static bool stat_read(pid_t pid, uint64_t *ret_born, uint64_t *ret_ticks)
{
	unsigned long long user, kernel, born;
	char path[64], text[1024], *at, state;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	at = strrchr(text, ')'); /* a name may have anything in it */
	if (!at || sscanf(at + 1,
			  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
			  "%*d %llu", &state, &user, &kernel, &born) != 4)
		return false;
	*ret_born = born;
	*ret_ticks = user + kernel;
	return state != 'Z' && state != 'X';
}

/* As the rules have it by now; NULL: they leave it alone. */
static struct chosen *choose(struct roster *r, pid_t pid)
{
	struct chosen *p = find(r, pid);
	struct tag_share *tags = NULL;
	struct process_facts *f = malloc(sizeof(*f));
	uint64_t ticks;

	if (f && !process_facts_read(pid, r->config->containers, f)) {
		if (rules_apply(r->config->rules, r->config->rule_count, f, &r->scratch))
			tags = share_get(r, &r->scratch);
		process_facts_clear(f);
	}
	free(f);
	if (!tags) {
		if (p)
			drop(r, p);
		return NULL;
	}
	if (!p) {
		p = calloc(1, sizeof(*p));
		if (p) {
			p->pid = pid;
			stat_read(pid, &p->born, &ticks);
			HASH_ADD_INT(r->processes, pid, p);
		}
		if (!p || !p->hh.tbl) {
			share_put(r, tags);
			free(p);
			return NULL;
		}
	}
	share_put(r, p->tags);
	p->tags = tags;
	return p;
}

static unsigned attached(const struct roster *r)
{
	unsigned n = 0;

	for (const struct chosen *p = r->processes; p; p = p->hh.next)
		n += p->standing == ATTACHED;
	return n;
}

static void attach(struct roster *r, struct chosen *p)
{
	int err;

	if (attached(r) >= r->config->max_targets && p->standing != ATTACHED) {
		r->beyond++;
		return;
	}
	err = r->attach(r->arg, p->pid);
	if (err == -EAGAIN)
		p->standing = WAITING;
	else
		p->standing = !err ? ATTACHED : err == -ENOENT || err == -ESRCH ? NO_PYTHON : REFUSED;
}

static void on_census(void *arg, pid_t pid)
{
	struct roster *r = arg;
	struct chosen *p = choose(r, pid);

	if (p)
		attach(r, p);
}

int roster_look(struct roster *r, int (*attach_one)(void *arg, pid_t pid), void *arg)
{
	r->attach = attach_one;
	r->arg = arg;
	return census_take(r->census, on_census, r);
}

void roster_each(struct roster *r, void (*each)(void *arg, pid_t pid), void *arg)
{
	for (struct chosen *p = r->processes; p; p = p->hh.next)
		if (p->standing == WAITING || p->standing == ATTACHED)
			each(arg, p->pid);
}

void roster_attach(struct roster *r, int (*attach_one)(void *arg, pid_t pid), void *arg)
{
	struct chosen *p, *next;

	r->attach = attach_one;
	r->arg = arg;
	HASH_ITER(hh, r->processes, p, next)
	{
		p->standing = WAITING;
	}
	HASH_ITER(hh, r->processes, p, next)
		attach(r, p);
}

void roster_tidy(struct roster *r)
{
	struct chosen *p, *next;
	uint64_t born, ticks;

	HASH_ITER(hh, r->processes, p, next)
	{
		pid_t pid = p->pid;

		if (stat_read(pid, &born, &ticks) && (!p->born || p->born == born))
			continue;
		drop(r, p);
		/* Another process may have its PID. */
		choose(r, pid);
	}
}

void roster_config(struct roster *r, const struct agent_config *c)
{
	struct chosen *p, *next;
	struct census *fresh;

	r->config = c;
	HASH_ITER(hh, r->processes, p, next)
		choose(r, p->pid);
	if (!census_new(&fresh)) {
		census_free(r->census);
		r->census = fresh;
	}
}

bool roster_tags(struct roster *r, pid_t pid, pid_t parent, struct tag_list *ret)
{
	const struct chosen *p = find(r, pid);

	if (!p)
		p = choose(r, pid);
	if (!p && parent)
		p = find(r, parent);
	if (!p)
		return false;
	tag_list_copy(ret, &p->tags->list);
	return true;
}

uint64_t roster_cpu(void *roster)
{
	struct roster *r = roster;
	long per_second = sysconf(_SC_CLK_TCK);
	uint64_t sum = 0, born, ticks;

	for (struct chosen *p = r->processes; p; p = p->hh.next) {
		if (p->standing != ATTACHED || !stat_read(p->pid, &born, &ticks))
			continue;
		if (p->timed && ticks > p->ticks)
			sum += ticks - p->ticks;
		p->ticks = ticks;
		p->timed = true;
	}
	return sum * (1000000000ull / (per_second > 0 ? per_second : 100));
}

void roster_status(const struct roster *r, struct roster_status *ret)
{
	*ret = (struct roster_status){.beyond = r->beyond, .sets = HASH_COUNT(r->shares)};
	for (const struct chosen *p = r->processes; p; p = p->hh.next) {
		ret->chosen += p->standing != NO_PYTHON;
		ret->attached += p->standing == ATTACHED;
		ret->refused += p->standing == REFUSED;
	}
}
