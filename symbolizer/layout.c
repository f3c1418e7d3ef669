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
 *   _PyRuntimeState		Include/internal/pycore_runtime.h, pycore_runtime_structs.h
 *   PyInterpreterState		Include/internal/pycore_interp.h, pycore_interp_structs.h;
 *				pystate.h up to 3.7
 *   PyThreadState		Include/cpython/pystate.h, pystate.h up to 3.7; _PyCFrame too
 *   _PyThreadStateImpl		Include/internal/pycore_tstate.h
 *   TaskObj			Modules/_asynciomodule.c
 *   PyGenObject		Include/genobject.h, cpython/genobject.h from 3.9,
 *				internal/pycore_interpframe_structs.h from 3.14
 */
#include "symbolizer/layout.h"

#include <stddef.h>

/* What several minors share.  A family that moves gets a new name. */
#define OBJECTS_36                                                            \
	.func_qualname = 104, .func_closure = 48, .cell_ref = 16,             \
	.tuple_items = 24, .str_ascii_data = 48, .str_unicode_data = 72,      \
	.object_size = 16
#define OBJECTS_310                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 24, .str_ascii_data = 48, .str_unicode_data = 72,      \
	.object_size = 16
#define OBJECTS_312                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 24, .str_ascii_data = 40, .str_unicode_data = 56,      \
	.object_size = 16
#define OBJECTS_314                                                           \
	.func_qualname = 40, .func_closure = 72, .cell_ref = 16,              \
	.tuple_items = 32, .str_ascii_data = 40, .str_unicode_data = 56,      \
	.object_size = 16
/* Free-threaded: a head of 32 bytes. */
#define OBJECTS_313T                                                          \
	.func_qualname = 56, .func_closure = 88, .cell_ref = 32,              \
	.tuple_items = 40, .str_ascii_data = 56, .str_unicode_data = 72,      \
	.object_size = 32
#define OBJECTS_314T                                                          \
	.func_qualname = 56, .func_closure = 88, .cell_ref = 32,              \
	.tuple_items = 48, .str_ascii_data = 56, .str_unicode_data = 72,      \
	.object_size = 32, .str_state_shift = 6

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
#define CODE_311(bytecode)                                                              \
	.code_flags = 48, .code_firstlineno = 72, .code_filename = 112,       \
	.code_name = 120, .code_qualname = 128, .code_nlocals = 80,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 92, .code_linetable = 136, .code_bytecode = (bytecode), \
	.code_code = PY_NONE, .code_tlbc = PY_NONE
#define CODE_312(bytecode)                                                              \
	.code_flags = 48, .code_firstlineno = 68, .code_filename = 112,       \
	.code_name = 120, .code_qualname = 128, .code_nlocals = 80,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 88, .code_linetable = 136, .code_bytecode = (bytecode), \
	.code_code = PY_NONE, .code_tlbc = PY_NONE

#define CODE_313T(bytecode, tlbc)                                             \
	.code_flags = 64, .code_firstlineno = 84, .code_filename = 128,       \
	.code_name = 136, .code_qualname = 144, .code_nlocals = 96,           \
	.code_cellvars = PY_NONE, .code_freevars = PY_NONE,                   \
	.code_nfreevars = 104, .code_linetable = 152, .code_bytecode = (bytecode), \
	.code_code = PY_NONE, .code_tlbc = (tlbc)

#define FRAME_36(locals, lasti)                                               \
	.frame_lasti = (lasti), .frame_code = 32, .frame_previous = 24, .frame_owner = PY_NONE,       \
	.frame_func = PY_NONE, .frame_locals = (locals),                      \
	.frame_instr = PY_NONE, .frame_is_entry = PY_NONE, .frame_tlbc = PY_NONE, \
	.owner_c_min = PY_NONE, .owner_generator = PY_NONE
#define FRAME_311                                                             \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 32, .frame_previous = 48, .frame_owner = 69,            \
	.frame_func = 0, .frame_locals = 72, .frame_instr = 56,               \
	.frame_is_entry = 68, .frame_tlbc = PY_NONE,                          \
	.owner_c_min = PY_NONE, .owner_generator = 1
