/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layouts of CPython's structs, as the kernel programs and the symboliser read
 * them out of a target's memory.  This header crosses the kernel line: it holds
 * plain data only and includes nothing.
 *
 * All offsets are in bytes, for 64-bit little-endian builds.  0xffff marks a member
 * that version does not have.
 */
#ifndef PYCOST_CPYTHON_H
#define PYCOST_CPYTHON_H

#define PY_NONE 0xffff

/* co_flags, Include/cpython/code.h (Include/code.h up to 3.9): never renumbered. */
#define PY_CO_NESTED 0x0010
#define PY_CO_GENERATOR 0x0020
#define PY_CO_COROUTINE 0x0080
#define PY_CO_ASYNC_GENERATOR 0x0200
#define PY_CO_RESUMABLE (PY_CO_GENERATOR | PY_CO_COROUTINE | PY_CO_ASYNC_GENERATOR)

/*
 * The same in every minor, with the GIL.  A free-threaded build's objects have a
 * longer head: see object_size.
 */
#define PY_OBJECT_TYPE 8  /* PyObject.ob_type */
#define PY_TUPLE_SIZE 16  /* PyVarObject.ob_size, 64 bits */
#define PY_STR_LENGTH 16  /* PyASCIIObject.length, 64 bits, in characters */
#define PY_STR_STATE 32	  /* PyASCIIObject.state, 32 bits */
#define PY_BYTES_SIZE 16  /* PyVarObject.ob_size, 64 bits */
#define PY_BYTES_DATA 32  /* PyBytesObject.ob_sval */

/*
 * PyTypeObject, PyMethodDef, PyType_Spec and PyType_Slot: the same in every minor.  In a
 * free-threaded build PyTypeObject's members come later by what its head is longer.
 */
#define PY_TYPE_NAME 24
#define PY_TYPE_CALL 128
#define PY_TYPE_METHODS 232
#define PY_TYPE_INIT 296
#define PY_METHOD_FUNCTION 8 /* after its name */
#define PY_METHOD_SIZE 32
#define PY_SPEC_SLOTS 24 /* after its name, which is first */
#define PY_SLOT_SIZE 16	 /* an int, a pointer */
#define PY_SLOT_CALL 50	 /* Py_tp_call, Include/typeslots.h */
#define PY_SLOT_INIT 60	 /* Py_tp_init */
#define PY_SLOT_METHODS 64 /* Py_tp_methods */
#define PY_FREE_THREADED_HEAD 16

/*
 * Of callables: PyCFunctionObject.m_self, and the task of asyncio's TaskStepMethWrapper and TaskWakeupMethWrapper (Modules/_asynciomodule.c).
 * Later in a free-threaded build, likewise.  PyCFunctionObject.m_ml begins with a pointer to
 * the function's name.
 */
#define PY_CALLABLE_METHOD 16
#define PY_CALLABLE_SELF 24
#define PY_WRAPPER_TASK 16

/* Bits of PyASCIIObject.state, Include/cpython/unicodeobject.h, GIL builds. */
#define PY_STR_KIND(state) (((state) >> 2) & 7)
#define PY_STR_COMPACT 0x20
#define PY_STR_ASCII 0x40

/*
 * PyTypeObject.tp_flags, from its ob_size on, and bits of it: Include/object.h, the same
 * in every minor.
 */
#define PY_TYPE_FLAGS 152
#define PY_TYPE_IS_BYTES (1u << 27)
#define PY_TYPE_IS_STR (1u << 28)

/* The beginning of PyASCIIObject, in every minor. */
struct py_str_head {
	unsigned long long refcount, type, length, hash;
	unsigned int state;
};

