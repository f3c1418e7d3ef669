/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that are sampled, from attach or fork to their end: tells the kernel
 * where their threads are, the sink of them, and what their code objects are called.
 */
#ifndef PYCOST_FOLLOWED_H
#define PYCOST_FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

#include "bpf/wire.h"
#include "userspace/measurement.h"
#include "userspace/paths.h"

struct codes;
struct interpreter;
struct line_store;
struct names;
struct sample_natives;
struct sampled_build;
struct sampling;

struct sampled_process {
	pid_t pid, parent;
	char comm[32];
	struct sampled_build *build; /* NULL: no Python known in it */
	struct names *names;
	struct wire_sampled wire; /* as the kernel was told */
	struct path_owner owner;
	bool dead;
	unsigned passes;     /* since its end */
	uint64_t look_until; /* after an exec: keep looking for Python, in ns */
	UT_hash_handle hh, by_serial;
};

struct followed {
	struct sampling *sampling;
	struct sink *sink;
	struct codes *codes;
	struct line_store *lines;
	struct sample_natives *natives;
	bool no_follow;
	/* Its samples until now are to be told: it ends, or becomes another program. */
	void (*settle)(void *arg, pid_t pid);
	/*
	 * A process is followed from here on; in: NULL when it is no Python yet, else only its
	 * version and addresses hold.  Not called for forks; may be NULL.
	 */
	void (*found)(void *arg, pid_t pid, const struct interpreter *in);
	void *arg;

	struct sampled_process *processes;
	unsigned alive, followed; /* followed: all there ever were */
	unsigned looking;	  /* that have exec'ed and may turn out to be Python */
	uint64_t unnamed;	  /* code objects whose names nobody could read */
	uint64_t unlined;	  /* whose line tables could not be kept */
	int sink_error;		  /* the first one */
	char notice[NOTICE_SIZE]; /* for the user; "" when there is none */

	/* private */
	struct sampled_process *serials;
	uint32_t serial;
	unsigned dead;
	pid_t orphan; /* met in a sample, but its fork note was lost */
};

/* What attaching to it needs besides: its Python's walker, tried out. */
int followed_prepare(struct followed *f, pid_t pid, char *err, size_t errlen);
/*
 * Follows a process that runs Python; pid must not be followed yet.  -ENOENT: it is not
 * Python; -ESRCH, -ENOTSUP; words in err.
 */
int followed_attach(struct followed *f, pid_t pid, char *err, size_t errlen);
/* One that is not Python yet: it will be looked at when it execs. */
int followed_wait_for(struct followed *f, pid_t pid);

bool followed_knows(const struct followed *f, pid_t pid);
bool followed_is_dead(const struct followed *f, pid_t pid);

/* One event of the kernel's ring. */
void followed_event(struct followed *f, const struct wire_event *e);
/* Looks again at processes that exec'ed. */
void followed_look(struct followed *f);
/* After a pass: lets go of the dead. */
void followed_tidy(struct followed *f);
void followed_clear(struct followed *f);

/* For paths. */
const struct path_owner *followed_owner(void *followed, uint32_t tgid);
bool followed_lives(void *followed, uint32_t serial);

#endif
