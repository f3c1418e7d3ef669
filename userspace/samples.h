/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples as they come out of the ring, until the next pass: a busy program is found
 * in the same places again and again, so each stack is kept once, and each place where
 * it was found once with how often.
 */
#ifndef PYCOST_SAMPLES_H
#define PYCOST_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"
#include "userspace/tally.h"

#define SAMPLES_NO_PLACE UINT32_MAX

/* No path is claimed of what was read in part: all that is known is the process. */
#define SAMPLES_NO_PATH (WIRE_SAMPLE_NO_THREAD | WIRE_SAMPLE_UNREAD | WIRE_SAMPLE_TORN)

/* The Python frames of one thread; none: it is outside any function, or not known. */
struct sample_stack {
	uint64_t key[2];
	uint32_t tgid, tid; /* tid: 0 unless they are told apart */
	uint64_t class_id;  /* of requests; 0: of none */
	uint32_t first, frames; /* in samples.frames, innermost first */
	uint32_t place; /* the last one of its list */
	bool waited;	/* for names, in the pass before */
	uint64_t count;
};

/* Native addresses, innermost first. */
struct sample_chain {
	uint64_t key[2];
	uint32_t first, natives; /* in samples.natives */
};

struct sample_place {
	uint32_t stack, chain; /* key; chain: number + 1, 0: no address */
	uint16_t flags;	       /* WIRE_SAMPLE_* */
	uint8_t state, opcode, has_opcode, in_kernel;
	uint16_t pad;
	uint64_t count; /* not key from here on */
	uint32_t next;	/* place of the same stack; SAMPLES_NO_PLACE: the last */
};

struct samples {
	struct tally stacks, chains, places;
	struct wire_sample_frame *frames;
	uint64_t *natives;
	uint32_t n_frames, n_natives;
};

int samples_init(struct samples *s);
void samples_clear(struct samples *s);
void samples_empty(struct samples *s);

/*
 * One of the ring, of `size` bytes.  -ENOSPC: no room until samples_empty(); -EINVAL: it
 * is not whole.  per_thread: threads are told apart.
 */
int samples_add(struct samples *s, const struct wire_sample *e, size_t size, bool per_thread);

/* Puts a stack of `from` with its places aside, for another pass.  -ENOSPC, -ENOMEM. */
int samples_move(struct samples *to, const struct samples *from, const struct sample_stack *stack);

#endif
