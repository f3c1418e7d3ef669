/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queries, answered by a few threads. */
#ifndef PYCOST_ASKING_H
#define PYCOST_ASKING_H

#include <stddef.h>
#include <stdint.h>

struct asking;
struct exchange;
struct collector;
struct grant;
struct query;

/* -errno. */
int asking_start(struct collector *c, struct asking **ret);
/*
 * When no exchange waits any more; NULL: nothing. Waits for queries that still run, but not
 * for ever: -EBUSY, and the store must not be closed.
 */
int asking_stop(struct asking *a);

/* It is asleep, and is answered by somebody. */
void asking_put(struct asking *a, struct exchange *e);
/* Those that take too long get an answer that says so. */
void asking_tick(struct asking *a, uint64_t now_ns);

/*
 * Makes a question one about services that the grant covers. -EACCES, and in err what to
 * ask instead.
 */
int asking_scope(const struct grant *g, struct query *q, char *err, size_t errlen);

#endif
