/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where requests are watched in phases, and not all the time: whether one that begins is
 * of the sample, which is decided then and never later.  User space attaches the programs
 * for a phase, and forgets all that they have left when it is over.
 */
#ifndef PYCOST_WATCHED_BPF_H
#define PYCOST_WATCHED_BPF_H

#include "bpf/losses.bpf.h"
#include "bpf/wire_request.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_watched);
} watched SEC(".maps");

const volatile __u8 by_phases; /* 0: it is always watched */

static __always_inline struct wire_watched *watched_here(void)
{
	__u32 zero = 0;

	return by_phases ? bpf_map_lookup_elem(&watched, &zero) : 0;
}

/* A request that begins now is of the sample. */
static __always_inline int watched_takes(void)
{
	const struct wire_watched *w = watched_here();

	return !by_phases || (w && w->state == WIRE_WATCHED_TAKES);
}

/* Nobody is to see what is noted now. */
static __always_inline int watched_rests(void)
{
	const struct wire_watched *w = watched_here();

	return w && w->state == WIRE_WATCHED_RESTS;
}

/* Tasks have been watched all the time since then; 0: always. */
static __always_inline __u64 watched_tasks_since(void)
{
	const struct wire_watched *w = watched_here();

	return w ? w->tasks_since : 0;
}

static __always_inline void watched_begins(void)
{
	struct wire_watched *w = watched_here();

	if (w)
		__sync_fetch_and_add(&w->begun, 1);
}

static __always_inline void watched_ends(void)
{
	struct wire_watched *w = watched_here();

	if (w)
		__sync_fetch_and_add(&w->ended, 1);
}

#endif
