/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the contract that is about requests: what the kernel is told of how to
 * see them, and what it tells of each.
 */
#ifndef PYCOST_WIRE_REQUEST_H
#define PYCOST_WIRE_REQUEST_H

#include "bpf/wire.h"

#define WIRE_METHOD_MAX 16
#define WIRE_PATH_MAX 256  /* as it was sent, without the query */
#define WIRE_ROUTE_MAX 128 /* the path with what varies in it as '*': see http.bpf.h */
#define WIRE_FIELDS 8	   /* configured header fields, cookies and query arguments */
#define WIRE_FIELD_NAME_MAX 32
#define WIRE_FIELD_MAX 128 /* of a value */
#define WIRE_MARKS_MAX 512 /* "key\0value\0"..., by middleware */
#define WIRE_BACKENDS 8	   /* classes of back ends; the last is all others */
#define WIRE_MAX_CLASSES 4096
#define WIRE_MAX_REQUESTS 8192	  /* in flight */
#define WIRE_MAX_CONNECTIONS 16384 /* open, inbound and outbound */
#define WIRE_MAX_SERVERS 8192	  /* threads of served processes */
#define WIRE_REQUESTS_RING (8u << 20)

/* What of a request becomes metadata: constants of the programs. */
enum wire_field_kind {
	WIRE_FIELD_NONE = 0,
	WIRE_FIELD_HEADER,
	WIRE_FIELD_COOKIE,
	WIRE_FIELD_ARGUMENT, /* of the query */
};

struct wire_field {
	__u8 kind;
	__u8 length;  /* of the name */
	__u8 split;   /* its value is a part of the request's class */
	__u8 pad;
	char name[WIRE_FIELD_NAME_MAX]; /* headers: lower case */
};

/* A process whose requests are seen, by tgid. */
struct wire_served {
	/* _PyRuntime: a futex in it is the GIL's; 0, 0: not known */
	__u64 runtime, runtime_end;
	/* What all its threads have cost since it was followed: units of the metric, ns. */
	__u64 cost, cost_kernel, cpu_ns;
	__u64 rss; /* bytes, when it was last looked at; 0: not yet */
	__u32 flags; /* WIRE_SERVED_* */
	__u32 pad;
	__u64 lived_ns; /* its own CPU time since its birth, seen or not; set when it dies */
};
#define WIRE_SERVED_PROXY 0x1 /* hands its requests on to another served process: not counted */
#define WIRE_SERVED_FREE_THREADED 0x4 /* objects have the longer head */

/*
 * Which requests are captured where probes are on for some only: told by user space,
 * counted by the kernel.  Written in this order: left 0; tgid; serial; left.
 */
struct wire_armed {
	__u32 tgid;   /* the process whose probes are on; 0: none's */
	__u32 serial; /* another each time that a process is armed, or none */
	__s32 left;   /* requests that have still to begin */
	__u32 pad;
	__u64 begun, ended; /* captured ones of this serial */
};

/*
 * Where requests are watched in phases: told by user space, counted by the kernel.
 */
struct wire_watched {
	__u32 state; /* WIRE_WATCHED_* */
	__u32 pad;
	__u64 begun, ended; /* requests of this phase, those that were dropped too */
	__u64 tasks_since;  /* ktime ns: what was noted of tasks before may be of others now */
};
#define WIRE_WATCHED_RESTS 0
#define WIRE_WATCHED_TAKES 1
#define WIRE_WATCHED_ENDS 2 /* what is in flight goes on, nothing new is taken */

/*
 * A class of requests: those whose function costs are added up together.  Its number is
 * a hash of method, route (or the endpoint's name that a mark gave) and the values of
 * the fields that split.  0: no request.  Announced once by WIRE_EVENT_CLASS; user space
 * may make several one: `canonical` is the class that is used instead.
 */
struct wire_class {
	__u64 canonical;
	__u32 wanted; /* to be captured, where only some classes are */
	__u32 pad;
};
#define WIRE_CLASS_OTHER 1ull /* beyond WIRE_MAX_CLASSES */

struct wire_backend_use {
	__u64 ns; /* from the first byte sent to the last received, of all calls */
	__u32 calls;
	__u32 pad;
};

