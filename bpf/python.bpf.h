/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one interpreter build: its registers at the probes and its structs.
 *
 * Each build gets its own copy of the programs, with these constants filled in
 * before loading.  The verifier then drops every branch that the build does not
 * need, and what is left reads plain offsets.
 */
#ifndef PYCOST_PYTHON_BPF_H
#define PYCOST_PYTHON_BPF_H

#include "bpf/layout.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/regs.bpf.h"

/* See regs.bpf.h; REG_NONE when not in a register. */
const volatile __u8 entry_frame_reg = REG_NONE;
const volatile __u8 return_frame_reg = REG_NONE;
/* The two name arguments of function__return: equal for the 3.15 shim. */
const volatile __u8 return_file_reg = REG_NONE;
const volatile __u8 return_name_reg = REG_NONE;
/* No USDT probes, but instructions of the interpreter's: nothing is handed over. */
const volatile __u8 trapped;
/* The third argument, the line number. */
const volatile __u8 entry_line_reg = REG_NONE;
const volatile __u8 return_line_reg = REG_NONE;

/* Those that a compiler may keep a frame in, each handed to X. */
#define FRAME_REGS_ALL(X)                                                                          \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#ifdef __TARGET_ARCH_arm64
#define FRAME_REGS(X)                                                                              \
	FRAME_REGS_ALL(X)                                                                          \
	X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28)
#else
#define FRAME_REGS(X) FRAME_REGS_ALL(X)
#endif

/* The parts of a frame that say who it is and who called it. */
struct py_frame {
	__u64 code;
	__u64 previous;
	__u64 instr; /* prev_instr up to 3.12; 0 up to 3.10 */
	__u8 owner;
};

/*
 * All of them lie in the frame's first 96 bytes (80 from 3.11), so one read
 * serves: a read of user memory costs about the same whatever its length.
 */
#define FRAME_HEAD 96
static __always_inline int frame_read(struct py_frame *ret, __u64 frame)
{
	union {
		__u8 bytes[FRAME_HEAD];
		__u64 words[FRAME_HEAD / 8];
	} head;

	if (layout.frame_owner == PY_NONE) {
		/* 3.6-3.10: f_back and f_code are neighbours. */
		__u64 pair[2];

		if (bpf_probe_read_user(pair, sizeof(pair), (void *)(frame + layout.frame_previous)))
			return -1;
		ret->previous = pair[0];
		ret->code = pair[1];
		ret->owner = 0;
		ret->instr = 0;
		return 0;
	}
	if (bpf_probe_read_user(&head, 80, (void *)frame))
		return -1;
	ret->code = head.words[(layout.frame_code & 63) / 8] & ~(__u64)layout.code_tag_mask;
	ret->previous = head.words[(layout.frame_previous & 63) / 8];
	ret->instr = head.words[(layout.frame_instr & 63) / 8];
	ret->owner = head.bytes[layout.frame_owner & 127 ? layout.frame_owner & 127 : 0];
	return 0;
}

/* A frame of the interpreter's own, with no Python function in it. */
static __always_inline int frame_is_foreign(const struct py_frame *f)
{
	return layout.frame_owner != PY_NONE && f->owner >= layout.owner_c_min;
}

/*
 * The code of the __init__ clean-up shim, from 3.12 on, is named `__init__` in a
 * file named `__init__`, the same interned str (Objects/codeobject.c): no real
 * code has one object for both.
 */
static __always_inline int code_named_twice(__u64 code)
{
	__u64 names[2];

	if (layout.minor < 12 || layout.code_name != layout.code_filename + 8)
		return 0;
	if (bpf_probe_read_user(names, sizeof(names), (void *)(code + layout.code_filename)))
		return 0;
	return names[0] && names[0] == names[1];
}

static __always_inline int code_is_shim(struct wire_thread *t, __u64 code)
{
	if (layout.minor < 12)
		return 0;
	if (code == t->shim_code)
		return 1;
	if (!code_named_twice(code))
		return 0;
	t->shim_code = code;
	return 1;
}

/*
 * A frame that was made but never ran: its arguments were wrong, or it hit the
 * recursion limit.  From 3.12 on such a one is cleared as others are, where their
 * returns are seen (_PyEvalFramePushAndInit() and start_frame in Python/ceval.c).
 * It points at its first instruction, up to 3.12 in front of it.
 */
static __always_inline int frame_never_ran(const struct py_frame *f)
{
	return layout.code_bytecode != PY_NONE &&
	       f->instr < f->code + layout.code_bytecode + (layout.minor >= 13 ? 2 : 0);
}

/* What `frame` calls its caller, C-entry frames and shims skipped; 0: nobody. */
#define FOREIGN_RUN 8
static __always_inline __u64 caller_of(struct wire_thread *t, __u64 previous)
{
	struct py_frame f;

	if (layout.frame_owner == PY_NONE)
		return previous;
	for (int i = 0; i < FOREIGN_RUN && previous; i++) {
		if (previous == t->top_frame)
			return previous;
		if (frame_read(&f, previous))
			return 0;
		if (!frame_is_foreign(&f) && !code_is_shim(t, f.code))
			return previous;
		previous = f.previous;
	}
	return previous;
}

/*
 * The qualname of the function that this closure holds, which tells wrappers
 * made by one decorator apart: first what functools.wraps left in the wrapper's
 * own __qualname__ (the frame knows its function from 3.11), else the first
 * function among the free variables.  The str belongs to the wrapped code, so
 * there are only as many as there are wrapped functions.
 */
#define CLOSURE_LOOK 4
static __always_inline __u64 closure_wraps(struct wire_thread *t, __u64 frame, __u64 code)
{
	__u64 cells, cell, object, count;

	if (layout.frame_func != PY_NONE) {
		__u64 func = user_u64(frame + layout.frame_func) & ~(__u64)layout.code_tag_mask;
		__u64 qualname = user_u64(func + layout.func_qualname);

		if (qualname && qualname != user_u64(code + layout.code_qualname))
			return qualname;
		cells = user_u64(func + layout.func_closure);
		if (!cells)
			return 0;
		count = user_u64(cells + 16);
		cells += layout.tuple_items;
	} else {
		/* PyCodeObject: free variables follow locals and cell variables. */
		__u32 nlocals = 0;
		__u64 cellvars = user_u64(code + layout.code_cellvars);
		__u64 freevars = user_u64(code + layout.code_freevars);

		bpf_probe_read_user(&nlocals, 4, (void *)(code + layout.code_nlocals));
		count = freevars ? user_u64(freevars + 16) : 0;
		cells = frame + layout.frame_locals + 8 * (nlocals + user_u64(cellvars + 16));
	}
	for (int i = 0; i < CLOSURE_LOOK && i < count; i++) {
		cell = user_u64(cells + 8 * i);
		object = cell ? user_u64(cell + layout.cell_ref) : 0;
		if (object && t->func_type && user_u64(object + 8) == t->func_type)
			return user_u64(object + layout.func_qualname);
	}
	return 0;
}

#endif
