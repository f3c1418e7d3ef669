/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites in functions of the interpreter.
 *
 * 3.6 to 3.10: each Python call is a call of _PyEval_EvalFrameDefault(), which
 * sets tstate->frame to its frame, and to the frame's f_back when it is done
 * (Python/ceval.c): once for each, whatever ends the frame, and not at all when
 * the recursion limit is hit, as sys.setprofile() sees it.
 *
 * From 3.12 on every exit but a yield calls _PyEval_FrameClearAndPop(tstate,
 * frame), _PyEvalFrameClearAndPop() in 3.12.
 */
#include "symbolizer/eval_finder.h"

#include <errno.h>

/* PyThreadState.frame, Include/pystate.h (3.6, 3.7), cpython/pystate.h (to 3.10) */
#define TSTATE_FRAME 24

#define PROLOGUE_MAX 200
#define HANDLER_MAX 400
#define FUNCTION_MAX (1 << 20)

/* Registers that hold the frame and the thread state after the prologue, as bits. */
struct held {
	uint32_t frames, threads;
};

static bool is_push(const struct insn *insn, const struct held *h)
{
	return insn->store_base != INSN_NO_REG && h->threads & 1u << insn->store_base &&
	       insn->store_at == TSTATE_FRAME && insn->store_size == 8 &&
	       insn->store_reg != INSN_NO_REG && h->frames & 1u << insn->store_reg;
}

/*
 * The store of the frame to tstate->frame, near the function's start.  Before
 * 3.9 (f, throwflag) the thread state comes from a global variable, so it is
 * what the store says; from then on it is the first argument.
 */
static bool find_push(struct finder *s, uint64_t start, struct insn *ret, struct held *ret_held)
{
	bool early = s->minor < 9;
	struct held h = { 1u << (early ? USDT_X86_RDI : USDT_X86_RSI), 1u << USDT_X86_RDI };
	uint64_t at = start;

	for (unsigned i = 0; i < PROLOGUE_MAX && h.frames && disassembler_at(s->d, at, ret); i++) {
		if (early && ret->store_base != INSN_NO_REG && ret->store_base != USDT_X86_RSP)
			h.threads = 1u << ret->store_base;
		if (is_push(ret, &h)) {
			*ret_held = h;
			return true;
		}
		if (ret->kind == INSN_INDIRECT || ret->kind == INSN_RETURN || ret->kind == INSN_STOP)
			return false;
		h.frames = eval_frames_after(h.frames, ret);
		if (!early)
			h.threads = eval_frames_after(h.threads, ret);
		at = ret->kind == INSN_JUMP ? ret->target : at + ret->size;
	}
	return false;
}

/* The place after an instruction that is passed whenever it is. */
static bool add_after(struct finder *s, struct probe_sites *sites, const struct insn *insn,
		      uint32_t frames, bool frame_needed)
{
	uint64_t next = insn->vaddr + insn->size;
	struct place emulated, stepped;

	eval_walk(s->d, next, frames, &emulated, &stepped);
	if (emulated.insn.size && (!frame_needed || emulated.frame != INSN_NO_REG) &&
	    !finder_is_entered(s, next, emulated.insn.vaddr))
		return finder_add(s, sites, SITE_FUNCTION, EVAL_FUNCTION, &emulated);
	if (s->err)
		return false;
	/* Single-stepped, the store itself will do. */
	stepped = (struct place){ *insn, eval_any_register(frames) };
	return finder_add(s, sites, SITE_FUNCTION, EVAL_FUNCTION, &stepped);
}

/*
 * Each "tstate->frame = f->f_back": what is loaded from the frame is stored to
 * the thread state, on one straight line.  The load may spoil the register of
 * the frame; then the one on top of the stack is meant.
 */
