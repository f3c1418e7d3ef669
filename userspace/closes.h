/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tells the programs of requests that a connection is closed.
 */
#ifndef PYCOST_CLOSES_H
#define PYCOST_CLOSES_H

#include <stdbool.h>

struct bpf_program;
struct requests_bpf;

enum closes {
	CLOSES_BY_CALLS,   /* the system call, as all else: up to Linux 6.4 */
	CLOSES_BY_SOCKETS, /* the kernel's own sock_close(), of every socket */
	CLOSES_BY_TCP,	   /* inet_sock_set_state, of TCP alone: the kernel allows no more */
};

/* Before they are loaded.  sockets: they look at what goes through sockets. */
void closes_choose(struct requests_bpf *p, bool sockets);

/* The links are the skeleton's.  A negative errno: nothing can be attached. */
int closes_attach(struct requests_bpf *p, enum closes *ret);
/* The program that was attached, which is not any more; NULL: none was. */
const struct bpf_program *closes_detach(struct requests_bpf *p);

#endif
