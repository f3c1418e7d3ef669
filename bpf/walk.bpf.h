/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking a thread's Python frames, while the thread itself is interrupted.
 *
 * Its memory stands still meanwhile, but the interpreter may have been amid pushing
 * or popping a frame.  So each frame must prove itself: its code is a code object, and
 * its chain has the ends that the interpreter gives it.  What does not is torn, and
 * then no path is claimed at all.
 *
 * This header is also compiled for the host, where tests run it over saved memory.  So
 * memory is read by walk_read() alone, which, as the constants `layout` and `runtime`,
 * is defined by the includer:
 *
 *	int walk_read(void *dst, __u32 len, __u64 address);	0: all was read
 *
 * All state lives in struct walk, in a map, where the verifier does not follow it: so
 * the bounded loops over walk_*_step() stay linear to verify on 5.10.
 */
#ifndef PYCOST_WALK_BPF_H
#define PYCOST_WALK_BPF_H

#include "bpf/walk_state.bpf.h"

/*
 * Others than the current thread, and those that wait for the GIL, do not collect.
 * Where there is no GIL, others run on between the times that the collecting thread has
 * stopped them, which tell who it is; what it does between them is not told from the rest.
 * Python/gc_free_threading.c, gc_collect_internal().
 */
static __always_inline void walk_collecting(struct walk *w)
{
	__u64 at = w->process.collecting, interp;
	__u32 collecting = 0;

	if (w->fit != WALK_CURRENT)
		return;
	if (runtime.interp_gc_collecting != PY_NONE) {
		interp = walk_u64(w->state + runtime.tstate_interp);
		if (runtime.interp_stopper != PY_NONE &&
		    walk_u64(interp + runtime.interp_stopper) != w->state)
			return;
		at = interp + runtime.interp_gc_collecting;
	}
	if (at && !walk_read(&collecting, sizeof(collecting), at) && collecting)
		w->sample.state = WIRE_SAMPLE_GC;
}

static __always_inline void walk_task(struct walk *w)
{
	__u64 coro;

	if (runtime.tstate_task == PY_NONE)
		return;
	w->task = walk_u64(w->state + runtime.tstate_task);
	coro = w->task ? walk_u64(w->task + runtime.task_coro) : 0;
	w->coro_frame = coro ? coro + runtime.gen_frame : 0;
}

/* Nothing has been met yet. */
static __always_inline void walk_again(struct walk *w)
{
	w->steps = 0;
	w->entry = w->settled = w->inlined = w->yielding = w->begun = 0;
	w->sample.frames = w->sample.has_opcode = 0;
	w->sample.flags &= ~(WIRE_SAMPLE_TORN | WIRE_SAMPLE_UNREAD);
}

/* 3.11, 3.12: the innermost frame of a run of the interpreter.  0, or it is unreadable. */
static __always_inline int walk_run(struct walk *w, __u64 cframe)
{
	__u64 below;

	if (!cframe || walk_read(&w->frame, sizeof(w->frame), cframe + runtime.cframe_frame) ||
	    walk_read(&below, sizeof(below), cframe + runtime.cframe_previous))
		return -1;
	/* Only what lies in the thread's state is called by nobody. */
	w->grounded = !below && cframe - w->state < WALK_STATE_SIZE;
	w->outer = below ? walk_u64(below + runtime.cframe_frame) : 0;
	if (!below && !w->grounded)
		w->frame = 0;
	return 0;
}

/* From the thread's state to its innermost frame. */
static __always_inline void walk_start(struct walk *w)
{
	w->frame = w->mark = w->cframe = w->outer = w->coro_frame = w->task = 0;
	w->tried = 0;
	w->grounded = 1;
	walk_again(w);
	if (!w->state) {
		w->sample.flags |= WIRE_SAMPLE_NO_THREAD;
		return;
	}
	walk_collecting(w);
	walk_task(w);
	if (runtime.tstate_cframe == PY_NONE) {
		if (walk_read(&w->frame, sizeof(w->frame), w->state + runtime.tstate_frame))
			w->sample.flags |= WIRE_SAMPLE_UNREAD;
		return;
	}
	w->cframe = walk_u64(w->state + runtime.tstate_cframe);
	if (walk_run(w, w->cframe))
		w->sample.flags |= WIRE_SAMPLE_UNREAD;
}

