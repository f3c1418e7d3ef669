/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a walk over a thread's frames knows, and how it finds the thread's state in the
 * interpreter: see walk.bpf.h.
 *
 * A state has its thread's pthread_self(), which the kernel knows as the thread
 * pointer; so it is found in the interpreters' lists, whoever has the GIL, without
 * knowing where the C library keeps thread-local variables.
 */
#ifndef PYCOST_WALK_STATE_BPF_H
#define PYCOST_WALK_STATE_BPF_H

#include "bpf/cpython.h"
#include "bpf/wire.h"

/* Frames and C-entry frames between them that are looked at. */
#define WALK_STEPS 1536
/* Thread states that are looked through, of all interpreters. */
#define WALK_STATES 1024

/* Of general use, whichever they are. */
#define WALK_REGISTERS 32

/* In bytes, at most. */
#define WALK_STACK_SIZE (64ull << 20)
#define WALK_STATE_SIZE 4096

#define WALK_FRAME_WORDS 13 /* up to 3.10's f_lasti, from its f_back on */
#define WALK_CODE_WORDS 18  /* up to co_name, also of free-threaded builds */

/* How well a thread state suits. */
enum walk_fit {
	WALK_ALIEN,   /* another thread's */
	WALK_OWN,     /* the thread's, or of one that it is about to start */
	WALK_FRAMED,  /* and it has frames */
	WALK_CURRENT, /* and it is the current one */
};

struct walk {
	/* Given. */
	struct wire_sampled process;
	__u64 self;  /* the thread pointer */
	__u64 slack; /* pthread_self() is at most so far below it */
	__u64 stack; /* the stack pointer; 0: not known */
	__u64 registers[WALK_REGISTERS];
	__u32 n_registers; /* 0: they are not known */
	/* Looking for the thread's state. */
	__u64 interp, candidate;
	__u64 state; /* found; 0: none */
	__u32 fit;   /* of it: enum walk_fit */
	/* On the way. */
	__u32 steps;
	__u64 frame;   /* the next; 0: there is none */
	__u64 mark;    /* one that was met, not to be met again */
	__u64 cframe;  /* 3.11, 3.12: of this run of the interpreter */
	__u64 outer;   /* the frame that called into it */
	__u32 tried;   /* registers that were looked into for the run before */
	__u64 coro_frame; /* of the task that runs; 0: none does */
	__u64 task;    /* the next that awaits */
	__u64 code;    /* of the frame recorded last */
	__u32 flags_of_code;
	__u8 grounded; /* 3.11, 3.12: `outer` was met, where it must be */
	__u8 entry;    /* the frame met last is one that C called */
	__u8 settled;  /* the task's coroutine was met: the rest is only looked at */
	__u8 inlined;  /* a frame above was left out: its caller's opcode is past */
	__u8 yielding; /* the innermost frame is a generator's, and has no caller */
	__u8 begun; /* the innermost frame is a function's past its first instruction */
	__u64 frame_words[WALK_FRAME_WORDS];
	__u64 code_words[WALK_CODE_WORDS];
	/* The result.  Those that await come after the frames. */
	struct wire_sample sample;
#ifndef WALK_NO_FRAMES /* who wants but the innermost has no room for others */
	struct wire_sample_frame frames[WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS];
	/* Follow the frames at once in the ring; so this is room for all of them. */
	__u64 natives[WIRE_SAMPLE_NATIVES];
#endif
};

/*
 * Room for the n-th frame, or 0.  The assembly keeps the compiler from comparing one
 * copy and using another, which the verifier cannot follow.
 */
static __always_inline struct wire_sample_frame *walk_room(struct walk *w, __u64 n)
{
	struct wire_sample_frame *room = 0;

#ifndef WALK_NO_FRAMES
	asm volatile("" : "+r"(n));
	if (n >= WIRE_SAMPLE_FRAMES + WIRE_SAMPLE_AWAITS)
		return 0;
	room = &w->frames[n];
	asm volatile("" : "+r"(room));
#endif
	return room;
}

static __always_inline __u64 walk_u64(__u64 address)
{
	__u64 v = 0;

	return walk_read(&v, sizeof(v), address) ? 0 : v;
}

