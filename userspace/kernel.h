/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is loaded into the kernel once for a session: the maps, and the programs
 * that follow tasks on and off the CPU and through fork, exec and exit.
 */
#ifndef PYCOST_KERNEL_H
#define PYCOST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"
#include "userspace/rights.h"

struct bpf_map;
struct bpf_program;
struct counter;
struct life_bpf;

struct kernel_options {
	unsigned max_nodes;   /* 0: WIRE_DEFAULT_NODES */
	unsigned max_threads; /* 0: WIRE_DEFAULT_THREADS */
	bool per_thread;
	bool no_follow;
	bool by_request;     /* costs are kept apart by the class of requests */
	bool whole_requests; /* only of such that are probed from beginning to end */
	const struct counter *kernel_counter; /* NULL: kernel mode is not counted */
};

struct kernel {
	struct life_bpf *life;
	struct kernel_options options;
	struct wire_node *nodes;     /* the call tree, shared with the kernel */
	struct wire_thread *threads; /* likewise */
	bool task_clock;
	unsigned switches_wanted; /* by so many */
	uint64_t *kernel_selfs; /* by node, likewise; NULL: kernel mode is not counted */
};

/*
 * Loads and attaches.  -EPERM: missing capabilities; -ENOENT: the kernel has no
 * BTF; otherwise what the verifier or a tracepoint said, in words in err.
 */
int kernel_open(const struct kernel_options *options, const struct counter *counter,
		struct kernel **ret, char *err, size_t errlen);
void kernel_close(struct kernel *k);

/*
 * Gives `object`, open and not yet loaded, the session's maps of the same name
 * and constants, whether it has each or not.
 */
struct bpf_object;
int kernel_share(const struct kernel *k, struct bpf_object *object);

/* A root for a process, or a thread of it, published; 0 when the tree is full. */
uint32_t kernel_root(struct kernel *k, uint32_t tgid, uint32_t tid);
int kernel_follow(struct kernel *k, uint32_t tgid, const struct wire_proc *proc);
/*
 * A thread that a followed process had before it was followed: counted from its
 * next context switch or probe on.  -ENOSPC, -ESRCH, -EEXIST: known by now.
 */
int kernel_adopt(struct kernel *k, uint32_t tgid, uint32_t tid);
void kernel_unfollow(struct kernel *k, uint32_t tgid);
/* Where PyFunction_Type is after an exec. */
void kernel_retype(struct kernel *k, uint32_t tgid, uint64_t func_type);
/* A code object that is gone may be announced anew. */
void kernel_forget_code(struct kernel *k, const struct wire_code_key *key);

/* What a node has cost in kernel mode; 0 when that is not counted. */
uint64_t kernel_self(const struct kernel *k, uint32_t index);

/* Gives a dead process's node back.  Its children must be back already. */
void kernel_recycle(struct kernel *k, uint32_t index);

/*
 * Where a node's probes fired.  By system call: a mapping of this map would be in
 * memory as a whole, for what is read of it now and then.
 */
int kernel_returns(const struct kernel *k, uint32_t index, struct wire_search *ret);
int kernel_entries(const struct kernel *k, uint32_t index, struct wire_search *ret);

/*
 * Context switches are seen as long as anybody wants it, which kernel_open() does: -errno.
 * When they are seen again, nothing is known of who runs, nor of whom it works for.
 */
int kernel_switches_want(struct kernel *k);
void kernel_switches_leave(struct kernel *k);
/* What sees them. */
const struct bpf_program *kernel_switches_program(const struct kernel *k);

/* Sums over the CPUs, by enum wire_loss; the second of either mode's map of that name. */
int kernel_losses(const struct kernel *k, uint64_t ret[WIRE_LOSS_MAX]);
int kernel_losses_sum(int map_fd, uint64_t ret[WIRE_LOSS_MAX]);

/* How often the kernel left a program out (struct bpf_prog_info, from 5.12 on). */
uint64_t kernel_program_missed(int program_fd);

int kernel_events_fd(const struct kernel *k);
/* For counter_follow_cpus(). */
int kernel_counters_fd(const struct kernel *k);
int kernel_mode_counters_fd(const struct kernel *k);

/*
 * Whether we see the PIDs that the programs see: those of the initial namespace.
 * Its inode has a fixed number, PROC_PID_INIT_INO in include/linux/proc_ns.h.
 */
bool kernel_pids_are_ours(void);

/* Before anything is loaded: limits are raised; -ENOTSUP, in words, in a PID namespace. */
int kernel_prepare(char *err, size_t errlen);
/* Why the kernel did not take programs. */
void kernel_explain(int error, enum rights_mode mode, char *err, size_t errlen);

/* Quiet unless PYCOST_DEBUG is set; the last complaint is kept for errors. */
void kernel_log_setup(void);
const char *kernel_log_last(void);

#endif
