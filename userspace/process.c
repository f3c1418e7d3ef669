// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/resolver.h"
#include "userspace/behind.h"

static int open_of(pid_t pid, const char *what)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int names_open(pid_t pid, struct names **ret)
{
	struct names *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->references = 1;
	n->root = open_of(pid, "root");
	n->cwd = open_of(pid, "cwd");
	if (n->root < 0) {
		err = n->root;
		names_drop(n);
		return err;
	}
	n->resolver = resolver_new(n->root, n->cwd);
	if (!n->resolver) {
		names_drop(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

struct names *names_share(struct names *n)
{
	if (n)
		n->references++;
	return n;
}

void names_drop(struct names *n)
{
	if (!n || --n->references)
		return;
	resolver_free(n->resolver);
	if (n->root >= 0)
		close(n->root);
	if (n->cwd >= 0)
		close(n->cwd);
	free(n);
}

void comm_read(pid_t pid, char *ret, size_t size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (f && fgets(ret, size, f))
		ret[strcspn(ret, "\n")] = 0;
	if (f)
		fclose(f);
}

void process_comm(struct process *p)
{
	comm_read(p->pid, p->comm, sizeof(p->comm));
}

int process_add(struct process **table, pid_t pid, pid_t parent, struct process **ret)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->parent = parent;
	p->hold = HOLD_NONE;
	process_comm(p);
	HASH_ADD_INT(*table, pid, p);
	*ret = p;
	return 0;
}

struct process *process_find(struct process *table, pid_t pid)
{
	struct process *p;

	HASH_FIND_INT(table, &pid, p);
	return p;
}

void process_remove(struct process **table, struct process *p)
{
	HASH_DEL(*table, p);
	hold_close(&p->hold);
	names_drop(p->names);
	free(p);
}

struct holds {
	size_t n;
	struct hold v[];
};

static void holds_take(struct holds *holds, struct process *p)
{
	holds->v[holds->n++] = p->hold;
	p->hold = HOLD_NONE;
}

void processes_release(struct process *table)
{
	struct holds *holds = malloc(sizeof(*holds) + HASH_COUNT(table) * sizeof(holds->v[0]));
	struct process *p, *next;

	if (holds)
		holds->n = 0;
	HASH_ITER(hh, table, p, next)
	{
		if (holds)
			holds_take(holds, p);
		else
			hold_close(&p->hold);
	}
	if (holds)
		holds_close(holds->v, holds->n);
	free(holds);
}

/* Nobody waits for it: no need for more threads. */
static void holds_end(void *arg)
{
	struct holds *holds = arg;

	for (size_t i = 0; i < holds->n; i++)
		hold_close(&holds->v[i]);
	free(holds);
}

void processes_release_dead(struct process **table)
{
	struct holds *holds = malloc(sizeof(*holds) + HASH_COUNT(*table) * sizeof(holds->v[0]));
	struct process *p, *next;

	if (!holds)
		return;
	holds->n = 0;
	HASH_ITER(hh, *table, p, next)
	{
		if (!p->buried)
			continue;
		holds_take(holds, p);
		process_remove(table, p);
	}
	behind(holds_end, holds);
}

/* In the kernel's include/linux/sched.h; a kernel thread never had a program. */
#define PF_KTHREAD 0x00200000

bool process_gone(pid_t pid)
{
	char path[64], line[512], *state = NULL;
	unsigned flags;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT || errno == ESRCH;
	if (fgets(line, sizeof(line), f))
		state = strrchr(line, ')'); /* a comm may hold anything */
	fclose(f);
	if (!state || strchr("ZX", state[2]))
		return true;
	if (sscanf(state + 2, "%*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & PF_KTHREAD)
		return false;
	/* On its way out, its memory and its program go first. */
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, line, sizeof(line)) < 0 && errno == ENOENT;
}
