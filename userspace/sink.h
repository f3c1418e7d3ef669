/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a measurement produces, as a stream of facts.
 *
 * The session (live) and the recording reader (from a file) both speak this
 * interface; the recording writer and the in-memory profile both listen to it.
 * So `record` is session -> writer, `top` is session -> profile and `report` is
 * reader -> profile, with nothing else between them.
 *
 * Order: meta first; a process before its nodes; a function and a parent node
 * before a node that names them; costs at any time after their node.
 * Strings are borrowed for the call only.  All handlers return 0 or -errno,
 * and an error ends the stream.
 */
#ifndef PYCOST_SINK_H
#define PYCOST_SINK_H

#include <stdbool.h>
#include <stdint.h>

/* Values are written to disk: never renumber. */
enum metric {
	METRIC_INSTRUCTIONS = 1, /* user-mode retired instructions */
	METRIC_CYCLES = 2,	 /* user-mode CPU cycles */
	METRIC_TASK_CLOCK = 3,	 /* nanoseconds on a CPU, user and kernel */
};

struct sink_meta {
	enum metric metric;
	bool user_only;	       /* kernel mode excluded from the metric */
	bool metric_fallback;  /* task-clock because no counter was there */
	bool per_thread;       /* call trees are rooted at threads, not processes */
	uint64_t start_realtime_ns;
	const char *host;
	const char *kernel;
	const char *version; /* of pycost */
	bool kernel_mode;    /* counted too: kernel_self and the calibration's kernel_* hold */
	/*
	 * Of samples: what passes of the metric, on one CPU, from one to the next; 0 of an
	 * exact measurement.  A sample stands for so much: costs are estimates, and no
	 * calls are known.
	 */
	uint64_t period;
};

struct sink_process {
	uint32_t pid;
	uint32_t ppid;	    /* 0 when it is not a followed child */
	const char *comm;
	const char *python; /* "3.15.2"; "" when unknown */
	const char *exe;
	uint32_t calibration; /* id of its interpreter's calibration, 0: none */
};

/* What the probes themselves add to one call, in units of the metric. */
struct sink_calibration {
	uint32_t id; /* from 1 */
	const char *python;
	const char *build_id;
	double entry;	    /* lands in the callee's self */
	double exit;	    /* lands in the caller's self */
	double entry_error; /* standard errors of the two */
	double exit_error;
	double total_error; /* of entry + exit, known better than either */
	double plain;	    /* an empty call without probes: none costs less */
	double search_error; /* standard error of the costs' searches, as a share */
	/* The same in kernel mode, of which an empty call has none. */
	double kernel_entry;
	double kernel_exit;
	double kernel_entry_error;
	double kernel_exit_error;
	double kernel_total_error;
};

struct sink_function {
	uint32_t id;	      /* from 1, dense */
	const char *name;     /* co_name */
	const char *qualname; /* "Class.method", "outer.<locals>.inner" */
	const char *class_name; /* "Class"; "" when it is no method */
	const char *module;
	const char *file;
	const char *wraps; /* qualname of what this wrapper wraps; "" otherwise */
	uint32_t line;	   /* co_firstlineno; 0 when unknown */
	bool unresolved;   /* qualname is only the bare name */
};

struct sink_node {
	uint32_t id;	   /* from 1, dense */
	uint32_t parent;   /* 0: a root */
	uint32_t function; /* 0 at a root: code outside any Python function */
	uint32_t pid;
	uint32_t tid; /* 0 unless per_thread */
};

/* Counts since the previous cost of the same node. */
struct sink_cost {
	uint32_t node;
	uint64_t calls;
	uint64_t self; /* raw: the probes' own cost is still inside */
	/*
	 * What the interpreter's search for the probes' line numbers took of it beyond
	 * what the calibration says, of this node's self and of its caller's; below 0
	 * when it took less.  In units of the metric.
	 */
	int64_t search_self, search_caller;
	uint64_t kernel_self; /* likewise, in kernel mode */
	/*
	 * With kernel mode: probe hits beyond an entry and a return for each call, which
	 * fell on this node's self and on its caller's; below 0 when there were fewer.
	 */
	int64_t lone_self, lone_caller;
};

/* A native function on a thread's stack, below its Python frames. */
struct sink_native {
	uint32_t id;	 /* from 1, dense */
	uint32_t parent; /* the native that called it; 0: none is known */
	const char *symbol; /* "" when unknown */
	const char *object; /* path, "[vdso]"…; "" when unknown */
};

