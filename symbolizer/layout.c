/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources, by struct, in CPython's own headers:
 *
 *   PyFrameObject		Include/frameobject.h to 3.8, cpython/frameobject.h to 3.10
 *   _PyInterpreterFrame	Include/internal/pycore_frame.h 3.11 to 3.13,
 *				pycore_interpframe_structs.h from 3.14
 *   PyCodeObject		Include/code.h to 3.8, cpython/code.h from 3.9
 *   PyFunctionObject		Include/funcobject.h to 3.9, cpython/funcobject.h from 3.10
 *   PyTupleObject		gained ob_hash in 3.14
 *   PyASCIIObject		lost wstr in 3.12
 *   enum _frameowner		beside the frame: C-entry frames came in 3.12
 *   Py_TAG_BITS		Include/internal/pycore_stackref.h from 3.14
 *   PyThreadState		Include/pystate.h to 3.7, cpython/pystate.h from 3.8;
 *				with the frame in a _PyCFrame in 3.11 and 3.12
 *   _PyThreadStateImpl		Include/internal/pycore_tstate.h from 3.14
 *   PyInterpreterState		Include/pystate.h to 3.7, internal/pycore_pystate.h 3.8,
 *				pycore_interp.h to 3.13, pycore_interp_structs.h
 *   _PyRuntimeState		Include/internal/pystate.h 3.7, pycore_pystate.h 3.8,
 *				pycore_runtime.h to 3.13, pycore_runtime_structs.h
 *   PyGenObject		Include/genobject.h to 3.9, cpython/genobject.h to 3.13,
 *				internal/pycore_interpframe_structs.h
 *   TaskObj			Modules/_asynciomodule.c from 3.14, read in .AsyncioDebug
 */
#include "symbolizer/layout.h"

#include <stddef.h>

/* What several minors share.  A family that moves gets a new name. */
#define OBJECTS_36                                                            \
	.func_qualname = 104, .func_closure = 48, .cell_ref = 16,             \
	.tuple_items = 24, .str_ascii_data = 48, .str_unicode_data = 72
#define OBJECTS_310                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 24, .str_ascii_data = 48, .str_unicode_data = 72
#define OBJECTS_312                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 24, .str_ascii_data = 40, .str_unicode_data = 56
#define OBJECTS_314                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 32, .str_ascii_data = 40, .str_unicode_data = 56
#define OBJECTS_313T                                                          \
	.func_qualname = 56, .func_closure = 88, .cell_ref = 32,              \
	.tuple_items = 40, .str_ascii_data = 56, .str_unicode_data = 72,      \
	.object_extra = 16, .str_state_shift = 0
#define OBJECTS_314T                                                          \
	.func_qualname = 56, .func_closure = 88, .cell_ref = 32,              \
	.tuple_items = 48, .str_ascii_data = 56, .str_unicode_data = 72,      \
	.object_extra = 16, .str_state_shift = 6

#define CODE_36                                                               \
	.code_flags = 32, .code_firstlineno = 36, .code_filename = 96,        \
	.code_name = 104, .code_qualname = PY_NONE, .code_nlocals = 24,       \
	.code_cellvars = 80, .code_freevars = 72, .code_nfreevars = PY_NONE,   \
	.code_linetable = 112, .code_bytecode = PY_NONE,                      \
	.code_code = 40, .code_tlbc = PY_NONE
#define CODE_38                                                               \
	.code_flags = 36, .code_firstlineno = 40, .code_filename = 104,       \
	.code_name = 112, .code_qualname = PY_NONE, .code_nlocals = 28,       \
	.code_cellvars = 88, .code_freevars = 80, .code_nfreevars = PY_NONE,   \
	.code_linetable = 120, .code_bytecode = PY_NONE,                      \
	.code_code = 48, .code_tlbc = PY_NONE
#define CODE_311(bytecode)                                                    \
	.code_flags = 48, .code_firstlineno = 72, .code_filename = 112,       \
	.code_name = 120, .code_qualname = 128, .code_nlocals = 80,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 92, .code_linetable = 136,                          \
	.code_bytecode = (bytecode), .code_code = PY_NONE, .code_tlbc = PY_NONE
#define CODE_312(bytecode)                                                    \
	.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,       \
	.code_name = 120, .code_qualname = 128, .code_nlocals = 80,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 88, .code_linetable = 136,                          \
	.code_bytecode = (bytecode), .code_code = PY_NONE, .code_tlbc = PY_NONE
