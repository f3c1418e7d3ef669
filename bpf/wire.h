/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between the kernel programs and user space: map values, ring
 * buffer events and loss counters.  Both sides compile this header; it holds
 * plain data only.
 */
#ifndef PYCOST_WIRE_H
#define PYCOST_WIRE_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/*
 * Shadow-stack frames kept per thread.  CPython's own recursion limit is 1,000
 * by default.  The loops that rebuild a stack are bounded by it, and 5.10's
 * verifier accepts no more than 8,192 pending branches.
 */
#define WIRE_STACK_DEPTH 1280

#define WIRE_DEFAULT_NODES 131072
#define WIRE_DEFAULT_THREADS 256
#define WIRE_MAX_PROCS 4096
#define WIRE_MAX_CODES 65536

/*
 * One calling context.  The call tree is an array of these, mapped read-only
 * into user space; index 0 is nobody.  One cache line each.
 */
struct wire_node {
	__u64 calls;
	__u64 self; /* counter advance while this node was the top of a stack */
	__u64 code; /* PyCodeObject *; 0 in a root */
	/* str * of the qualname of what a wrapper wraps, or 0; in a root: the class of requests */
	__u64 wrapped;
	__u64 child_code; /* the child entered last, to spare a hash lookup */
	__u32 child;
	__u32 parent; /* 0 in a root */
	__u32 tgid;
	__u16 flags; /* WIRE_NODE_*: set last, so nonzero means published */
	__u16 pad;
	__u32 tid; /* in a root of one thread, else 0 */
	__u32 print; /* of the code object's names: see code_print() */
};
#define WIRE_NODE_LIVE 0x1
#define WIRE_NODE_RESUMABLE 0x2 /* generator, coroutine, async generator */
#define WIRE_NODE_NESTED 0x4	/* closure: its children differ by what it wraps */
#define WIRE_NODE_VOLATILE 0x8	/* code that may be freed, and its address reused */

/*
 * For its line number each probe searches the code object's line table, and the
 * target pays: from the table's start to where the frame is.  So where a node's
 * probes fired is kept, in two places exactly and, of all others, on average.  The
 * returns of node n are at n, its entries at n + the number of nodes: these only of
 * generators and coroutines, as those of functions are all at their first instruction.
 */
struct wire_search {
	/* What tells them apart: the line or the position, plus 1; 0: free */
	__u32 key[2];
	__u32 position[2]; /* the line up to 3.10; after that, bytes into the code */
	__u64 count[2];
	__u64 others;
	__u64 other_positions; /* their sum */
	__u64 shims; /* returns of 3.15's __init__ shim into this node */
	__u32 by_position; /* one of its lines has several */
	__u32 pad;
};
#define WIRE_NO_LINE 0x80000000u /* a line below 0: the function has not begun */

struct wire_child_key {
	__u64 code;
	__u64 wrapped;
	__u32 parent;
	__u32 print; /* 0: the first code object that was met at this address */
};

/* Where the costs of a class of requests are rooted: see struct wire_class. */
struct wire_root_key {
	__u64 class_id;
	__u32 tgid;
	__u32 tid; /* 0 but with a root per thread */
};
#define WIRE_MAX_ROOTS 16384

struct wire_code_key {
	__u64 code;
	__u64 wrapped;
	__u32 tgid;
	__u32 print;
};

/* A followed process. */
struct wire_proc {
	__u64 func_type; /* &PyFunction_Type in the target, 0 when unknown */
	__u32 root;	 /* node; 0 with a root per thread */
	__u32 pad;
};

/* One thread's shadow stack: the top frame is here, those below in `stacks`. */
struct wire_thread {
	__u64 last;    /* counter when this thread was last looked at on its CPU */
	__u64 pending; /* advance before `last` that no node has been given yet */
	__u64 top_frame; /* 0: no Python frame on the stack */
	__u64 class_id;	 /* of the request that it works for; 0: of none */
	__u64 rooted;	 /* the class that the stack is rooted at: see reroot.bpf.h */
	__u64 shim_code; /* 3.15's __init__ clean-up frame: seen, never shown */
	__u64 func_type;
	__u64 cursor; /* the next frame to collect */
	__u32 top_node;
	__u32 depth; /* frames on the stack, the top included */
	__u32 over;  /* frames above WIRE_STACK_DEPTH, not kept */
	__u32 slot;  /* which row of `stacks` and `chains` */
	__u32 root;
	__u32 tgid;
	__u32 tid;
	__u32 switches; /* the task's own count when last switched in; 0: not known */
	__u32 top_owed; /* the top's call is counted when it returns: see resync */
	__u32 cpu;
	__u16 on_cpu;
	__u16 seeded; /* the stack has been in step with the interpreter once */
	__u32 chain;  /* frames collected in this thread's row of `chains` */
	__u32 generators; /* of these, the innermost that are all generators' */
	__u32 shared; /* of these, how many the stack held already */
	__u64 last_kernel; /* as last and pending, in kernel mode */
	__u64 pending_kernel;
	__u64 calls; /* that were probed */
	__u64 left_out; /* what the slow paths of probes took, as time: nobody's */
	__u32 moved; /* frames that have their node under the new root */
	__u32 moved_from, moved_to; /* the last of these: its node under either root */
	__u32 pad;
};