/* What one frame says of itself. */
struct walk_frame {
	__u64 address, code, previous, instr;
	__s32 lasti;
	__u32 tlbc;
	__u8 owner, is_entry;
};

static __always_inline int walk_frame_read(struct walk *w, struct walk_frame *f)
{
	__u64 base = layout.frame_owner == PY_NONE ? layout.frame_previous : 0;

	f->address = w->frame;
	if (layout.frame_owner == PY_NONE) {
		if (walk_read(w->frame_words, sizeof(w->frame_words), w->frame + base))
			return -1;
		f->lasti = WALK_U32(w->frame_words, layout.frame_lasti, base);
		f->instr = f->tlbc = f->owner = f->is_entry = 0;
	} else {
		if (walk_read(w->frame_words, 80, w->frame))
			return -1;
		f->lasti = -1;
		f->instr = WALK_WORD(w->frame_words, layout.frame_instr, 0);
		f->owner = WALK_U8(w->frame_words, layout.frame_owner, 0);
		f->tlbc = layout.frame_tlbc == PY_NONE
				  ? 0
				  : WALK_U32(w->frame_words, layout.frame_tlbc, 0);
		f->is_entry = layout.frame_is_entry != PY_NONE &&
			      WALK_U8(w->frame_words, layout.frame_is_entry, 0);
	}
	f->code = WALK_WORD(w->frame_words, layout.frame_code, base) &
		  ~(__u64)layout.code_tag_mask;
	f->previous = WALK_WORD(w->frame_words, layout.frame_previous, base);
	return 0;
}

static __always_inline int walk_is_foreign(const struct walk_frame *f)
{
	return layout.owner_c_min != PY_NONE && f->owner >= layout.owner_c_min;
}

/*
 * A run of the interpreter begins with a frame that C called: of its own from 3.12 on,
 * the function's in 3.11.  The innermost must have been called by `outer`.  In 3.11 a
 * generator that something is thrown into keeps its mark of an earlier run.
 */
static __always_inline void walk_ground(struct walk *w, const struct walk_frame *f)
{
	w->entry = layout.frame_is_entry != PY_NONE ? f->is_entry : walk_is_foreign(f);
	if (!w->entry || w->grounded)
		return;
	if (f->previous == w->outer && (f->previous || f->owner != layout.owner_generator))
		w->grounded = 1;
	else if (f->owner != layout.owner_generator)
		w->sample.flags |= WIRE_SAMPLE_TORN;
}

/* 0: it is a code object, and its first words are in code_words. */
static __always_inline int walk_code_read(struct walk *w, __u64 code)
{
	if (!code || walk_read(w->code_words, sizeof(w->code_words), code) ||
	    (w->process.code_type &&
	     WALK_WORD(w->code_words, layout.object_size - 8, 0) != w->process.code_type))
		return -1;
	w->flags_of_code = WALK_U32(w->code_words, layout.code_flags, 0);
	w->code = code;
	return 0;
}

/*
 * A run of 3.11 and 3.12 puts a cframe of its own on the C stack in front, and only
 * then fills it: until then there is what another run left.  So where the innermost
 * run does not prove itself it has just begun, and the thread is still in the one that
 * called it, whose cframe is yet in a register; else, what was left may say which.
 * 0: there is no other.
 */
static __always_inline int walk_retreat(struct walk *w)
{
	__u64 cframe;
	__u32 i = w->tried;

	if (runtime.tstate_cframe == PY_NONE || w->yielding ||
	    (w->grounded && !(w->sample.flags & WIRE_SAMPLE_TORN)))
		return 0;
	walk_again(w);
	w->frame = 0;
	w->grounded = 0;
	w->tried = i + 1;
	if (i < w->n_registers && i < WALK_REGISTERS) {
		cframe = w->registers[i];
		/* It lies further out on the stack; the thread's first, in its state. */
		if (!(cframe & 7) && (cframe - w->cframe - 1 < WALK_STACK_SIZE ||
				      cframe - w->state < WALK_STATE_SIZE))
			walk_run(w, cframe);
		return 1;
	}
	if (i > w->n_registers || walk_run(w, w->cframe) || !w->outer) {
		w->sample.flags |= WIRE_SAMPLE_TORN;
		return 0;
	}
	w->frame = w->outer;
	w->grounded = 1;
	return 1;
}

