/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug files over the network, by elfutils' client debuginfod-find: a process of
 * its own, which can take its time while we take samples, and whose network code
 * is not in ours.  Its servers are those of $DEBUGINFOD_URLS.
 */
#ifndef PYCOST_DEBUGINFOD_H
#define PYCOST_DEBUGINFOD_H

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * -EDESTADDRREQ: $DEBUGINFOD_URLS names no server; -ENOENT: no debuginfod-find
 * in the $PATH (Debian's package debuginfod has it).
 */
int debuginfod_check(void);

/* One query under way; zeroed: none. */
struct debuginfod_query {
	pid_t pid; /* 0: none */
	int out;
	uint64_t deadline; /* CLOCK_MONOTONIC, ns */
	char path[4096];
	size_t n;
};

/* Asks for a debug file.  seconds: after which it is given up.  -errno. */
int debuginfod_start(struct debuginfod_query *q, const char *build_id, unsigned seconds);

/*
 * Never waits.  -EAGAIN: still under way.  Otherwise the query has ended: 0 and a
 * descriptor of the file in *ret_fd, -ENOENT no server has it, -ETIMEDOUT.
 */
int debuginfod_poll(struct debuginfod_query *q, int *ret_fd);

/* Ends it, whatever it does. */
void debuginfod_cancel(struct debuginfod_query *q);

#endif