/* Free-threaded: all behind the object's head is 16 further on. */
#define CODE_313T(bytecode, tlbc)                                             \
	.code_flags = 64, .code_firstlineno = 84, .code_filename = 128,       \
	.code_name = 136, .code_qualname = 144, .code_nlocals = 96,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 104, .code_linetable = 152,                         \
	.code_bytecode = (bytecode), .code_code = PY_NONE, .code_tlbc = (tlbc)

#define FRAME_36(locals, lasti)                                               \
	.frame_code = 32, .frame_previous = 24, .frame_owner = PY_NONE,       \
	.frame_func = PY_NONE, .frame_locals = (locals),                      \
	.frame_instr = PY_NONE, .frame_lasti = (lasti),                       \
	.frame_tlbc = PY_NONE,                                                \
	.owner_c_min = PY_NONE, .owner_generator = PY_NONE
#define FRAME_311                                                             \
	.frame_code = 32, .frame_previous = 48, .frame_owner = 69,            \
	.frame_func = 0, .frame_locals = 72, .frame_instr = 56,              \
	.frame_lasti = PY_NONE, .frame_tlbc = PY_NONE,                        \
	.owner_c_min = PY_NONE, .owner_generator = 1
#define FRAME_312                                                             \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 70,              \
	.frame_func = 16, .frame_locals = 72, .frame_instr = 56,              \
	.frame_lasti = PY_NONE, .frame_tlbc = PY_NONE,                        \
	.owner_c_min = 3, .owner_generator = 1
#define FRAME_314                                                             \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 74,              \
	.frame_func = 16, .frame_locals = 80, .frame_instr = 56,              \
	.frame_lasti = PY_NONE, .frame_tlbc = PY_NONE,                        \
	.owner_c_min = 3, .owner_generator = 1, .code_tag_mask = 3
#define FRAME_314T(tag_mask)                                                  \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 78,              \
	.frame_func = 16, .frame_locals = 80, .frame_instr = 56,              \
	.frame_lasti = PY_NONE, .frame_tlbc = 72,                             \
	.owner_c_min = 3, .owner_generator = 1, .code_tag_mask = (tag_mask)

static const struct cpython_layout layouts[] = {
	{ .minor = 6, FRAME_36(376, 120), CODE_36, OBJECTS_36 },
	{ .minor = 7, FRAME_36(360, 104), CODE_36, OBJECTS_36 },
	{ .minor = 8, FRAME_36(360, 104), CODE_38, OBJECTS_36 },
	{ .minor = 9, FRAME_36(360, 104), CODE_38, OBJECTS_36 },
	{ .minor = 10, FRAME_36(352, 96), CODE_38, OBJECTS_310 },
	{ .minor = 11, FRAME_311, CODE_311(184), OBJECTS_310 },
	{ .minor = 12, FRAME_312, CODE_312(192), OBJECTS_312 },
	{ .minor = 13, FRAME_312, CODE_312(200), OBJECTS_312 },
	{ .minor = 14, FRAME_314, CODE_312(208), OBJECTS_314 },
	{ .minor = 15, FRAME_314, CODE_312(208), OBJECTS_314 },
	{ .minor = 13, FRAME_312, CODE_313T(216, PY_NONE), OBJECTS_313T },
	{ .minor = 14, FRAME_314T(1), CODE_313T(232, 224), OBJECTS_314T },
	{ .minor = 15, FRAME_314T(3), CODE_313T(232, 224), OBJECTS_314T },
};

#define RUNTIME(interpreters, current, autotss, collecting)                   \
	.runtime_interpreters = (interpreters), .runtime_current = (current), \
	.runtime_autotss = (autotss), .runtime_gc_collecting = (collecting)
#define INTERP(next, threads, collecting)                                     \
	.interp_next = (next), .interp_threads = (threads),                   \
	.interp_gc_collecting = (collecting)
#define TSTATE(frame, id, native)                                             \
	.tstate_next = 8, .tstate_interp = 16, .tstate_frame = (frame),       \
	.tstate_cframe = PY_NONE, .cframe_frame = PY_NONE,                    \
	.cframe_previous = PY_NONE, .tstate_thread_id = (id),                 \
	.tstate_native_id = (native)