/*
 * The innermost frame, when it has not begun.  Its caller may not be in it yet up to
 * 3.13, as compilers take the liberty to write it after having made the frame current.
 * What is in it then called the frame that was there before; of those that still run,
 * any may be claimed to run now.  So the sample is the caller's, whose instruction it
 * is that calls; as it is in the exact mode.
 */
static __always_inline int walk_is_unborn(struct walk *w, const struct walk_frame *f)
{
	__u64 start = f->code + layout.code_bytecode;

	if (layout.frame_owner == PY_NONE || layout.minor > 13 || w->sample.frames)
		return 0;
	return f->instr == (layout.minor == 13 ? start : start - 2);
}

/*
 * No call of a function: the shim that cleans up after __init__ (see code_is_shim()),
 * and, from 3.11 on, a generator that is being made, whose frame is not yet its own.
 */
static __always_inline int walk_is_no_call(struct walk *w, const struct walk_frame *f)
{
	if (layout.frame_owner == PY_NONE)
		return 0;
	if (layout.minor >= 13 && WALK_WORD(w->code_words, layout.code_name, 0) ==
					  WALK_WORD(w->code_words, layout.code_filename, 0))
		return 1;
	return w->flags_of_code & PY_CO_RESUMABLE && f->owner != layout.owner_generator;
}

/* Where the bytecode that `instr` points into begins: see code_tlbc. */
static __always_inline __u64 walk_bytecode(struct walk *w, const struct walk_frame *f)
{
	__u64 copies;

	if (layout.code_tlbc != PY_NONE && f->tlbc) {
		copies = walk_u64(f->code + layout.code_tlbc);
		/* _PyCodeArray: a size, then the copies; 0 is the code's own. */
		if (copies && f->tlbc < walk_u64(copies))
			return walk_u64(copies + 8 + 8 * (__u64)f->tlbc);
	}
	return f->code + layout.code_bytecode;
}

static __always_inline __u32 walk_instr(struct walk *w, const struct walk_frame *f)
{
	__u64 offset;

	if (layout.frame_owner == PY_NONE) {
		if (f->lasti < 0)
			return WIRE_NO_INSTR;
		/* 3.10 counts in units of two bytes, as PyFrame's f_lasti has it. */
		return (layout.minor >= 10 ? 2 : 1) * (__u32)f->lasti & WIRE_NO_INSTR;
	}
	offset = f->instr - walk_bytecode(w, f);
	/* PyVarObject.ob_size: in units of two bytes. */
	if (offset >= 2 * WALK_WORD(w->code_words, layout.object_size, 0))
		return WIRE_NO_INSTR;
	return offset & WIRE_NO_INSTR;
}

static __always_inline void walk_opcode(struct walk *w, const struct walk_frame *f, __u32 instr)
{
	__u64 at = f->instr;

	/* Up to 3.12 a caller's instruction pointer is past its call. */
	if (instr == WIRE_NO_INSTR || (w->inlined && layout.minor < 13))
		return;
	if (layout.frame_owner == PY_NONE)
		at = WALK_WORD(w->code_words, layout.code_code, 0) + PY_BYTES_DATA + instr;
	w->sample.has_opcode = !walk_read(&w->sample.opcode, 1, at);
}

/* One more of `frames`; -1: there is no room for it. */
static __always_inline int walk_add(struct walk *w, __u64 code, __u32 instr)
{
	__u32 n = w->sample.frames;
	struct wire_sample_frame *frame = walk_room(w, n);

	if (!frame)
		return -1;
	frame->code = code;
	frame->print = 0;
	frame->instr = instr;
	w->sample.frames = n + 1;
	return 0;
}

static __always_inline void walk_record(struct walk *w, const struct walk_frame *f)
{
	__u32 instr = walk_instr(w, f);

	if (!w->sample.frames) {
		walk_opcode(w, f, instr);
		w->begun = f->owner != layout.owner_generator && instr &&
			   instr != WIRE_NO_INSTR;
	}
	walk_add(w, f->code, instr);
}

/*
 * One frame more.  0: there is none, negative: it was not recorded, else it is the
 * last of `frames`.
 */