static bool find_pops(struct finder *s, uint64_t start, uint64_t size, const struct held *h)
{
	uint32_t back = 0, frames = 0; /* registers that hold f->f_back, and f still */
	struct insn insn;

	for (uint64_t at = start; at < start + size; at += insn.size) {
		if (!disassembler_at(s->d, at, &insn)) {
			insn.size = 1;
			back = 0;
			continue;
		}
		if (insn.store_base != INSN_NO_REG && h->threads & 1u << insn.store_base &&
		    insn.store_at == TSTATE_FRAME && insn.store_size == 8 &&
		    insn.store_reg != INSN_NO_REG && back & 1u << insn.store_reg &&
		    !add_after(s, &s->returns, &insn, frames, false))
			return false;
		back = insn.kind == INSN_PLAIN ? eval_frames_after(back, &insn) : 0;
		frames = eval_frames_after(frames, &insn);
		if (insn.load_base != INSN_NO_REG && h->frames & 1u << insn.load_base &&
		    insn.load_at == s->layout->frame_previous && insn.load_to != INSN_NO_REG) {
			back |= 1u << insn.load_to;
			frames = h->frames & ~(1u << insn.load_to);
		}
	}
	return true;
}

bool eval_frame_function(struct finder *s)
{
	uint64_t start, size;
	struct held held;
	struct insn push;

	s->err = elf_file_function(s->f, EVAL_FUNCTION, &start, &size);
	if (s->err == -ENOENT)
		return finder_fail(s, 0, EVAL_FUNCTION " is not among its symbols");
	if (s->err)
		return false;
	if (size == 0 || size > FUNCTION_MAX || !find_push(s, start, &push, &held))
		return finder_fail(s, 0, EVAL_FUNCTION " of this build does not show where it "
						       "begins a frame");
	if (!add_after(s, &s->entries, &push, held.frames, true))
		return false;
	/* Only these last until the function's end. */
	held.frames &= ~EVAL_CALLER_SAVED;
	held.threads &= ~EVAL_CALLER_SAVED;
	if (!find_pops(s, start, size, &held))
		return false;
	return s->returns.n ? true :
			      finder_fail(s, 0, EVAL_FUNCTION " of this build does not show "
							      "where it ends a frame");
}

/* What a handler calls with the frame as its second argument; 0: nothing. */
static uint64_t called_with_frame(struct finder *s, uint64_t start)
{
	uint32_t frames = 1u << s->frame;
	uint64_t at = start;
	struct insn insn;

	for (unsigned i = 0; i < HANDLER_MAX && frames && disassembler_at(s->d, at, &insn); i++) {
		if (insn.kind == INSN_CALL && frames & 1u << USDT_X86_RSI)
			return insn.target;
		if (insn.kind == INSN_INDIRECT || insn.kind == INSN_RETURN ||
		    insn.kind == INSN_STOP)
			return 0;
		frames = eval_frames_after(frames, &insn);
		at = insn.kind == INSN_JUMP ? insn.target : at + insn.size;
	}
	return 0;
}

/* By its name, else by what the handlers of plain returns call, all the same. */
static uint64_t find_pop_function(struct finder *s, const char *name)
{
	uint64_t found = 0, size;

	if (!elf_file_function(s->f, name, &found, &size))
		return found;
	for (size_t i = 0; i < EVAL_OPCODES_MAX && s->ops->ops[i].role; i++) {
		uint64_t target;

		if (s->ops->ops[i].role != EVAL_RETURN || s->ops->ops[i].instrumented)
			continue;
		target = called_with_frame(s, s->table.targets[s->ops->ops[i].number]);
		if (!target || (found && found != target))
			return 0;
		found = target;
	}
	return found;
}

bool eval_pop_function(struct finder *s)
{
	const char *name = s->minor == 12 ? "_PyEvalFrameClearAndPop" :
					    "_PyEval_FrameClearAndPop";
	uint64_t start = find_pop_function(s, name);
	struct place emulated, stepped;

	if (!start)
		return eval_unwind(s); /* compiled into its callers */
	eval_walk(s->d, start, 1u << USDT_X86_RSI, &emulated, &stepped);
	if (emulated.insn.size && emulated.frame != INSN_NO_REG &&
	    !finder_is_entered(s, start + 1, emulated.insn.vaddr))
		return finder_add(s, &s->returns, SITE_FUNCTION, name, &emulated);
	if (s->err)
		return false;
	if (stepped.insn.size && !finder_is_entered(s, start + 1, stepped.insn.vaddr))
		return finder_add(s, &s->returns, SITE_FUNCTION, name, &stepped);
	return s->err ? false :
			finder_fail(s, 0, "the function that ends a frame is entered in its midst");
}
