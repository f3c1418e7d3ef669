/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of a process before any request: its container, its server, its Python,
 * and what the configuration wants of its environment.
 */
#ifndef PYCOST_PROCESS_TAGS_H
#define PYCOST_PROCESS_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct request_config;
struct tag_list;

/*
 * python: its version, or NULL. Where the process is gone or may not be read, there are
 * fewer tags: false, and only python's when nothing of it could be read.
 */
bool process_tags(const struct request_config *c, pid_t pid, const char *python,
		  struct tag_list *ret);

/*
 * The parts, of bytes: /proc/PID/environ, of which only the variables that are asked for
 * are taken; /proc/PID/cgroup; /proc/PID/cmdline.
 */
void environment_tags(const struct request_config *c, const char *environment, size_t size,
		      struct tag_list *to);
void cgroup_tags(const char *text, struct tag_list *to);
/* "gunicorn", "uwsgi"...; NULL: none that is known. */
const char *server_name(const char *command_line, size_t size);

#endif
