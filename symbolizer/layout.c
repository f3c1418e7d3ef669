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

#define FRAME_36(locals, lasti)                                               \
	.frame_lasti = (lasti), .frame_code = 32, .frame_previous = 24, .frame_owner = PY_NONE,       \
	.frame_func = PY_NONE, .frame_locals = (locals),                      \
	.frame_instr = PY_NONE,                                               \
	.owner_c_min = PY_NONE, .owner_generator = PY_NONE
#define FRAME_311                                                             \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 32, .frame_previous = 48, .frame_owner = 69,            \
	.frame_func = 0, .frame_locals = 72, .frame_instr = 56,               \
	.owner_c_min = PY_NONE, .owner_generator = 1
#define FRAME_312                                                             \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 70,              \
	.frame_func = 16, .frame_locals = 72, .frame_instr = 56,              \
	.owner_c_min = 3, .owner_generator = 1
#define FRAME_314                                                             \
	.frame_lasti = PY_NONE,                                               \
	.frame_code = 0, .frame_previous = 8, .frame_owner = 74,              \
	.frame_func = 16, .frame_locals = 80, .frame_instr = 56,              \
	.owner_c_min = 3, .owner_generator = 1, .code_tag_mask = 3

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
};

const struct cpython_layout *layout_for(int minor)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].minor == minor)
			return &layouts[i];
	return NULL;
}
