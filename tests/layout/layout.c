/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares layout_for_build() with the headers this file is compiled against.
 * tests/layout/check.sh builds it once for each CPython it can find.
 * Exit status: 0 all equal, 1 not; each difference is printed.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_stackref.h>
#elif PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#endif

#include "symbolizer/layout.h"
#include "tests/layout/layout.h"

#ifdef Py_GIL_DISABLED
#define FREE_THREADED true
#else
#define FREE_THREADED false
#endif
/* What a free-threaded build's objects have in front. */
#define EXTRA (sizeof(PyObject) - 16)

#define FRAME_SINCE_311 (PY_VERSION_HEX >= 0x030b0000)
#if FRAME_SINCE_311
typedef struct _PyInterpreterFrame frame_t;
#endif
#if PY_VERSION_HEX >= 0x030d0000
#define FRAME_CODE f_executable
#else
#define FRAME_CODE f_code
#endif
#if PY_VERSION_HEX >= 0x030d0000
#define FRAME_INSTR instr_ptr
#else
#define FRAME_INSTR prev_instr
#endif
/* Threads have copies of the bytecode of their own. */
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
#define FREE_THREADED_CODE 1
#else
#define FREE_THREADED_CODE 0
#endif
#if PY_VERSION_HEX >= 0x030a0000
#define LINETABLE co_linetable
#else
#define LINETABLE co_lnotab
#endif
#if PY_VERSION_HEX >= 0x030c0000
#define FRAME_FUNC f_funcobj
#else
#define FRAME_FUNC f_func
#endif

static int differences;

void compare(const char *what, unsigned long ours, unsigned long theirs)
{
	if (ours == theirs)
		return;
	printf("  %s: table says %lu, headers say %lu\n", what, ours, theirs);
	differences++;
}

static void compare_frame(const struct cpython_layout *l)
{
#if FRAME_SINCE_311
	compare("frame_code", l->frame_code, offsetof(frame_t, FRAME_CODE));
	compare("frame_previous", l->frame_previous, offsetof(frame_t, previous));
	compare("frame_owner", l->frame_owner, offsetof(frame_t, owner));
	compare("frame_func", l->frame_func, offsetof(frame_t, FRAME_FUNC));
	compare("frame_locals", l->frame_locals, offsetof(frame_t, localsplus));
	compare("frame_instr", l->frame_instr, offsetof(frame_t, FRAME_INSTR));
	compare("owner_generator", l->owner_generator, FRAME_OWNED_BY_GENERATOR);
	compare("frame_lasti", l->frame_lasti, PY_NONE);
#else
	compare("frame_code", l->frame_code, offsetof(PyFrameObject, f_code));
	compare("frame_previous", l->frame_previous, offsetof(PyFrameObject, f_back));
	compare("frame_owner", l->frame_owner, PY_NONE);
	compare("frame_func", l->frame_func, PY_NONE);
	compare("frame_locals", l->frame_locals, offsetof(PyFrameObject, f_localsplus));
	compare("frame_instr", l->frame_instr, PY_NONE);
	compare("owner_generator", l->owner_generator, PY_NONE);
	compare("frame_lasti", l->frame_lasti, offsetof(PyFrameObject, f_lasti));
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000
	compare("frame_is_entry", l->frame_is_entry, offsetof(frame_t, is_entry));
#else
	compare("frame_is_entry", l->frame_is_entry, PY_NONE);
#endif
#if FREE_THREADED_CODE
	compare("frame_tlbc", l->frame_tlbc, offsetof(frame_t, tlbc_index));
	compare("sizeof tlbc_index", sizeof(((frame_t *)0)->tlbc_index), 4);
#else
	compare("frame_tlbc", l->frame_tlbc, PY_NONE);
#endif
#if PY_VERSION_HEX >= 0x030e0000
	compare("owner_c_min", l->owner_c_min, FRAME_OWNED_BY_INTERPRETER);
	compare("code_tag_mask", l->code_tag_mask, Py_TAG_BITS);
#elif PY_VERSION_HEX >= 0x030c0000
	compare("owner_c_min", l->owner_c_min, FRAME_OWNED_BY_CSTACK);
	compare("code_tag_mask", l->code_tag_mask, 0);
#else
	compare("owner_c_min", l->owner_c_min, PY_NONE);
	compare("code_tag_mask", l->code_tag_mask, 0);
#endif
}