struct wire_frame {
	__u64 frame;
	__u64 code_or_node; /* chains: code pointer; stacks: node index, WIRE_OWED */
};
#define WIRE_OWED (1ull << 63)

enum wire_loss {
	WIRE_LOSS_NODES,   /* calls charged to their caller: tree full */
	WIRE_LOSS_DEPTH,   /* calls above the shadow stack */
	WIRE_LOSS_THREADS, /* events of threads beyond the table */
	WIRE_LOSS_NAMES,   /* code objects whose names did not fit the ring */
	WIRE_LOSS_MEMORY,  /* events whose frame could not be read */
	WIRE_LOSS_TRUNCATED, /* stacks rebuilt only in part */
	WIRE_LOSS_PROCS,   /* forks beyond the process table */
	WIRE_LOSS_SLICES,  /* time slices whose start or end was not seen */
	WIRE_LOSS_EVENTS,  /* fork, exec and exit notes that did not fit the ring */
	WIRE_LOSS_UNCOUNTED, /* advances on a CPU without a counter, or with another since */
	WIRE_LOSS_SAMPLES,   /* samples that did not fit the ring */
	/* Requests that did not fit the ring or the table of those in flight; and calls, of any
	 * process, that the programs were not run for. */
	WIRE_LOSS_REQUESTS,
	WIRE_LOSS_CONNECTIONS, /* connections beyond the table: their requests are not seen */
	WIRE_LOSS_CLASSES,   /* requests of a class beyond those kept apart */
	WIRE_LOSS_SERVERS,   /* threads of served processes beyond the table */
	WIRE_LOSS_MARKS,     /* collections, imports and marks that were not told */
	WIRE_LOSS_GARBLED,   /* connections given up, as what they speak is no protocol known */
	WIRE_LOSS_MAX,
};

/* Events: rare facts, never one per call. */
enum wire_event_kind {
	WIRE_EVENT_CODE = 1,
	WIRE_EVENT_FORK,
	WIRE_EVENT_EXEC,
	WIRE_EVENT_EXIT,
	WIRE_EVENT_SAMPLE,
	/* These in wire_request.h. */
	WIRE_EVENT_REQUEST,
	WIRE_EVENT_CLASS,
	WIRE_EVENT_BORN,
	WIRE_EVENT_DIED,
	/* And these in wire_marks.h. */
	WIRE_EVENT_IMPORT,
	WIRE_EVENT_COLLECTION,
};

struct wire_event {
	__u32 kind;
	__u32 tgid;
};

struct wire_event_fork {
	struct wire_event head;
	__u32 parent;
};

/* A str as it lies in the target: raw characters of `kind` bytes each. */
struct wire_str {
	__u32 length; /* in characters, of the whole string */
	__u16 bytes;  /* captured below; fewer than length * kind when cut short */
	__u8 kind;    /* 1, 2 or 4; 0: absent or unreadable */
	__u8 ascii;
};
#define WIRE_FILE_MAX 768
#define WIRE_NAME_MAX 512
#define WIRE_QUALNAME_MAX 768
#define WIRE_LINETABLE_MAX 2048
#define WIRE_LINETABLE_UNREAD 0xffffffffu

struct wire_event_code {
	struct wire_event head;
	__u64 code;
	__u64 wrapped;
	__u32 print;
	__u32 firstlineno;
	__u32 flags; /* co_flags */
	__u32 linetable_size; /* in bytes, of the whole; captured: at most the maximum */
	struct wire_str file, name, qualname, wraps;
	__u8 file_data[WIRE_FILE_MAX];
	__u8 name_data[WIRE_NAME_MAX];
	__u8 qualname_data[WIRE_QUALNAME_MAX];
	__u8 wraps_data[WIRE_QUALNAME_MAX];
	__u8 linetable[WIRE_LINETABLE_MAX];
};

/*
 * A process whose threads are sampled, by tgid.  All addresses are its own.
 *
 * 3.6 has no _PyRuntime: `interpreters` is &interp_head, `current` is
 * &_PyThreadState_Current.  Later they lie in it: see struct cpython_runtime.
 */
