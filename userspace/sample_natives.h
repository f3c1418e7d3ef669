/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native functions that samples found, as the sink knows them. */
#ifndef PYCOST_SAMPLE_NATIVES_H
#define PYCOST_SAMPLE_NATIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "userspace/sink.h"

struct sample_natives;

struct native_found {
	uint32_t id; /* the sink's, of the innermost; 0: not known */
	enum sample_state state; /* what its name tells: SAMPLE_GC, SAMPLE_GIL, or nothing */
};

/*
 * debuginfod: names that files lack are asked for, in the background; then -EDESTADDRREQ
 * and -ENOENT as natives_new().
 */
int sample_natives_new(struct sink *sink, bool debuginfod, struct sample_natives **ret);
void sample_natives_free(struct sample_natives *n);

/*
 * chain: addresses of a thread, innermost first; interpreter: the path of the object
 * that Python's own functions are in, as its process calls it.  The sink's error, or
 * -ENOMEM.
 */
int sample_natives_find(struct sample_natives *n, pid_t pid, const char *interpreter,
			const uint64_t *chain, size_t count, struct native_found *ret);

/* The process has ended, or become another program. */
void sample_natives_forget(struct sample_natives *n, pid_t pid);

/* Now and then: takes what was fetched.  True: more may come. */
bool sample_natives_poll(struct sample_natives *n);

/* Those that there was no room for. */
uint64_t sample_natives_lost(const struct sample_natives *n);

#endif
