/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a program that waits, with its PID known, until the probes are on:
 * the command of `record -- COMMAND`, and the private children on which an
 * interpreter is surveyed and calibrated.
 */
#ifndef PYCOST_LAUNCH_H
#define PYCOST_LAUNCH_H

#include <stddef.h>
#include <sys/types.h>

struct launch {
	pid_t pid;
	int go;	   /* a byte here lets it exec */
	int in, out; /* its stdin and stdout; -1 when it has ours */
	int failed;  /* reads the errno of an exec that failed */
};

/* argv[0] is looked up in PATH.  It inherits our terminal. */
int launch_command(char *const argv[], struct launch *ret);

/*
 * The interpreter of a process, run apart from it: in the same root directory,
 * under the same user, with no site-packages and no environment but what finds
 * its libraries; stdin and stdout are pipes to us, and stderr is /dev/null.
 * like 0: in our own root.
 */
int launch_python(const char *path, pid_t like, const char *script, struct launch *ret);

/* Lets it exec.  -errno of the exec when that failed. */
int launch_go(struct launch *l);

/*
 * With a child of launch_python(): gives it these words to read, and waits for one
 * byte of its own, through signals.  -ECHILD when it has ended, -ETIMEDOUT.
 */
int launch_ask(struct launch *l, const char *words);
/* Waits for a line of it, the newline cut off.  Also -EMSGSIZE. */
int launch_hear(struct launch *l, char *ret, size_t size);

/* Kills it if it still runs, and reaps it. */
void launch_end(struct launch *l);

/* Lets it be: what still waits for launch_go() ends, what runs goes on. */
void launch_leave(struct launch *l);

#endif