#define TSTATE_311(id, native, current, previous)                             \
	.tstate_next = 8, .tstate_interp = 16, .tstate_frame = PY_NONE,       \
	.tstate_cframe = 56, .cframe_frame = (current),                       \
	.cframe_previous = (previous), .tstate_thread_id = (id),              \
	.tstate_native_id = (native)
#define NO_TASKS                                                              \
	.tstate_task = PY_NONE, .task_coro = PY_NONE,                         \
	.task_awaited_by = PY_NONE, .task_awaited_by_is_set = PY_NONE
#define TASKS_314(running, extra)                                             \
	.tstate_task = (running), .task_coro = 128 + (extra),                 \
	.task_awaited_by = 96 + (extra), .task_awaited_by_is_set = 109 + (extra)

static const struct {
	int minor;
	bool free_threaded;
	struct cpython_runtime runtime;
} runtimes[] = {
	{ 6, false, { RUNTIME(PY_NONE, PY_NONE, PY_NONE, PY_NONE), INTERP(0, 8, PY_NONE),
		      TSTATE(24, 152, PY_NONE), NO_TASKS, .gen_frame = 16 } },
	{ 7, false, { RUNTIME(24, 1480, 1504, 632), INTERP(0, 8, PY_NONE),
		      TSTATE(24, 176, PY_NONE), NO_TASKS, .gen_frame = 16 } },
	{ 8, false, { RUNTIME(32, 1368, 1392, 544), INTERP(0, 8, PY_NONE),
		      TSTATE(24, 176, PY_NONE), NO_TASKS, .gen_frame = 16 } },
	{ 9, false, { RUNTIME(32, 568, 584, PY_NONE), INTERP(0, 8, 816),
		      TSTATE(24, 176, PY_NONE), NO_TASKS, .gen_frame = 16 } },
	{ 10, false, { RUNTIME(32, 568, 584, PY_NONE), INTERP(0, 8, 816),
		       TSTATE(24, 176, PY_NONE), NO_TASKS, .gen_frame = 16 } },
	{ 11, false, { RUNTIME(40, 576, 592, PY_NONE), INTERP(0, 16, 848),
		       TSTATE_311(152, 160, 8, 16), NO_TASKS, .gen_frame = 80 } },
	{ 12, false, { RUNTIME(40, PY_NONE, 1544, PY_NONE), INTERP(0, 72, 312),
		       TSTATE_311(136, 144, 0, 8), NO_TASKS, .gen_frame = 72 } },
	{ 13, false, { RUNTIME(632, PY_NONE, 2160, PY_NONE), INTERP(7264, 7344, 7600),
		       TSTATE(72, 152, 160), NO_TASKS, .gen_frame = 72 } },
	{ 14, false, { RUNTIME(808, PY_NONE, 2336, PY_NONE), INTERP(7272, 7344, 7600),
		       TSTATE(72, 152, 160), TASKS_314(872, 0), .gen_frame = 72 } },
	{ 15, false, { RUNTIME(936, PY_NONE, PY_NONE, PY_NONE), INTERP(7264, 7336, 7512),
		       TSTATE(72, 176, 184), TASKS_314(1032, 0), .gen_frame = 72 } },
	{ 13, true, { RUNTIME(632, PY_NONE, 2160, PY_NONE), INTERP(7264, 7344, 7600),
		      TSTATE(72, 152, 160), NO_TASKS, .gen_frame = 88 } },
	{ 14, true, { RUNTIME(808, PY_NONE, 2336, PY_NONE), INTERP(7272, 7344, 7600),
		      TSTATE(72, 152, 160), TASKS_314(872, 16), .gen_frame = 88 } },
	{ 15, true, { RUNTIME(936, PY_NONE, PY_NONE, PY_NONE), INTERP(7264, 7336, 7512),
		      TSTATE(72, 176, 184), TASKS_314(1032, 16), .gen_frame = 88 } },
};

const struct cpython_layout *layout_of(int minor, bool free_threaded)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].minor == minor && (layouts[i].object_extra != 0) == free_threaded)
			return &layouts[i];
	return NULL;
}

const struct cpython_runtime *runtime_of(int minor, bool free_threaded)
{
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (runtimes[i].minor == minor && runtimes[i].free_threaded == free_threaded)
			return &runtimes[i].runtime;
	return NULL;
}

const struct cpython_layout *layout_for(int minor)
{
	return layout_of(minor, false);
}