/* A member within the words that were read from `base` bytes into a struct on. */
#define WALK_WORD(words, offset, base) ((words)[(((offset) - (base)) & 255) / 8])
#define WALK_U32(words, offset, base)                                                              \
	((__u32)(WALK_WORD(words, offset, base) >> 8 * (((offset) - (base)) & 7)))
#define WALK_U8(words, offset, base) ((__u8)WALK_U32(words, offset, base))

static __always_inline int walk_is_own(struct walk *w, __u64 state)
{
	__u64 id = walk_u64(state + runtime.tstate_thread_id);

	return id && w->self - id <= w->slack;
}

/*
 * Up to 3.11 a state that is made for a thread about to start has its maker's id, but
 * no frames.
 */
static __always_inline int walk_has_frames(__u64 state)
{
	if (runtime.tstate_cframe == PY_NONE)
		return walk_u64(state + runtime.tstate_frame) != 0;
	return walk_u64(walk_u64(state + runtime.tstate_cframe) + runtime.cframe_frame) != 0;
}

static __always_inline int walk_is_active(__u64 state)
{
	__u32 status = 0;

	if (runtime.tstate_status == PY_NONE)
		return 0;
	walk_read(&status, sizeof(status), state + runtime.tstate_status);
	return !!(status & PY_TSTATE_ACTIVE);
}

/* It is in its interpreter's list: its memory has not been freed. */
static __always_inline int walk_is_listed(__u64 state)
{
	__u64 previous, interp;

	if (walk_read(&previous, sizeof(previous), state + PY_TSTATE_PREV))
		return 0;
	if (previous)
		return walk_u64(previous + runtime.tstate_next) == state;
	interp = walk_u64(state + runtime.tstate_interp);
	return interp && walk_u64(interp + runtime.interp_threads) == state;
}

static __always_inline int walk_fit_of(struct walk *w, __u64 state)
{
	if (!walk_is_own(w, state))
		return WALK_ALIEN;
	if (walk_is_active(state))
		return WALK_CURRENT;
	return walk_has_frames(state) ? WALK_FRAMED : WALK_OWN;
}

/*
 * The state that has the GIL, or one that the thread was seen with before.  A thread
 * has several when it runs several interpreters: without the GIL, before 3.12, it is
 * not known which of them it is in, and the one seen last is taken.
 */
static __always_inline void walk_recall(struct walk *w, __u64 known)
{
	__u64 current = w->process.current ? walk_u64(w->process.current) : 0;

	w->state = 0;
	w->fit = WALK_ALIEN;
	if (current && walk_is_own(w, current)) {
		w->state = current;
		w->fit = WALK_CURRENT;
		return;
	}
	if (!known)
		return;
	w->fit = walk_fit_of(w, known);
	if (w->fit == WALK_CURRENT || (w->fit == WALK_FRAMED && walk_is_listed(known)))
		w->state = known;
	else
		w->fit = WALK_ALIEN;
}

/*
 * Whether all that walk_recall() found is certain: from 3.12 on, a state that is not
 * active may have been left for another interpreter's.
 */
static __always_inline int walk_is_certain(struct walk *w)
{
	__u64 first;

	if (w->fit == WALK_CURRENT)
		return 1;
	if (!w->state)
		return 0;
	if (runtime.tstate_status == PY_NONE)
		return 1;
	first = walk_u64(w->process.interpreters);
	return first && !walk_u64(first + runtime.interp_next);
}

static __always_inline void walk_search(struct walk *w)
{
	w->interp = walk_u64(w->process.interpreters);
	w->candidate = w->interp ? walk_u64(w->interp + runtime.interp_threads) : 0;
}

/* Looks at one state more; 0: there is none, or none can suit better. */
static __always_inline int walk_search_step(struct walk *w)
{
	__u32 fit;

	if (!w->candidate) {
		if (!w->interp)
			return 0;
		w->interp = walk_u64(w->interp + runtime.interp_next);
		w->candidate = w->interp ? walk_u64(w->interp + runtime.interp_threads) : 0;
		return w->interp != 0;
	}
	fit = walk_fit_of(w, w->candidate);
	if (fit > w->fit) {
		w->fit = fit;
		w->state = w->candidate;
	}
	w->candidate = walk_u64(w->candidate + runtime.tstate_next);
	return w->fit != WALK_CURRENT;
}

#endif