static void compare_code(const struct cpython_layout *l)
{
	compare("code_flags", l->code_flags, offsetof(PyCodeObject, co_flags));
	compare("code_firstlineno", l->code_firstlineno, offsetof(PyCodeObject, co_firstlineno));
	compare("code_filename", l->code_filename, offsetof(PyCodeObject, co_filename));
	compare("code_name", l->code_name, offsetof(PyCodeObject, co_name));
	compare("code_nlocals", l->code_nlocals, offsetof(PyCodeObject, co_nlocals));
#if FRAME_SINCE_311
	compare("code_qualname", l->code_qualname, offsetof(PyCodeObject, co_qualname));
	compare("code_cellvars", l->code_cellvars, PY_NONE);
	compare("code_freevars", l->code_freevars, PY_NONE);
	compare("code_nfreevars", l->code_nfreevars, offsetof(PyCodeObject, co_nfreevars));
	compare("code_bytecode", l->code_bytecode, offsetof(PyCodeObject, co_code_adaptive));
	compare("code_code", l->code_code, PY_NONE);
#else
	compare("code_qualname", l->code_qualname, PY_NONE);
	compare("code_cellvars", l->code_cellvars, offsetof(PyCodeObject, co_cellvars));
	compare("code_freevars", l->code_freevars, offsetof(PyCodeObject, co_freevars));
	compare("code_nfreevars", l->code_nfreevars, PY_NONE);
	compare("code_bytecode", l->code_bytecode, PY_NONE);
	compare("code_code", l->code_code, offsetof(PyCodeObject, co_code));
#endif
#if FREE_THREADED_CODE
	compare("code_tlbc", l->code_tlbc, offsetof(PyCodeObject, co_tlbc));
	compare("_PyCodeArray.size", 0, offsetof(_PyCodeArray, size));
	compare("_PyCodeArray.entries", 8, offsetof(_PyCodeArray, entries));
#else
	compare("code_tlbc", l->code_tlbc, PY_NONE);
#endif
	compare("code_linetable", l->code_linetable, offsetof(PyCodeObject, LINETABLE));
}

static void compare_objects(const struct cpython_layout *l)
{
	compare("func_qualname", l->func_qualname, offsetof(PyFunctionObject, func_qualname));
	compare("func_closure", l->func_closure, offsetof(PyFunctionObject, func_closure));
	compare("cell_ref", l->cell_ref, offsetof(PyCellObject, ob_ref));
	compare("tuple_items", l->tuple_items, offsetof(PyTupleObject, ob_item));
	compare("str_ascii_data", l->str_ascii_data, sizeof(PyASCIIObject));
	compare("str_unicode_data", l->str_unicode_data, sizeof(PyCompactUnicodeObject));
	/* What bpf/cpython.h holds as constants. */
	compare("object_size", l->object_size, sizeof(PyObject));
	compare("PY_STR_LENGTH", PY_STR_LENGTH + EXTRA, offsetof(PyASCIIObject, length));
	compare("PY_STR_STATE", PY_STR_STATE + EXTRA, offsetof(PyASCIIObject, state));
	compare("PY_TUPLE_SIZE", PY_TUPLE_SIZE + EXTRA, offsetof(PyVarObject, ob_size));
	compare("PY_BYTES_SIZE", PY_BYTES_SIZE + EXTRA, offsetof(PyVarObject, ob_size));
	compare("PY_BYTES_DATA", PY_BYTES_DATA + EXTRA, offsetof(PyBytesObject, ob_sval));
	compare("PY_OBJECT_TYPE", PY_OBJECT_TYPE + EXTRA, offsetof(PyObject, ob_type));
	compare("PY_CO_NESTED", PY_CO_NESTED, CO_NESTED);
	compare("PY_CO_GENERATOR", PY_CO_GENERATOR, CO_GENERATOR);
	compare("PY_CO_COROUTINE", PY_CO_COROUTINE, CO_COROUTINE);
	compare("PY_CO_ASYNC_GENERATOR", PY_CO_ASYNC_GENERATOR, CO_ASYNC_GENERATOR);
}

