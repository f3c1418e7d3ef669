/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of a process from outside, for rules to go by: its command line, user,
 * control group, unit, container, and what rules want of its environment. All of it is
 * foreign text. Nothing is looked at in the process itself.
 */
#ifndef PYCOST_PROCESS_FACTS_H
#define PYCOST_PROCESS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "userspace/agent/labels.h"
#include "userspace/cgroup.h"

#define FACT_TEXT_MAX 512

struct process_facts {
	pid_t pid;
	char command[4096]; /* its words, joined by blanks */
	char user[64];	    /* name, or the number */
	struct cgroup group;
	char container[CGROUP_CONTAINER_SHORT + 1]; /* as in the tag of the same name; "" */
	char unit[FACT_TEXT_MAX];   /* "shop.service"; "" */
	char server[32]; /* "gunicorn"... */
	/* private: read when first asked for */
	char *environment;
	size_t environment_size;
	bool has_environment, has_labels;
	struct labels labels;
	const char *root; /* for labels_read() */
};

/* -ESRCH: it is gone, or a thread of the kernel. process_facts_clear() is due otherwise. */
int process_facts_read(pid_t pid, const char *root, struct process_facts *ret);
void process_facts_clear(struct process_facts *f);

/* NULL: there is none. The pointer lives until process_facts_clear(). */
const char *process_facts_environment(struct process_facts *f, const char *variable);
const char *process_facts_label(struct process_facts *f, const char *key);
/* By its name: "unit", "cgroup", "container", "pod", "user", "server", "program". */
const char *process_facts_named(const struct process_facts *f, const char *name);
bool process_facts_name_is_known(const char *name);

/* Of /proc/PID/cgroup's text. */
void process_facts_cgroup(struct process_facts *f, const char *text);

#endif