struct wire_sampled {
	__u64 interpreters; /* of the pointer to the first PyInterpreterState */
	__u64 current;	    /* of the pointer to the state with the GIL; 0 from 3.12 */
	__u64 collecting;   /* of an int: garbage is collected; 0 from 3.9, and in 3.6 */
	__u64 code_type;    /* PyCode_Type; 0: not known, code objects are not checked */
	__u32 build; /* index of its program in `walkers`; WIRE_NO_BUILD: no frames */
	__u32 epoch; /* another after each exec: addresses say nothing across one */
};
#define WIRE_NO_BUILD 0xffffffffu
#define WIRE_MAX_BUILDS 64

/*
 * One sample: where a thread was when the event fired.  After the head come the
 * Python frames, innermost first, then the native addresses, likewise.
 */
#define WIRE_SAMPLES_RING (8u << 20) /* bytes, at most: see rings_size() */
#define WIRE_SAMPLE_FRAMES 1024
#define WIRE_SAMPLE_NATIVES 64

struct wire_sample_frame {
	__u64 code;
	__u32 print; /* of the code object's names, as in struct wire_node */
	__u32 instr; /* bytes into the bytecode, WIRE_FRAME_*; WIRE_NO_INSTR: unknown */
};
#define WIRE_NO_INSTR 0x3fffffffu
/*
 * No caller but what awaits the frame before it: the frame is not on the stack.  Where
 * an asyncio task runs, the frames end with its coroutine's, and those of the event
 * loop below it are left out; then come the coroutines of the tasks that await it.
 */
#define WIRE_FRAME_AWAITS 0x80000000u
#define WIRE_SAMPLE_AWAITS 16

enum wire_sample_state {
	WIRE_SAMPLE_RUNS,
	WIRE_SAMPLE_GC, /* collecting garbage */
};

/* Why frames are missing.  Such a sample counts, but its path is not complete. */
#define WIRE_SAMPLE_NO_THREAD 0x1 /* no thread state: not a Python thread, or not yet */
#define WIRE_SAMPLE_UNREAD 0x2	  /* memory that could not be read */
#define WIRE_SAMPLE_DEEP 0x4	  /* more frames than are kept */
#define WIRE_SAMPLE_TORN 0x8	  /* met while the interpreter changed it: no path is claimed */

struct wire_sample {
	struct wire_event head;
	__u64 class_id; /* of the request that the thread works for; 0: of none */
	__u32 tid;
	__u16 frames;
	__u16 natives; /* the first is the thread's own instruction pointer */
	__u16 flags;
	__u8 state;
	__u8 opcode; /* of the innermost frame, as it is in memory: its specialised form */
	__u8 has_opcode;
	__u8 in_kernel; /* the event fired in kernel mode */
	__u8 pad[10]; /* what follows is aligned to 8 bytes */
	/* struct wire_sample_frame[frames], __u64[natives] */
};

/*
 * Where a USDT probe hands an argument over, as struct usdt_arg of the symboliser has
 * it; for constants of the programs.
 */
enum wire_arg_kind {
	WIRE_ARG_NONE = 0,
	WIRE_ARG_CONST,	   /* offset is the value */
	WIRE_ARG_REGISTER,
	WIRE_ARG_MEMORY,   /* at register + offset */
};

struct wire_arg {
	__u8 kind;
	__u8 reg;
	__u8 size;
	__u8 is_signed;
	__u32 pad;
	__s64 offset;
};

/* What proof.bpf.c counts, and what it is told. */
#define PROOF_SITES 32
#define PROOF_NAMES 32
#define PROOF_COUNTS 64 /* more than names; PROOF_NAMES is of any other name */
#define PROOF_DEPTH 64

/* Of an ASCII name, with nothing but zeros behind it; 15 characters at most. */
struct proof_name {
	__u64 words[2];
};

enum proof_phase {
	PROOF_OFF = 0,
	PROOF_PLAIN,
	PROOF_THROWN,	    /* into generators */
	PROOF_INSTRUMENTED, /* under a profile function */
	PROOF_PHASES = 4,
};

struct proof {
	__u32 phase; /* set from outside */
	__u32 depth;
	__u64 stack[PROOF_DEPTH]; /* frames entered and not left; from 1 on */
	__u64 hits[PROOF_SITES];
	__u8 frame_regs[PROOF_SITES]; /* set from outside */
	__u32 regs[PROOF_SITES]; /* a bit a register that always held the frame on top */
	__u64 entries[PROOF_PHASES][PROOF_COUNTS];
	__u64 returns[PROOF_PHASES][PROOF_COUNTS];
};

#endif