/* Values are written to disk: never renumber. */
enum sample_state {
	SAMPLE_RUNS = 0,
	SAMPLE_GC = 1,	   /* collecting garbage */
	SAMPLE_IMPORT = 2, /* within an import */
	SAMPLE_GIL = 3,	   /* on its way to the GIL */
	SAMPLE_STATES,
};
const char *sample_state_name(enum sample_state state); /* "runs", "gc", "import", "gil" */
#define SINK_NO_OPCODE 0xffff

/*
 * Samples, since the previous ones of the same kind, that found `node` innermost.
 * Each adds one period to the node's self.
 */
struct sink_sample {
	uint32_t node;
	uint32_t line;	 /* current; 0 when unknown */
	uint32_t native; /* innermost; 0: none is known */
	uint16_t opcode; /* in its specialised form, numbered as in that Python; SINK_NO_OPCODE */
	uint8_t state;	 /* enum sample_state */
	bool in_kernel;
	uint64_t count;
};

/* Likewise, samples that found `node` calling another function from this line. */
struct sink_passage {
	uint32_t node;
	uint32_t line;
	uint64_t count;
};

/* Everything that was not seen or not kept.  Totals, not differences. */
enum loss {
	LOSS_NODES = 1,	      /* calls charged to their caller: call tree full */
	LOSS_DEPTH,	      /* calls deeper than the shadow stack */
	LOSS_THREADS,	      /* events of threads beyond the thread table */
	LOSS_NAMES,	      /* functions whose names could not be sent */
	LOSS_MEMORY,	      /* events whose frame could not be read */
	LOSS_RESYNC_TRUNCATED, /* stacks rebuilt only in part */
	LOSS_LATE_ATTACH,     /* processes attached after their first call */
	LOSS_CLAMPED,	      /* (report only) corrected costs below 0, shown as 0 */
	LOSS_MULTIPLEXED,     /* parts of a million of the time a counter was off the PMU */
	LOSS_PROBES_MISSED,   /* probe hits the kernel did not deliver */
	LOSS_PROCESSES,	      /* forks beyond the process table: not followed */
	LOSS_SLICES,	      /* time slices whose start or end was not seen */
	LOSS_EVENTS,	      /* fork, exec and exit notes that were dropped */
	LOSS_UNCOUNTED,	      /* advances of a thread on a CPU that had no counter */
	LOSS_SAMPLES,	      /* samples that were dropped */
	LOSS_THROTTLED,	      /* times that the kernel held sampling back */
	LOSS_UNWALKED,	      /* samples whose path could not be read: outside any function */
	LOSS_DEEP,	      /* samples of a stack too deep: its outer end is missing */
	LOSS_LINES,	      /* functions whose line table was not to be had: lines unknown */
	LOSS_NATIVES,	      /* samples of native functions beyond those kept */
	LOSS_MAX,
};
const char *loss_name(enum loss loss); /* "nodes", "depth"…: JSON keys; NULL if unknown */

struct sink {
	int (*meta)(struct sink *s, const struct sink_meta *meta);
	int (*calibration)(struct sink *s, const struct sink_calibration *c);
	int (*process)(struct sink *s, const struct sink_process *p);
	int (*function)(struct sink *s, const struct sink_function *f);
	int (*node)(struct sink *s, const struct sink_node *n);
	int (*cost)(struct sink *s, const struct sink_cost *c);
	/* These three only of samples. */
	int (*native)(struct sink *s, const struct sink_native *n);
	int (*sample)(struct sink *s, const struct sink_sample *c);
	int (*passage)(struct sink *s, const struct sink_passage *c);
	int (*loss)(struct sink *s, enum loss loss, uint64_t total);
	/* Everything so far is consistent: a writer makes it durable here. */
	int (*flush)(struct sink *s, uint64_t duration_ns);
	/* The stream is complete. */
	int (*end)(struct sink *s, uint64_t duration_ns);
};

enum metric metric_by_name(const char *name); /* "instructions", "cycles"…; 0: none */
const char *metric_name(enum metric m); /* "instructions:u", "cycles:u", "task-clock" */
const char *metric_kernel_name(enum metric m); /* "instructions:k", "cycles:k" */
const char *metric_unit(enum metric m); /* "instructions", "cycles", "ns" */

#endif