static __always_inline int walk_step(struct walk *w)
{
	struct walk_frame f;

	if (!w->frame || w->sample.flags & (WIRE_SAMPLE_TORN | WIRE_SAMPLE_UNREAD))
		return walk_retreat(w) ? -1 : 0;
	if (w->sample.frames >= WIRE_SAMPLE_FRAMES || w->steps >= WALK_STEPS) {
		w->sample.flags |= WIRE_SAMPLE_DEEP;
		return 0;
	}
	if (walk_frame_read(w, &f)) {
		/* Or, where the run has but begun, no frame's address at all. */
		w->sample.flags |= w->grounded ? WIRE_SAMPLE_UNREAD : WIRE_SAMPLE_TORN;
		return -1;
	}
	if (!w->steps)
		w->yielding = f.owner == layout.owner_generator && !f.previous;
	if (!(w->steps & (w->steps - 1)))
		w->mark = w->frame;
	w->steps++;
	w->frame = f.previous;
	walk_ground(w, &f);
	if (w->frame == w->mark)
		w->sample.flags |= WIRE_SAMPLE_TORN;
	if (walk_is_foreign(&f)) {
		/*
		 * It lies on the C stack: below its end it is no more.  But 3.15's
		 * outermost lies in the thread's state.
		 */
		if (layout.minor >= 13 && w->stack && f.previous && f.address < w->stack)
			w->sample.flags |= WIRE_SAMPLE_TORN;
		/*
		 * And that alone is called by nobody (Include/internal/pycore_tstate.h,
		 * 3.15), but for a greenlet's first: in one on the C stack who called it
		 * may not be written yet, as long as what it calls has not begun.
		 */
		if (layout.minor >= 15 && !f.previous && w->steps <= 2 && !w->begun &&
		    f.address - w->state >= WALK_STATE_SIZE)
			w->sample.flags |= WIRE_SAMPLE_TORN;
		return -1;
	}
	if (w->settled)
		return -1;
	if (walk_code_read(w, f.code)) {
		w->sample.flags |= WIRE_SAMPLE_TORN;
		return -1;
	}
	if (walk_is_unborn(w, &f) || walk_is_no_call(w, &f)) {
		w->inlined = 1;
		return -1;
	}
	walk_record(w, &f);
	w->settled = f.address == w->coro_frame;
	return 1;
}

/* After the last frame: whether the path may be believed. */
static __always_inline void walk_finish(struct walk *w)
{
	struct wire_sample *s = &w->sample;

	/*
	 * From 3.11 on, the outermost frame of all is one that C called.  Up to 3.10 it
	 * is no generator's: where throw() goes on to the one that it delegates to,
	 * _gen_throw() in Objects/genobject.c makes its frame current without a caller.
	 */
	if (!w->frame && w->steps &&
	    (layout.frame_owner == PY_NONE ? !!(w->flags_of_code & PY_CO_RESUMABLE)
					   : !w->entry || !w->grounded))
		s->flags |= WIRE_SAMPLE_TORN;
	if (w->frame && !s->flags)
		s->flags |= WIRE_SAMPLE_DEEP;
	if (s->flags & (WIRE_SAMPLE_TORN | WIRE_SAMPLE_UNREAD)) {
		s->frames = 0;
		s->has_opcode = 0;
	}
	if (!s->frames || !w->settled)
		w->task = 0;
}

/* ---- the tasks that await ---- */

/* One task more that awaits the last; 0: there is none that is known. */
static __always_inline int walk_await_step(struct walk *w)
{
	__u64 next = w->task ? walk_u64(w->task + runtime.task_awaited_by) : 0;
	__u8 is_set = 0, is_task = 0;
	struct walk_frame f;

	if (!next || walk_read(&is_set, 1, w->task + runtime.task_awaited_by_is_set))
		return 0;
	if (is_set) /* several: none of them is told */
		return 0;
	w->task = next;
	if (walk_read(&is_task, 1, next + runtime.task_is_task))
		return 0;
	if (!is_task) /* what gather() makes, say: it has no coroutine */
		return -1;
	w->frame = walk_u64(next + runtime.task_coro) + runtime.gen_frame;
	if (walk_frame_read(w, &f) || f.owner != layout.owner_generator ||
	    walk_code_read(w, f.code))
		return 0; /* a coroutine that is none of the interpreter's */
	return !walk_add(w, f.code, walk_instr(w, &f) | WIRE_FRAME_AWAITS);
}

#endif
