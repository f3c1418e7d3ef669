/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/served_processes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Without memory, HASH_ADD leaves hh.tbl NULL instead of calling exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "userspace/process_tags.h"
#include "userspace/tag_sets.h"

struct served {
	pid_t pid;
	uint32_t tags;
	bool told;    /* tags is what the list is */
	uint8_t died; /* 1: since the last tidying; 2: before it */
	struct tag_list list;
	UT_hash_handle hh;
};

struct served_processes {
	const struct request_config *config;
	struct tag_sets *tags;
	struct served *table;
};

int served_processes_new(const struct request_config *c, struct tag_sets *tags,
			 struct served_processes **ret)
{
	struct served_processes *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->config = c;
	s->tags = tags;
	*ret = s;
	return 0;
}

static void served_forget(struct served_processes *s, struct served *p)
{
	HASH_DEL(s->table, p);
	free(p);
}

void served_processes_free(struct served_processes *s)
{
	struct served *p, *tmp;

	if (!s)
		return;
	HASH_ITER(hh, s->table, p, tmp)
		served_forget(s, p);
	free(s);
}

static struct served *served_find(const struct served_processes *s, pid_t pid)
{
	struct served *p;

	HASH_FIND(hh, s->table, &pid, sizeof(pid), p);
	return p;
}

/* The one of this PID, made when there is none. */
static struct served *served_at(struct served_processes *s, pid_t pid)
{
	struct served *p = served_find(s, pid);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->pid = pid;
	HASH_ADD(hh, s->table, pid, sizeof(p->pid), p);
	if (!p->hh.tbl) {
		free(p);
		return NULL;
	}
	return p;
}

int served_process_add(struct served_processes *s, pid_t pid, const char *python)
{
	struct served *p = served_at(s, pid);

	if (!p)
		return -ENOMEM;
	p->died = 0;
	p->told = false;
	process_tags(s->config, pid, python, &p->list);
	return 0;
}

int served_process_born(struct served_processes *s, pid_t pid, pid_t parent)
{
	const struct served *from = served_find(s, parent);
	struct served *p = served_at(s, pid);

	if (!p)
		return -ENOMEM;
	p->died = 0;
	p->told = false;
	p->list.count = 0;
	if (from) {
		tag_list_copy(&p->list, &from->list);
		p->tags = from->tags;
		p->told = from->told;
		return 0;
	}
	process_tags(s->config, pid, NULL, &p->list);
	return 0;
}

void served_process_died(struct served_processes *s, pid_t pid)
{
	struct served *p = served_find(s, pid);

	if (p && !p->died)
		p->died = 1;
}

void served_processes_tidy(struct served_processes *s)
{
	struct served *p, *tmp;

	HASH_ITER(hh, s->table, p, tmp) {
		if (p->died == 2)
			served_forget(s, p);
		else if (p->died)
			p->died = 2;
	}
}

int served_process_tags(struct served_processes *s, pid_t pid, struct tag_list *ret,
			uint32_t *ret_id)
{
	struct served *p = served_find(s, pid);
	int err;

	if (!p) {
		err = served_process_add(s, pid, NULL);
		if (err)
			return err;
		p = served_find(s, pid);
	}
	if (!p->told) {
		err = tag_sets_id(s->tags, &p->list, &p->tags);
		if (err && err != -ENOSPC)
			return err;
		p->told = true;
	}
	tag_list_copy(ret, &p->list);
	*ret_id = p->tags;
	return 0;
}
