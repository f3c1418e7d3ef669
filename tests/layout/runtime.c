/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct cpython_runtime against the internal headers.  Tasks are not in any
 * header: they are of Modules/_asynciomodule.c, which tells of them in .AsyncioDebug.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_runtime_structs.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_tstate.h>
#elif PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#elif PY_VERSION_HEX >= 0x03090000
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#elif PY_VERSION_HEX >= 0x03080000
#include <internal/pycore_pystate.h>
#elif PY_VERSION_HEX >= 0x03070000
#include <internal/pystate.h>
#endif

#include "tests/layout/layout.h"

#define AT(type, member) offsetof(type, member)
#if PY_VERSION_HEX >= 0x030b0000
#define THREADS threads.head
#else
#define THREADS tstate_head
#endif

static void compare_process(const struct cpython_runtime *r)
{
#if PY_VERSION_HEX >= 0x03070000
	compare("runtime_interpreters", r->runtime_interpreters,
		AT(_PyRuntimeState, interpreters.head));
#else
	compare("runtime_interpreters", r->runtime_interpreters, PY_NONE);
#endif
#if PY_VERSION_HEX >= 0x03070000 && PY_VERSION_HEX < 0x030c0000
	compare("runtime_current", r->runtime_current,
		AT(_PyRuntimeState, gilstate.tstate_current));
	compare("runtime_autotss", r->runtime_autotss, AT(_PyRuntimeState, gilstate.autoTSSkey));
#else
	compare("runtime_current", r->runtime_current, PY_NONE);
#endif
#if PY_VERSION_HEX >= 0x030c0000 && PY_VERSION_HEX < 0x030f0000
	compare("runtime_autotss", r->runtime_autotss, AT(_PyRuntimeState, autoTSSkey));
#elif PY_VERSION_HEX < 0x03070000 || PY_VERSION_HEX >= 0x030f0000
	compare("runtime_autotss", r->runtime_autotss, PY_NONE);
#endif
#if PY_VERSION_HEX >= 0x03070000 && PY_VERSION_HEX < 0x03090000
	compare("runtime_gc_collecting", r->runtime_gc_collecting,
		AT(_PyRuntimeState, gc.collecting));
#else
	compare("runtime_gc_collecting", r->runtime_gc_collecting, PY_NONE);
#endif
}

static void compare_interpreter(const struct cpython_runtime *r)
{
	compare("interp_next", r->interp_next, AT(PyInterpreterState, next));
	compare("interp_threads", r->interp_threads, AT(PyInterpreterState, THREADS));
#if PY_VERSION_HEX >= 0x03090000
	compare("interp_gc_collecting", r->interp_gc_collecting,
		AT(PyInterpreterState, gc.collecting));
	compare("sizeof gc.collecting", sizeof(((PyInterpreterState *)0)->gc.collecting), 4);
#else
	compare("interp_gc_collecting", r->interp_gc_collecting, PY_NONE);
#endif
#ifdef Py_GIL_DISABLED
	compare("interp_stopper", r->interp_stopper,
		AT(PyInterpreterState, stoptheworld.requester));
#else
	compare("interp_stopper", r->interp_stopper, PY_NONE);
#endif
}

#if PY_VERSION_HEX >= 0x030c0000
static void compare_active(void)
{
	PyThreadState t;
	unsigned int word = 0;

	memset(&t, 0, sizeof(t));
	t._status.active = 1;
	memcpy(&word, &t._status, sizeof(word));
	compare("PY_TSTATE_ACTIVE", PY_TSTATE_ACTIVE, word);
}
#endif

static void compare_thread(const struct cpython_runtime *r)
{
	compare("tstate_next", r->tstate_next, AT(PyThreadState, next));
	compare("tstate_interp", r->tstate_interp, AT(PyThreadState, interp));
	compare("tstate_thread_id", r->tstate_thread_id, AT(PyThreadState, thread_id));
#if PY_VERSION_HEX >= 0x030b0000
	compare("tstate_native_id", r->tstate_native_id, AT(PyThreadState, native_thread_id));
#else
	compare("tstate_native_id", r->tstate_native_id, PY_NONE);
#endif
	compare("PY_TSTATE_PREV", PY_TSTATE_PREV, AT(PyThreadState, prev));
#if PY_VERSION_HEX >= 0x030c0000
	compare("tstate_status", r->tstate_status, AT(PyThreadState, _status));
	compare_active();
#else
	compare("tstate_status", r->tstate_status, PY_NONE);
#endif
#if PY_VERSION_HEX >= 0x030d0000
	compare("tstate_frame", r->tstate_frame, AT(PyThreadState, current_frame));
#elif PY_VERSION_HEX >= 0x030b0000
	compare("tstate_frame", r->tstate_frame, PY_NONE);
#else
	compare("tstate_frame", r->tstate_frame, AT(PyThreadState, frame));
#endif
#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030d0000
	compare("tstate_cframe", r->tstate_cframe, AT(PyThreadState, cframe));
	compare("cframe_frame", r->cframe_frame, AT(_PyCFrame, current_frame));
	compare("cframe_previous", r->cframe_previous, AT(_PyCFrame, previous));
#else
	compare("tstate_cframe", r->tstate_cframe, PY_NONE);
	compare("cframe_frame", r->cframe_frame, PY_NONE);
	compare("cframe_previous", r->cframe_previous, PY_NONE);
#endif
}

static void compare_generator(const struct cpython_runtime *r)
{
#if PY_VERSION_HEX >= 0x030b0000
	compare("gen_frame", r->gen_frame, AT(PyGenObject, gi_iframe));
#else
	compare("gen_frame", r->gen_frame, AT(PyGenObject, gi_frame));
#endif
}

static void compare_tasks(const struct cpython_runtime *r)
{
#if PY_VERSION_HEX >= 0x030e0000
	compare("tstate_task", r->tstate_task, AT(_PyThreadStateImpl, asyncio_running_task));
	/* The object's head is the only part that builds differ in. */
	compare("task_coro", r->task_coro, 112 + sizeof(PyObject));
	compare("task_awaited_by", r->task_awaited_by, 80 + sizeof(PyObject));
	compare("task_is_task", r->task_is_task, 92 + sizeof(PyObject));
	compare("task_awaited_by_is_set", r->task_awaited_by_is_set, 93 + sizeof(PyObject));
#else
	compare("tstate_task", r->tstate_task, PY_NONE);
	compare("task_coro", r->task_coro, PY_NONE);
	compare("task_is_task", r->task_is_task, PY_NONE);
	compare("task_awaited_by", r->task_awaited_by, PY_NONE);
	compare("task_awaited_by_is_set", r->task_awaited_by_is_set, PY_NONE);
#endif
}

void compare_runtime(const struct cpython_runtime *r)
{
	compare_process(r);
	compare_interpreter(r);
	compare_thread(r);
	compare_generator(r);
	compare_tasks(r);
}
