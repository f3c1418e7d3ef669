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

/* Of processes that were added up over a fleet: what stands for their pids is shown nowhere. */
enum many {
	MANY_NOT = 0,
	MANY_EXACT,
	MANY_SAMPLED, /* calls are numbers of samples, whose periods may differ */
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
	bool requests;	   /* the facts of requests are told too */
	bool no_functions; /* nothing else is: neither calls nor samples */
	enum many many;	   /* in memory only */
	/*
	 * Requests are watched in phases, so that it costs no more than so many parts of
	 * 10,000 of CPU time: see struct sink_phase.  0: all of them.
	 */
	uint32_t budget;
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
	uint32_t endpoint; /* of a root: the requests that it is of; 0: of none */
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

/*
 * The facts of requests: only with meta.requests.
 *
 * A set of tags, each once: metadata of requests, or of all that is measured.
 */
struct sink_tags {
	uint32_t id; /* from 1, dense */
	uint32_t count; /* at most TAGS_MAX */
	const char *const *keys; /* ascending, each once */
	const char *const *values;
};
#define TAGS_MAX 64

/* Where an endpoint's name is from.  Values are written to disk: never renumber. */
enum endpoint_source {
	ENDPOINT_PATTERN = 1,	/* of the user's, that the path matches */
	ENDPOINT_HEURISTIC = 2, /* the path, with what varies in it as '*' */
	ENDPOINT_MARK = 3,	/* the application said so */
	ENDPOINT_OTHER = 4,	/* all beyond the number that is kept apart */
};

const char *endpoint_source_name(enum endpoint_source source); /* "pattern"…; 0: "none" */

/* What requests are for, and what their function costs are added up by. */
struct sink_endpoint {
	uint32_t id; /* from 1, dense */
	uint8_t source; /* enum endpoint_source */
	const char *method;
	const char *name; /* "/shop/product/" followed by a star, for example */
	uint32_t tags;	  /* those that function costs are kept apart by; 0: none */
};

/* A class of back ends, by address or port. */
struct sink_backend {
	uint32_t id; /* from 1, dense; at most REQUEST_BACKENDS */
	const char *name;
};
#define REQUEST_BACKENDS 8

/* Requests that are alike in all that they can be told apart by. */
struct sink_group {
	uint32_t id; /* from 1, dense */
	uint32_t endpoint;
	uint32_t pid;  /* it may not have been told as a process */
	uint32_t tags; /* all that is known of them; 0: nothing */
	uint16_t status; /* 0: no answer */
	uint16_t flags; /* GROUP_* */
};
#define GROUP_EXACT 1	/* probed from beginning to end: their cost has the probes' own in it */
#define GROUP_TLS 2
#define GROUP_ABORTED 4 /* the client or the worker went before the end */
#define GROUP_TASK 8	/* no request of a client: a task, a command */
#define GROUP_SHARED 16 /* some of its cost was not told apart from another's */
#define GROUP_TICKS 32 /* REQUEST_SYSCALL is an estimate by the kernel's ticks */
#define GROUP_FLAGS 63

/* What is measured of each request.  Values are written to disk: never renumber. */
enum request_measure {
	REQUEST_COST = 0,    /* units of the metric */
	REQUEST_KERNEL_COST, /* likewise, in kernel mode; with meta.kernel_mode */
	REQUEST_LATENCY,     /* ns; all times are */
	REQUEST_CPU,	     /* on a CPU */
	REQUEST_RUN_QUEUE,   /* ready, waiting for a CPU */
	REQUEST_SYSCALL,     /* on a CPU in system calls; with GROUP_TICKS: in the kernel */
	REQUEST_GIL,	     /* waiting for the GIL */
	REQUEST_GC,	     /* collecting garbage */
	REQUEST_GCS,	     /* collections */
	REQUEST_GC_COST,     /* units of the metric */
	REQUEST_IMPORT,
	REQUEST_IMPORTS,     /* modules */
	REQUEST_IMPORT_COST,
	REQUEST_RSS,	     /* growth of the process, bytes */
	REQUEST_BYTES_IN,
	REQUEST_BYTES_OUT,
	REQUEST_THREADS,     /* that worked for it */
	REQUEST_HEAD,	     /* ns to the answer's first byte */
	REQUEST_PROBED_CALLS, /* function calls that were probed */
	REQUEST_MEASURES,
};
const char *request_measure_name(enum request_measure m); /* "cost", "latency"...: JSON keys */

/* Measures whose distribution is kept: see histogram.h. */
enum request_distribution {
	DISTRIBUTION_COST = 0,
	DISTRIBUTION_LATENCY,
	DISTRIBUTION_CPU,
	REQUEST_DISTRIBUTIONS,
};

struct sink_bin {
	uint16_t bin;
	uint64_t count;
};

/* Requests of a group that ended since it was last told. */
struct sink_requests {
	uint32_t group;
	uint64_t count;
	int64_t sums[REQUEST_MEASURES];
	double squares[REQUEST_MEASURES]; /* sums of squares */
	uint32_t backend_calls[REQUEST_BACKENDS]; /* by id - 1 */
	uint64_t backend_ns[REQUEST_BACKENDS];
	const struct sink_bin *bins[REQUEST_DISTRIBUTIONS]; /* ascending, none empty */
	uint32_t bin_counts[REQUEST_DISTRIBUTIONS];
};

/*
 * With meta.budget: a time in which requests were watched.  It stands for the gap before
 * it, too.  The requests that were told since the last phase are those that began in it.
 */
struct sink_phase {
	uint64_t gap_ns, watched_ns; /* the latter 0: the gap at the end of all */
	uint64_t cost_ns; /* CPU time that watching took, by our reckoning, */
	uint64_t cpu_ns;  /* and what the served processes took: both with the gap */
};

/* A served process: totals so far.  Told when it ends, and at the end. */
struct sink_worker {
	uint32_t pid, ppid;
	uint64_t born_ns, died_ns; /* since the beginning; 0: before it; lives on */
	int32_t exit_status;	   /* as wait(2) has it; -1: not known, or alive */
	uint64_t requests;
	uint64_t cost, cpu_ns;	   /* of all its threads, whatever they did */
	uint64_t request_cost;	   /* of that, within requests */
	/* Bytes: at birth (or when first seen, where that was before), last, at most; 0: not known. */
	uint64_t birth_rss, last_rss, peak_rss;
};

/* Imports since last told: of one module by one function. */
struct sink_import {
	uint32_t endpoint; /* 0: outside of any request */
	uint32_t function; /* that imported; 0: not known */
	const char *module;
	uint64_t count;
	uint64_t ns, cost; /* with those that it imports itself */
	uint64_t self_ns, self_cost; /* without */
};

/* Collections of garbage since last told, that this function ran into. */
struct sink_collection {
	uint32_t endpoint;
	uint32_t function;
	uint8_t generation;
	uint64_t count;
	uint64_t ns, cost;
	uint64_t collected; /* objects */
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
	LOSS_REQUESTS,	      /* requests, or calls on sockets, that were not seen */
	LOSS_CONNECTIONS,     /* connections beyond the table: their requests were not seen */
	LOSS_CLASSES,	      /* requests counted as others, of endpoints beyond those kept apart */
	LOSS_SERVERS,	      /* threads of served processes beyond the table */
	LOSS_GARBLED,	      /* connections that speak no protocol known, or broke its rules */
	LOSS_TAGS,	      /* requests whose tags were beyond those kept apart */
	LOSS_MARKS,	      /* imports, collections and marks that were not told */
	LOSS_CUT,	      /* requests that had not ended when watching was to rest */
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
	/*
	 * These only with meta.requests.  Tags before what names them, endpoints and back
	 * ends before groups and nodes, a group before its requests.  A sink without one of
	 * these handlers is not interested.
	 */
	int (*tags)(struct sink *s, const struct sink_tags *t);
	int (*common_tags)(struct sink *s, uint32_t tags); /* of all that is measured */
	int (*endpoint)(struct sink *s, const struct sink_endpoint *e);
	int (*backend)(struct sink *s, const struct sink_backend *b);
	int (*group)(struct sink *s, const struct sink_group *g);
	int (*requests)(struct sink *s, const struct sink_requests *r);
	int (*phase)(struct sink *s, const struct sink_phase *p);
	int (*worker)(struct sink *s, const struct sink_worker *w);
	int (*import)(struct sink *s, const struct sink_import *i);
	int (*collection)(struct sink *s, const struct sink_collection *c);
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