/* What bpf/cpython.h holds as constants of types and callables. */
static void compare_types(void)
{
	compare("PY_FREE_THREADED_HEAD", EXTRA ? PY_FREE_THREADED_HEAD : 0, EXTRA);
	compare("PY_TYPE_NAME", PY_TYPE_NAME + EXTRA, offsetof(PyTypeObject, tp_name));
	compare("PY_TYPE_CALL", PY_TYPE_CALL + EXTRA, offsetof(PyTypeObject, tp_call));
	compare("PY_TYPE_METHODS", PY_TYPE_METHODS + EXTRA, offsetof(PyTypeObject, tp_methods));
	compare("PY_TYPE_INIT", PY_TYPE_INIT + EXTRA, offsetof(PyTypeObject, tp_init));
	compare("PY_METHOD_FUNCTION", PY_METHOD_FUNCTION, offsetof(PyMethodDef, ml_meth));
	compare("PY_METHOD_SIZE", PY_METHOD_SIZE, sizeof(PyMethodDef));
	compare("PyType_Spec.name", 0, offsetof(PyType_Spec, name));
	compare("PY_SPEC_SLOTS", PY_SPEC_SLOTS, offsetof(PyType_Spec, slots));
	compare("PY_SLOT_SIZE", PY_SLOT_SIZE, sizeof(PyType_Slot));
	compare("PyType_Slot.pfunc", 8, offsetof(PyType_Slot, pfunc));
	compare("PY_SLOT_CALL", PY_SLOT_CALL, Py_tp_call);
	compare("PY_SLOT_INIT", PY_SLOT_INIT, Py_tp_init);
	compare("PY_SLOT_METHODS", PY_SLOT_METHODS, Py_tp_methods);
	compare("PyCFunctionObject.m_self", PY_CALLABLE_SELF + EXTRA,
		offsetof(PyCFunctionObject, m_self));
}

static void compare_str_state(const struct cpython_layout *l)
{
	union {
		PyASCIIObject str;
		unsigned int word[sizeof(PyASCIIObject) / 4];
	} u;
	const unsigned int *state = &u.word[(PY_STR_STATE + EXTRA) / 4];

	memset(&u, 0, sizeof(u));
	u.str.state.kind = 4;
	compare("PY_STR_KIND", PY_STR_KIND(*state >> l->str_state_shift), 4);
	memset(&u, 0, sizeof(u));
	u.str.state.compact = 1;
	compare("PY_STR_COMPACT", PY_STR_COMPACT, *state >> l->str_state_shift);
	memset(&u, 0, sizeof(u));
	u.str.state.ascii = 1;
	compare("PY_STR_ASCII", PY_STR_ASCII, *state >> l->str_state_shift);
}

int main(void)
{
	const struct cpython_layout *l = layout_for_build(PY_MINOR_VERSION, FREE_THREADED);
	const struct cpython_runtime *r = runtime_for(PY_MINOR_VERSION, FREE_THREADED);

	if (!l || !r) {
		printf("  no layout for 3.%d%s\n", PY_MINOR_VERSION, FREE_THREADED ? "t" : "");
		return 1;
	}
	compare("minor", l->minor, PY_MINOR_VERSION);
	compare_frame(l);
	compare_code(l);
	compare_objects(l);
	compare_types();
	compare_str_state(l);
	compare_runtime(r);
	compare_debug_offsets();
	return differences != 0;
}
