/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbolizer/native_role.h"

#include <stddef.h>
#include <string.h>

struct row {
	const char *name;
	enum native_role role;
};

static const struct row rows[] = {
	/* 3.6 on; the eval loop of a tail-calling build is one function an opcode. */
	{ "_PyEval_EvalFrameDefault", ROLE_EVAL },
	{ "_TAIL_CALL_*", ROLE_EVAL },

	{ "take_gil", ROLE_GIL },
	{ "drop_gil", ROLE_GIL },
	{ "drop_gil_impl", ROLE_GIL }, /* 3.13 on */
	{ "create_gil", ROLE_GIL },
	{ "destroy_gil", ROLE_GIL },
	{ "recreate_gil", ROLE_GIL },
	{ "PyEval_AcquireLock", ROLE_GIL },
	{ "PyEval_ReleaseLock", ROLE_GIL },
	{ "PyEval_AcquireThread", ROLE_GIL },
	{ "PyEval_ReleaseThread", ROLE_GIL },
	{ "PyEval_RestoreThread", ROLE_GIL },
	{ "PyEval_SaveThread", ROLE_GIL },
	{ "PyGILState_Ensure", ROLE_GIL },
	{ "PyGILState_Release", ROLE_GIL },
	{ "_PyEval_AcquireLock", ROLE_GIL }, /* 3.12 on */
	{ "_PyEval_ReleaseLock", ROLE_GIL }, /* 3.9 on */
	{ "_PyThreadState_Attach", ROLE_GIL }, /* 3.13 on; without a GIL too */
	{ "_PyThreadState_Detach", ROLE_GIL },
	{ "_PyThreadState_Suspend", ROLE_GIL },
	{ "tstate_wait_attach", ROLE_GIL },

	{ "PyGC_Collect", ROLE_GC },
	{ "_PyGC_Collect", ROLE_GC },
	{ "_PyGC_CollectNoFail", ROLE_GC },
	{ "_PyGC_CollectIfEnabled", ROLE_GC }, /* to 3.9 */
	{ "_Py_RunGC", ROLE_GC },	       /* 3.12 on */
	{ "gc_collect", ROLE_GC },
	{ "gc_collect_*", ROLE_GC }, /* _main, _with_callback, _generations, _region … */
	{ "gc_mark_*", ROLE_GC },    /* free-threaded, 3.14 on */
	{ "gc_propagate_alive", ROLE_GC },
	{ "gc_visit_thread_stacks", ROLE_GC }, /* gc_visit_heaps() lists objects too */
	{ "collect", ROLE_GC }, /* to 3.9, with the next two */
	{ "collect_with_callback", ROLE_GC },
	{ "collect_generations", ROLE_GC },
	{ "invoke_gc_callback", ROLE_GC },
	{ "deduce_unreachable", ROLE_GC },
	{ "deduce_unreachable_heap", ROLE_GC },
	{ "update_refs", ROLE_GC },
	{ "subtract_refs", ROLE_GC },
	{ "move_unreachable", ROLE_GC },
	{ "move_legacy_finalizers", ROLE_GC },
	{ "move_legacy_finalizer_reachable", ROLE_GC },
	{ "handle_legacy_finalizers", ROLE_GC },
	{ "handle_legacy_garbage", ROLE_GC },
	{ "handle_weakrefs", ROLE_GC },
	{ "handle_resurrected_objects", ROLE_GC },
	{ "finalize_garbage", ROLE_GC },
	{ "delete_garbage", ROLE_GC },
	{ "untrack_dicts", ROLE_GC },
	{ "untrack_tuples", ROLE_GC },
	{ "visit_decref", ROLE_GC },
	{ "visit_reachable", ROLE_GC },
	{ "visit_move", ROLE_GC },
	{ "visit_add_to_container", ROLE_GC }, /* 3.14 */
	{ "mark_all_reachable", ROLE_GC },
	{ "mark_at_start", ROLE_GC },
	{ "mark_stacks", ROLE_GC },
	{ "mark_reachable", ROLE_GC }, /* free-threaded, as what follows */
	{ "mark_alive_from_roots", ROLE_GC },
	{ "mark_heap_visitor", ROLE_GC },
	{ "visit_decref_unreachable", ROLE_GC },
	{ "visit_clear_unreachable", ROLE_GC },
	{ "merge_queued_objects", ROLE_GC },
	{ "call_weakref_callbacks", ROLE_GC },
	{ "scan_heap_visitor", ROLE_GC },
};

static int row_matches(const struct row *row, const char *symbol, size_t len)
{
	size_t n = strlen(row->name);

	if (row->name[n - 1] == '*')
		return len > n - 1 && !memcmp(symbol, row->name, n - 1);
	return len == n && !memcmp(symbol, row->name, n);
}

enum native_role native_role(const char *symbol)
{
	size_t len = strcspn(symbol, ".@");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (row_matches(&rows[i], symbol, len))
			return rows[i].role;
	return ROLE_NONE;
}
