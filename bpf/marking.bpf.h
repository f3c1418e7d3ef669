/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads whose interpreter says what it is doing, and the Python function that each is
 * in when it does.
 *
 * A probe of the interpreter's own is met by a thread that has the GIL, in C code that
 * a frame has called: nothing is half made, and the innermost frame is the current one.
 */
#ifndef PYCOST_MARKING_BPF_H
#define PYCOST_MARKING_BPF_H

#define WALK_NO_FRAMES
#include "bpf/layout.bpf.h"
#include "bpf/losses.bpf.h"
#include "bpf/self.bpf.h"
#include "bpf/wire_marks.h"

const volatile struct cpython_runtime runtime;

static __always_inline int walk_read(void *dst, __u32 len, __u64 address)
{
	return bpf_probe_read_user(dst, len, (void *)address);
}

#include "bpf/walk.bpf.h"
#include "bpf/prints.bpf.h"

struct import {
	__u64 name; /* where its name is: what tells its end from others' */
	__u64 ns, cost;
	__u64 inner_ns, inner_cost; /* of those within it that are over */
};

/* Changed by its thread alone, which may be switched amid a program. */
struct marking {
	struct walk walk;
	__u64 state; /* of the thread, as it was found last */
	__u64 gc_ns, gc_cost;
	__u32 generation;
	__u8 collecting;
	__u8 beyond_importlib; /* frames of the import system are passed */
	__u8 pad[2];
	__u32 depth; /* of imports; those beyond WIRE_IMPORTS are not kept */
	__u32 below; /* of these, not looked at yet */
	struct import imports[WIRE_IMPORTS];
};

/*
 * By tid, from its first mark to its end.  6 KiB each, from the start: so much is seldom to
 * be had in the middle of a program.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_MARKED);
	__type(key, __u32);
	__type(value, struct marking);
} marking SEC(".maps");

/* By tgid: where its threads' states are. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_MAX_PROCS);
	__type(key, __u32);
	__type(value, struct wire_sampled);
} marked SEC(".maps");

static const struct marking no_marking;

static __always_inline struct marking *marking_here(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&marking, &tid);
}

static __always_inline struct marking *marking_make(void)
{
	struct marking *m = marking_here();
	__u32 tid = bpf_get_current_pid_tgid();

	if (m)
		return m;
	if (bpf_map_update_elem(&marking, &tid, &no_marking, BPF_ANY) || !(m = marking_here()))
		lose(WIRE_LOSS_MARKS);
	return m;
}

__noinline int state_search_step(void)
{
	struct marking *m = marking_here();

	return m ? walk_search_step(&m->walk) : 0;
}

/* As thread_find() of walk.bpf.c. */
static __always_inline void state_find(struct marking *m)
{
	struct walk *w = &m->walk;

	w->self = self_read();
	w->slack = SELF_SLACK;
	walk_recall(w, m->state);
	if (w->fit != WALK_CURRENT) {
		walk_search(w);
		for (int i = 0; i < WALK_STATES; i++)
			if (!state_search_step())
				break;
	}
	m->state = w->state;
}

/*
 * The import system's own code, which imports the packages that a module is in: its
 * file is "<frozen importlib._bootstrap>", or _bootstrap_external.
 */
static __always_inline int is_importlib(struct walk *w)
{
	__u64 file = WALK_WORD(w->code_words, layout.code_filename, 0);
	__u64 head[3];

	return !walk_read(head, sizeof(head), file + layout.str_ascii_data) &&
	       head[0] == TEXT8('<', 'f', 'r', 'o', 'z', 'e', 'n', ' ') &&
	       head[1] == TEXT8('i', 'm', 'p', 'o', 'r', 't', 'l', 'i') &&
	       head[2] == TEXT8('b', '.', '_', 'b', 'o', 'o', 't', 's');
}

/* One frame further out; 0: that of a function was met, or there is none. */
__noinline int place_step(void)
{
	struct marking *m = marking_here();
	struct walk_frame f;
	struct walk *w;

	if (!m || !m->walk.frame)
		return 0;
	w = &m->walk;
	if (walk_frame_read(w, &f)) {
		w->frame = 0;
		return 0;
	}
	w->frame = f.previous;
	if (walk_is_foreign(&f))
		return 1;
	if (walk_code_read(w, f.code)) {
		w->frame = 0;
		return 0;
	}
	if (walk_is_no_call(w, &f) || (m->beyond_importlib && is_importlib(w))) {
		w->code = 0;
		return 1;
	}
	return 0;
}

/* More frames in a row than these are not passed. */
#define PLACE_STEPS 32

/* The function that the current thread is in. */
__noinline int place_find(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct marking *m = marking_here();
	struct wire_sampled *p;
	__u32 tgid = id >> 32;
	struct walk *w;

	p = m ? bpf_map_lookup_elem(&marked, &tgid) : 0;
	if (!p || p->build == WIRE_NO_BUILD)
		return 0;
	w = &m->walk;
	w->process = *p;
	w->sample.head.tgid = tgid;
	w->code = 0;
	state_find(m);
	if (!m->state)
		return 0;
	w->frame = runtime.tstate_cframe == PY_NONE
			   ? walk_u64(m->state + runtime.tstate_frame)
			   : walk_u64(walk_u64(m->state + runtime.tstate_cframe) +
				      runtime.cframe_frame);
	for (int i = 0; i < PLACE_STEPS; i++)
		if (!place_step())
			break;
	return w->code != 0;
}

static __always_inline void place_read(struct marking *m, __u64 class_id, int beyond_importlib,
				       struct wire_mark_place *ret)
{
	m->beyond_importlib = beyond_importlib;
	m->walk.code = 0;
	place_find();
	ret->class_id = class_id;
	ret->code = m->walk.code;
	ret->print = m->walk.code ? print_of(&m->walk) : 0;
	ret->pad = 0;
}

#endif
