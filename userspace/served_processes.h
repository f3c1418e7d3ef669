/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tags of each served process: read once, and handed down to what it forks.
 */
#ifndef PYCOST_SERVED_PROCESSES_H
#define PYCOST_SERVED_PROCESSES_H

#include <stdint.h>
#include <sys/types.h>

struct request_config;
struct served_processes;
struct tag_list;
struct tag_sets;

int served_processes_new(const struct request_config *c, struct tag_sets *tags,
			 struct served_processes **ret);
void served_processes_free(struct served_processes *s);

/* It is there, or has become another program: its tags are read anew.  -ENOMEM. */
int served_process_add(struct served_processes *s, pid_t pid, const char *python);
/* A fork: its tags are its parent's, as far as its own cannot be read any more. */
int served_process_born(struct served_processes *s, pid_t pid, pid_t parent);
/* It is forgotten by the second tidying after this: requests of it may still come. */
void served_process_died(struct served_processes *s, pid_t pid);
void served_processes_tidy(struct served_processes *s);

/*
 * Its tags and their id, 0 when there are too many sets.  They are read when the process
 * is new here.  -ENOMEM, or the sink's error.
 */
int served_process_tags(struct served_processes *s, pid_t pid, struct tag_list *ret,
			uint32_t *ret_id);

#endif