/*
 * What is known of a request: kept in the kernel while it is in flight, then sent, but
 * for what is empty at the end of it: without marks, or the last fields, it is shorter.
 */
struct wire_request {
	struct wire_event head; /* WIRE_EVENT_REQUEST */
	__u64 id;	 /* of this session: unique */
	__u64 class_id;
	__u32 tid;	 /* whose cost its first was; it may have moved on to others */
	__u32 threads;	 /* that worked for it */
	__u32 flags;	 /* WIRE_REQUEST_* */
	__u16 status;	 /* 0: none was sent */
	__u8 protocol;	 /* enum wire_protocol */
	__u8 nested;	 /* requests that marks have begun within it, and not ended */
	__u64 begin;	 /* ktime ns of its first byte's reading */
	__u64 latency;	 /* ns to its answer's last byte; or to when it was given up */
	__u64 head_ns;	 /* to its answer's first byte; 0: none was sent */
	__u64 cost, cost_kernel; /* units of the metric */
	__u64 probed_calls; /* function calls in it that were probed: the cost has theirs in it */
	__u64 cpu_ns, run_queue_ns, syscall_ns, gil_ns; /* of the threads while they worked for it */
	__u64 gc_ns, gc_cost, import_ns, import_cost;
	__u32 gcs, imports;
	__s64 rss; /* growth of the process, bytes */
	__u64 bytes_in, bytes_out;
	struct wire_backend_use backends[WIRE_BACKENDS];
	__u16 method_length, path_length, route_length, marks_length;
	__u16 field_lengths[WIRE_FIELDS]; /* 0xffff: absent */
	char method[WIRE_METHOD_MAX];
	char path[WIRE_PATH_MAX];
	char route[WIRE_ROUTE_MAX];
	char fields[WIRE_FIELDS][WIRE_FIELD_MAX];
	char marks[WIRE_MARKS_MAX];
};
#define WIRE_FIELD_ABSENT 0xffff
enum wire_protocol {
	WIRE_PROTOCOL_HTTP = 1,
	WIRE_PROTOCOL_UWSGI,
	WIRE_PROTOCOL_MARKED, /* begun by a mark: a task, a command */
};
#define WIRE_REQUEST_TLS 0x1
#define WIRE_REQUEST_ABORTED 0x2 /* the connection ended before the answer did */
#define WIRE_REQUEST_EXACT 0x4	 /* exact probes were on from its beginning to its end */
#define WIRE_REQUEST_CUT 0x8	 /* path, marks or a field were longer than is kept */
#define WIRE_REQUEST_UPGRADED 0x10 /* the connection speaks another protocol from here on */
#define WIRE_REQUEST_SHARED 0x20 /* some of its time was not told apart from another's */
#define WIRE_REQUEST_DIED 0x40	 /* its process ended in it */
#define WIRE_REQUEST_MARKED 0x80 /* the route is an endpoint's name by a mark */
#define WIRE_REQUEST_TICKS 0x100 /* its syscall_ns is an estimate by the kernel's ticks */

/* What on_reap does with a request. */
enum wire_reap {
	WIRE_REAP_FORGET = 0,
	WIRE_REAP_GONE,	  /* its process has ended */
	WIRE_REAP_FINISH, /* all ends: it is told if it has its answer */
};

/* WIRE_EVENT_CLASS, before any sample or node of that class. */
struct wire_event_class {
	struct wire_event head;
	__u64 class_id;
	__u16 method_length, route_length;
	__u32 flags; /* WIRE_REQUEST_MARKED */
	__u16 field_lengths[WIRE_FIELDS]; /* absent but for those that split */
	char method[WIRE_METHOD_MAX];
	char route[WIRE_ROUTE_MAX];
	char fields[WIRE_FIELDS][WIRE_FIELD_MAX];
};

/* WIRE_EVENT_BORN and WIRE_EVENT_DIED: the life of a served process. */
struct wire_event_life {
	struct wire_event head;
	__u32 parent;
	__u32 exit_code; /* as wait(2) has it; died only */
	__u64 at;	 /* ktime ns */
	__u64 rss, peak_rss; /* bytes; 0: not known */
	struct wire_served served; /* died: its totals */
};

#endif
