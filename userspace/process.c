// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/resolver.h"

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

static void comm_read(struct process *p)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", p->pid);
	f = fopen(path, "re");
	if (f && fgets(p->comm, sizeof(p->comm), f))
		p->comm[strcspn(p->comm, "\n")] = 0;
	if (f)
		fclose(f);
}

int process_add(struct process **table, pid_t pid, pid_t parent, struct process **ret)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->parent = parent;
	p->hold = HOLD_NONE;
	comm_read(p);
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
