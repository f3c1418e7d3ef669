/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the contract that is about what interpreters say of themselves: imports
 * and collections of garbage.
 */
#ifndef PYCOST_WIRE_MARKS_H
#define PYCOST_WIRE_MARKS_H

#include "bpf/wire.h"

#define WIRE_MODULE_MAX 128
#define WIRE_MAX_MARKED 1024 /* threads that collect or import, at a time */
#define WIRE_IMPORTS 128	     /* within one another */
/* Notes of one probe in one file, at most. */
#define WIRE_GC_SITES 2
#define WIRE_IMPORT_SITES 4
#define WIRE_AUDIT_SITES 8

/* The function that it happened in; code 0: not known. */
struct wire_mark_place {
	__u64 class_id; /* of the request that the thread worked for; 0: none */
	__u64 code;
	__u32 print; /* of the code object's names, as in struct wire_node */
	__u32 pad;
};

/* Times are ns, off a CPU too; costs are the thread's, in units of the metric. */
struct wire_event_import {
	struct wire_event head;
	struct wire_mark_place place;
	__u64 ns, cost; /* with what was imported within it */
	__u64 self_ns, self_cost;
	__u32 length; /* of the name; WIRE_MODULE_MAX - 1: it may have been longer */
	__u32 pad;
	char module[WIRE_MODULE_MAX]; /* UTF-8 */
};

struct wire_event_collection {
	struct wire_event head;
	struct wire_mark_place place;
	__u64 ns, cost;
	__u64 collected; /* objects */
	__u32 generation;
	__u32 pad;
};

#endif
