/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that rules have chosen, as they come and go, and what each is known by.
 * A process that is forked and gone before anybody looked has its parent's tags.
 */
#ifndef PYCOST_ROSTER_H
#define PYCOST_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/tag_sets.h"

struct agent_config;
struct roster;

/* What they point to outlives it. */
int roster_new(const struct agent_config *c, struct roster **ret);
void roster_free(struct roster *r);

/*
 * Other rules: every process is looked at anew by the next look, and those that are chosen
 * no more are forgotten. Whether they are let go is the session's matter.
 */
void roster_config(struct roster *r, const struct agent_config *c);

/*
 * Who is new. attach(arg, pid): 0, it is measured now; -ENOENT, it is no Python; -EAGAIN, by
 * the next session; another -errno, it cannot be measured. -errno when /proc cannot be read.
 */
int roster_look(struct roster *r, int (*attach)(void *arg, pid_t pid), void *arg);
/* What is to be done for each that is attached, or was to be. */
void roster_each(struct roster *r, void (*each)(void *arg, pid_t pid), void *arg);
/* All that are chosen, for a new session. */
void roster_attach(struct roster *r, int (*attach)(void *arg, pid_t pid), void *arg);
/* Every ten seconds or so: forgets the gone. */
void roster_tidy(struct roster *r);

/* For the tags of what is measured. parent: 0 when it is not known. False: no rule. */
bool roster_tags(struct roster *r, pid_t pid, pid_t parent, struct tag_list *ret);

/* CPU time that all of them had since this was last asked, in ns. */
uint64_t roster_cpu(void *roster);

struct roster_status {
	unsigned chosen, attached; /* alive */
	unsigned refused;	   /* Python, but not to be measured */
	uint64_t beyond;	   /* more than may be: left alone, all there ever were */
	unsigned sets;		   /* of tags */
};
void roster_status(const struct roster *r, struct roster_status *ret);

#endif