#define FRAME_312                                                             \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 70,              \
	.frame_func = 16, .frame_locals = 72, .frame_instr = 56,              \
	.frame_is_entry = PY_NONE, .frame_tlbc = PY_NONE,                     \
	.owner_c_min = 3, .owner_generator = 1
#define FRAME_314(owner, tlbc, tag_mask)                                      \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 0, .frame_previous = 8, .frame_owner = (owner),         \
	.frame_func = 16, .frame_locals = 80, .frame_instr = 56,              \
	.frame_is_entry = PY_NONE, .frame_tlbc = (tlbc),                      \
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
	{ .minor = 14, FRAME_314(74, PY_NONE, 3), CODE_312(208), OBJECTS_314 },
	{ .minor = 15, FRAME_314(74, PY_NONE, 3), CODE_312(208), OBJECTS_314 },
};

static const struct cpython_layout free_threaded[] = {
	{ .minor = 13, FRAME_312, CODE_313T(216, PY_NONE), OBJECTS_313T },
	{ .minor = 14, FRAME_314(78, 72, 1), CODE_313T(232, 224), OBJECTS_314T },
	{ .minor = 15, FRAME_314(78, 72, 3), CODE_313T(232, 224), OBJECTS_314T },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct cpython_layout *layout_for_build(int minor, bool is_free_threaded)
{
	const struct cpython_layout *v = is_free_threaded ? free_threaded : layouts;
	size_t n = is_free_threaded ? COUNT(free_threaded) : COUNT(layouts);

	for (size_t i = 0; i < n; i++)
		if (v[i].minor == minor)
			return &v[i];
	return NULL;
}

const struct cpython_layout *layout_for(int minor)
{
	return layout_for_build(minor, false);
}

#define NO_CFRAME                                                             \
	.tstate_cframe = PY_NONE, .cframe_frame = PY_NONE, .cframe_previous = PY_NONE
#define NO_TASKS                                                              \
	.tstate_task = PY_NONE, .task_coro = PY_NONE, .task_is_task = PY_NONE, \
	.task_awaited_by = PY_NONE, .task_awaited_by_is_set = PY_NONE
#define WITH_GIL .interp_stopper = PY_NONE
#define TSTATE_36(thread_id)                                                  \
	.tstate_next = 8, .tstate_interp = 16, .tstate_thread_id = (thread_id), \
	.tstate_native_id = PY_NONE, .tstate_status = PY_NONE,                \
	.tstate_frame = 24, NO_CFRAME, NO_TASKS, .gen_frame = 16,             \
	.interp_next = 0, .interp_threads = 8
#define TSTATE_311                                                            \
	.tstate_next = 8, .tstate_interp = 16, .tstate_thread_id = 152,       \
	.tstate_native_id = 160, .tstate_status = PY_NONE,                    \
	.tstate_frame = PY_NONE, .tstate_cframe = 56, .cframe_frame = 8,      \
	.cframe_previous = 16, NO_TASKS, .gen_frame = 80,                     \
	.interp_next = 0, .interp_threads = 16
#define TSTATE_312                                                            \
	.tstate_next = 8, .tstate_interp = 16, .tstate_thread_id = 136,       \
	.tstate_native_id = 144, .tstate_status = 24,                         \
	.tstate_frame = PY_NONE, .tstate_cframe = 56, .cframe_frame = 0,      \
	.cframe_previous = 8, NO_TASKS, .gen_frame = 72,                      \
	.interp_next = 0, .interp_threads = 72
#define TSTATE_313(thread_id)                                                 \
	.tstate_next = 8, .tstate_interp = 16, .tstate_thread_id = (thread_id), \
	.tstate_native_id = (thread_id) + 8, .tstate_status = 32,             \
	.tstate_frame = 72, NO_CFRAME
/* What a free-threaded build's longer object head moves by `more` bytes. */
#define TASKS_314(task, more)                                                 \
	.tstate_task = (task), .task_coro = 128 + (more),                     \
	.task_is_task = 108 + (more), .task_awaited_by = 96 + (more),         \
	.task_awaited_by_is_set = 109 + (more), .gen_frame = 72 + (more)

struct runtime_of {
	int minor;
	bool free_threaded;
	struct cpython_runtime runtime;
};

static const struct runtime_of runtimes[] = {
	{ 6, false, { .runtime_interpreters = PY_NONE, .runtime_current = PY_NONE,
		.runtime_autotss = PY_NONE, .runtime_gc_collecting = PY_NONE,
		.interp_gc_collecting = PY_NONE, WITH_GIL, TSTATE_36(152) } },
	{ 7, false, { .runtime_interpreters = 24, .runtime_current = 1480,
		.runtime_autotss = 1504, .runtime_gc_collecting = 632,
		.interp_gc_collecting = PY_NONE, WITH_GIL, TSTATE_36(176) } },
	{ 8, false, { .runtime_interpreters = 32, .runtime_current = 1368,
		.runtime_autotss = 1392, .runtime_gc_collecting = 544,
		.interp_gc_collecting = PY_NONE, WITH_GIL, TSTATE_36(176) } },
	{ 9, false, { .runtime_interpreters = 32, .runtime_current = 568,
		.runtime_autotss = 584, .runtime_gc_collecting = PY_NONE,
		.interp_gc_collecting = 816, WITH_GIL, TSTATE_36(176) } },
	{ 10, false, { .runtime_interpreters = 32, .runtime_current = 568,
		.runtime_autotss = 584, .runtime_gc_collecting = PY_NONE,
		.interp_gc_collecting = 816, WITH_GIL, TSTATE_36(176) } },
	{ 11, false, { .runtime_interpreters = 40, .runtime_current = 576,
		.runtime_autotss = 592, .runtime_gc_collecting = PY_NONE,
		.interp_gc_collecting = 848, WITH_GIL, TSTATE_311 } },
	{ 12, false, { .runtime_interpreters = 40, .runtime_current = PY_NONE,
		.runtime_autotss = 1544, .runtime_gc_collecting = PY_NONE,
		.interp_gc_collecting = 312, WITH_GIL, TSTATE_312 } },
#define RUNTIME_313(more, stopper)                                            \
	{ .runtime_interpreters = 632, .runtime_current = PY_NONE,            \
		.runtime_autotss = 2160, .runtime_gc_collecting = PY_NONE,    \
		.interp_gc_collecting = 7600, .interp_next = 7264,            \
		.interp_stopper = (stopper),                                  \
		.interp_threads = 7344, TSTATE_313(152), NO_TASKS,            \
		.gen_frame = 72 + (more) }
	{ 13, false, RUNTIME_313(0, PY_NONE) },
	{ 13, true, RUNTIME_313(16, 10760) },
#define RUNTIME_314(more, stopper)                                            \
	{ .runtime_interpreters = 808, .runtime_current = PY_NONE,            \
		.runtime_autotss = 2336, .runtime_gc_collecting = PY_NONE,    \
		.interp_gc_collecting = 7600, .interp_next = 7272,            \
		.interp_stopper = (stopper),                                  \
		.interp_threads = 7344, TSTATE_313(152), TASKS_314(872, more) }
	{ 14, false, RUNTIME_314(0, PY_NONE) },
	{ 14, true, RUNTIME_314(16, 10864) },
#define RUNTIME_315(more, stopper)                                            \
	{ .runtime_interpreters = 936, .runtime_current = PY_NONE,            \
		.runtime_autotss = PY_NONE, .runtime_gc_collecting = PY_NONE, \
		.interp_gc_collecting = 7512, .interp_next = 7264,            \
		.interp_stopper = (stopper),                                  \
		.interp_threads = 7336, TSTATE_313(176), TASKS_314(1032, more) }
	{ 15, false, RUNTIME_315(0, PY_NONE) },
	{ 15, true, RUNTIME_315(16, 10816) },
};

const struct cpython_runtime *runtime_for(int minor, bool is_free_threaded)
{
	for (size_t i = 0; i < COUNT(runtimes); i++)
		if (runtimes[i].minor == minor && runtimes[i].free_threaded == is_free_threaded)
			return &runtimes[i].runtime;
	return NULL;
}
