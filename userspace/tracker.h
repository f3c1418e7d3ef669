/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a session, from attach or fork to their end: keeps their
 * probes on, knows what their code objects are called, tells the sink of them.
 */
#ifndef PYCOST_TRACKER_H
#define PYCOST_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/builds.h"
#include "userspace/process.h"

struct codes;
struct drain;
struct watch;
struct wire_event;

struct tracker {
	struct kernel *kernel;
	struct sink *sink;
	struct codes *codes;
	struct watch *watch; /* sees their requests; NULL: nobody does */
	struct builds builds;
	bool no_follow, per_thread;
	bool on_demand; /* probes come on by tracker_switch_on() only */

	struct process *processes;
	unsigned alive, followed; /* followed: all there ever were */
	unsigned looking;	  /* that have exec'ed and may turn out to be Python */
	uint64_t late;		  /* attached to only after their first calls */
	uint64_t unnamed;	  /* code objects whose names nobody could read */
	int sink_error;		  /* the first one */
	char notice[512];	  /* for the user; "" when there is none */

	/* private */
	unsigned dead;	   /* whose descriptors are still open */
	unsigned unburied; /* whose nodes are still in the tree */
	pid_t orphan;	   /* met in the tree, but its fork note was lost */
};

/*
 * Follows a process; known NULL: its probes come on when it is seen to run
 * Python.  -ESRCH, -EBUSY (see hold.h), -ENOSPC when the call tree is full.
 */
int tracker_follow(struct tracker *t, pid_t pid, struct known_build *known, uint64_t function_type);

/*
 * Counts the threads that it has by now, too, from here on: later ones are from
 * their birth, and those that are not taken in from their next probe.
 */
void tracker_adopt(struct tracker *t, pid_t pid);

/* The build of an interpreter, as builds_get(); doubts go to the notice. */
int tracker_build(struct tracker *t, struct interpreter *in, pid_t pid, struct known_build **ret,
		  char *err, size_t errlen);

/* One event of the kernel's ring. */
void tracker_event(struct tracker *t, const struct wire_event *e);

/* Looks again at processes that exec'ed. */
void tracker_look(struct tracker *t);

/* Has this process of ours exited? */
bool tracker_is_dead(const struct tracker *t, pid_t pid);

/* For the drain: has the sink been told of this process? */
bool tracker_knows(void *tracker, uint32_t tgid);
/* Likewise: what a probed call costs there, NULL when that is not known. */
const struct build_cost *tracker_cost(void *tracker, uint32_t tgid);

/* After a pass of the drain: takes in orphans, lets go of the dead. */
void tracker_tidy(struct tracker *t, struct drain *d);

/*
 * With on_demand: a process's probes, its own and not its children's.  -ESRCH: there is
 * no Python in it; else as hold_open().  Off: behind our back, in a tenth of a second.
 */
int tracker_switch_on(struct tracker *t, pid_t pid);
void tracker_switch_off(struct tracker *t, pid_t pid);

/* Every probe off. */
void tracker_release(struct tracker *t);
/* Calibrates once more each build that still has a process. */
void tracker_calibrate(struct tracker *t);
void tracker_clear(struct tracker *t);

#endif
