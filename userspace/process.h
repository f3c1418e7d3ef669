/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes a session follows, by PID, dead ones included. */
#ifndef PYCOST_PROCESS_H
#define PYCOST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

#include "userspace/hold.h"

struct known_build;
struct resolver;

/*
 * What names are looked up in: a root directory, kept open so that it outlives
 * its processes, with the names found so far.  Shared by a process's children.
 */
struct names {
	unsigned references;
	int root, cwd; /* O_PATH */
	struct resolver *resolver;
};

struct process {
	pid_t pid, parent;
	char comm[32];
	struct known_build *build; /* NULL: no Python known in it yet */
	struct names *names;
	struct hold hold;
	bool dead;	     /* has exited; its last costs may still come */
	bool buried;	     /* ... have come, and its nodes are given back */
	uint64_t look_until; /* after an exec: keep looking for Python, in ns */
	UT_hash_handle hh;
};

/* -EACCES when the root of another user's process may not be looked at. */
int names_open(pid_t pid, struct names **ret);
struct names *names_share(struct names *n);
void names_drop(struct names *n);

int process_add(struct process **table, pid_t pid, pid_t parent, struct process **ret);
/* A process's comm as it is now; unchanged when it has none any more. */
void comm_read(pid_t pid, char *ret, size_t size);
/* Reads its comm again: an exec changes it. */
void process_comm(struct process *p);
/* Has it ended?  A zombie has, too. */
bool process_gone(pid_t pid);
struct process *process_find(struct process *table, pid_t pid);
void process_remove(struct process **table, struct process *p);

/* Switches all their probes off: at once, as each takes the kernel a while. */
void processes_release(struct process *table);
/* Removes the buried, and switches their probes off behind our back. */
void processes_release_dead(struct process **table);

#endif
