/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug_word_at() against the struct in the headers, from 3.13 on. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_debug_offsets.h>
#elif PY_VERSION_HEX >= 0x030d0000
#include <internal/pycore_runtime.h>
#endif

#include "symbolizer/debug_offsets.h"
#include "tests/layout/layout.h"

#if PY_VERSION_HEX >= 0x030d0000
#define WORD(word, member)                                                    \
	compare(#word, (unsigned long)debug_word_at(PY_MINOR_VERSION, word),  \
		offsetof(_Py_DebugOffsets, member) / 8)
#if PY_VERSION_HEX >= 0x030e0000
#define WORD_314(word, member) WORD(word, member)
#else
#define WORD_314(word, member)                                                \
	compare(#word, (unsigned long)debug_word_at(PY_MINOR_VERSION, word),  \
		(unsigned long)DEBUG_NO_WORD)
#endif
#if PY_VERSION_HEX >= 0x030f0000
#define WORD_315(word, member) WORD(word, member)
#else
#define WORD_315(word, member)                                                \
	compare(#word, (unsigned long)debug_word_at(PY_MINOR_VERSION, word),  \
		(unsigned long)DEBUG_NO_WORD)
#endif

static void compare_states(void)
{
	WORD(DEBUG_COOKIE, cookie);
	WORD(DEBUG_VERSION, version);
	WORD(DEBUG_FREE_THREADED, free_threaded);
	WORD(DEBUG_RUNTIME_STRUCT, runtime_state.size);
	WORD(DEBUG_RUNTIME_INTERPRETERS, runtime_state.interpreters_head);
	WORD(DEBUG_INTERP_STRUCT, interpreter_state.size);
	WORD(DEBUG_INTERP_NEXT, interpreter_state.next);
	WORD(DEBUG_INTERP_THREADS, interpreter_state.threads_head);
	WORD(DEBUG_INTERP_GC, interpreter_state.gc);
	WORD(DEBUG_TSTATE_STRUCT, thread_state.size);
	WORD(DEBUG_TSTATE_NEXT, thread_state.next);
	WORD(DEBUG_TSTATE_INTERP, thread_state.interp);
	WORD(DEBUG_TSTATE_FRAME, thread_state.current_frame);
	WORD(DEBUG_TSTATE_THREAD_ID, thread_state.thread_id);
	WORD(DEBUG_TSTATE_NATIVE_ID, thread_state.native_thread_id);
	WORD(DEBUG_TSTATE_STATUS, thread_state.status);
	WORD(DEBUG_GC_STRUCT, gc.size);
	WORD(DEBUG_GC_COLLECTING, gc.collecting);
}

static void compare_frames(void)
{
	WORD(DEBUG_FRAME_STRUCT, interpreter_frame.size);
	WORD(DEBUG_FRAME_PREVIOUS, interpreter_frame.previous);
	WORD(DEBUG_FRAME_CODE, interpreter_frame.executable);
	WORD(DEBUG_FRAME_INSTR, interpreter_frame.instr_ptr);
	WORD(DEBUG_FRAME_LOCALS, interpreter_frame.localsplus);
	WORD(DEBUG_FRAME_OWNER, interpreter_frame.owner);
	WORD_314(DEBUG_FRAME_TLBC, interpreter_frame.tlbc_index);
	WORD(DEBUG_CODE_STRUCT, code_object.size);
	WORD(DEBUG_CODE_FILENAME, code_object.filename);
	WORD(DEBUG_CODE_NAME, code_object.name);
	WORD(DEBUG_CODE_QUALNAME, code_object.qualname);
	WORD(DEBUG_CODE_LINETABLE, code_object.linetable);
	WORD(DEBUG_CODE_FIRSTLINENO, code_object.firstlineno);
	WORD(DEBUG_CODE_BYTECODE, code_object.co_code_adaptive);
	WORD_314(DEBUG_CODE_TLBC, code_object.co_tlbc);
	WORD_314(DEBUG_GEN_STRUCT, gen_object.size);
	WORD_314(DEBUG_GEN_FRAME, gen_object.gi_iframe);
}

static void compare_values(void)
{
	WORD(DEBUG_OBJECT_STRUCT, pyobject.size);
	WORD(DEBUG_OBJECT_TYPE, pyobject.ob_type);
	WORD(DEBUG_TUPLE_ITEMS, tuple_object.ob_item);
	WORD(DEBUG_TUPLE_SIZE, tuple_object.ob_size);
	WORD(DEBUG_BYTES_SIZE, bytes_object.ob_size);
	WORD(DEBUG_BYTES_DATA, bytes_object.ob_sval);
	WORD(DEBUG_STR_STATE, unicode_object.state);
	WORD(DEBUG_STR_LENGTH, unicode_object.length);
	WORD(DEBUG_STR_ASCII, unicode_object.asciiobject_size);
	WORD_315(DEBUG_STR_UNICODE, unicode_object.compactunicodeobject_size);
}

void compare_debug_offsets(void)
{
	compare("DEBUG_OFFSETS_SIZE", sizeof(_Py_DebugOffsets) > DEBUG_OFFSETS_SIZE, 0);
	compare_states();
	compare_frames();
	compare_values();
}
#else
void compare_debug_offsets(void)
{
}
#endif