struct cpython_layout {
	/* PyFrameObject up to 3.10, _PyInterpreterFrame from 3.11 */
	unsigned short frame_code;
	unsigned short frame_previous;
	unsigned short frame_owner;  /* PY_NONE up to 3.10 */
	unsigned short frame_func;   /* PY_NONE up to 3.10: no function in the frame */
	unsigned short frame_locals; /* slots: locals, cells, free variables, stack */
	unsigned short frame_instr;  /* instr_ptr; PY_NONE up to 3.10 */
	unsigned short frame_lasti;  /* f_lasti; PY_NONE from 3.11 */
	unsigned short frame_is_entry; /* of 3.11 alone: a frame that C called */
	unsigned short frame_tlbc;     /* index into code_tlbc, or PY_NONE */
	/* PyCodeObject */
	unsigned short code_flags;
	unsigned short code_firstlineno;
	unsigned short code_filename;
	unsigned short code_name;
	unsigned short code_qualname; /* PY_NONE up to 3.10 */
	unsigned short code_nlocals;
	unsigned short code_cellvars; /* tuple up to 3.10; PY_NONE after */
	unsigned short code_freevars; /* tuple up to 3.10; PY_NONE after */
	unsigned short code_nfreevars; /* int; PY_NONE up to 3.10 */
	unsigned short code_linetable; /* bytes: co_linetable, co_lnotab up to 3.9 */
	unsigned short code_bytecode;  /* co_code_adaptive; PY_NONE up to 3.10 */
	unsigned short code_code;      /* bytes: co_code; PY_NONE from 3.11 */
	unsigned short code_tlbc; /* free-threaded builds' copies of the bytecode, or PY_NONE */
	/* PyFunctionObject, PyCellObject, tuple, str */
	unsigned short func_qualname;
	unsigned short func_closure;
	unsigned short cell_ref;
	unsigned short tuple_items;
	unsigned short str_ascii_data;   /* character data of a compact ASCII str */
	unsigned short str_unicode_data; /* ... of any other compact str */
	/*
	 * Frames whose owner is at least this one belong to C, not to a function:
	 * their frame_code is no code object.  PY_NONE up to 3.11, which has none.
	 */
	unsigned short owner_c_min;
	unsigned short owner_generator; /* PY_NONE up to 3.10 */
	unsigned short minor; /* the "9" of 3.9 */
	/* Low bits of frame_code and frame_func that are no address (_PyStackRef). */
	unsigned short code_tag_mask;
	unsigned short object_size;	/* of PyObject; its last 8 bytes are ob_type */
	unsigned short str_state_shift; /* of a str's state, before PY_STR_* hold */
};

/*
 * PyThreadState._status.active, Include/cpython/pystate.h: the state is its thread's
 * current one, which with the GIL holds it.
 */
#define PY_TSTATE_ACTIVE 0x10
#define PY_TSTATE_PREV 0 /* PyThreadState.prev, in every minor */

/*
 * How a thread's state is found, and what hangs on it; for sampling.  In 3.6 there
 * is no _PyRuntime: its variables are symbols of their own.
 */
struct cpython_runtime {
	/* from _PyRuntime */
	unsigned short runtime_interpreters; /* the main interpreter */
	unsigned short runtime_current;	     /* gilstate's tstate_current; PY_NONE from 3.12 */
	unsigned short runtime_autotss; /* Py_tss_t; PY_NONE from 3.15: thread-local by then */
	unsigned short runtime_gc_collecting; /* PY_NONE from 3.9 */
	/* PyInterpreterState */
	unsigned short interp_next;
	unsigned short interp_threads;	    /* the newest thread's state */
	unsigned short interp_gc_collecting; /* int; PY_NONE up to 3.8 */
	unsigned short interp_stopper; /* stoptheworld.requester; PY_NONE with the GIL */
	/* PyThreadState */
	unsigned short tstate_next;
	unsigned short tstate_interp;
	unsigned short tstate_thread_id; /* pthread_self() */
	unsigned short tstate_native_id; /* in its own PID namespace; PY_NONE up to 3.10 */
	unsigned short tstate_status;	 /* bits: PY_TSTATE_ACTIVE; PY_NONE up to 3.11 */
	unsigned short tstate_frame;	 /* PY_NONE in 3.11 and 3.12: in the cframe */
	unsigned short tstate_cframe;
	unsigned short cframe_frame;
	unsigned short cframe_previous;
	/* asyncio, from 3.14; else PY_NONE */
	unsigned short tstate_task; /* asyncio_running_task of _PyThreadStateImpl */
	unsigned short task_coro;
	unsigned short task_is_task; /* one byte; 0: a future, which has no coroutine */
	unsigned short task_awaited_by;
	unsigned short task_awaited_by_is_set; /* one byte */
	unsigned short gen_frame; /* gi_iframe, a frame and no pointer; gi_frame up to 3.10 */
};

#endif
