/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS that served processes end themselves: puts the programs of bpf/tls.bpf.c where the
 * calls of libssl are, in these processes and their children alone (see traps.h).  A
 * libssl that is loaded later is found by looking again, first soon, then more and more
 * rarely.
 */
#ifndef PYCOST_TLS_H
#define PYCOST_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct serving;
struct tls;

/* serving: whose requests they are, open longer than this.  Errors in words in err. */
int tls_open(const struct serving *s, struct tls **ret, char *err, size_t errlen);
void tls_close(struct tls *t); /* NULL: nothing */

/*
 * A process; once more when it has executed another program.  With children, those that
 * it forks, too, until they are followed by themselves.  -ENOMEM.
 */
int tls_follow(struct tls *t, pid_t pid, bool children);
void tls_unfollow(struct tls *t, pid_t pid);

/* Looks for what has been loaded since; to be called once a second or so. */
void tls_pass(struct tls *t);

/* What the user should read, each once; NULL: nothing. */
const char *tls_notice(struct tls *t);

#endif
