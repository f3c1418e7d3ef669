/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that see requests (bpf/requests.bpf.c), and the processes whose requests
 * they see.  Beside either mode's programs, or alone.
 */
#ifndef PYCOST_SERVING_H
#define PYCOST_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire_request.h"
#include "userspace/closes.h"
#include "userspace/traps.h"

struct counter;
struct interpreter;
struct kernel;
struct phases;
struct request_config;
struct serving;

struct serving_options {
	const struct request_config *config; /* finished; NULL: nothing was configured */
	const struct counter *counter, *kernel_counter; /* the latter NULL: not counted */
	struct kernel *exact; /* the exact mode's programs, when they are loaded too */
	bool by_request;	    /* function costs are added up by class of requests */
	bool no_follow;		    /* children of processes are not served */
	unsigned budget;	    /* see phases.h; 0: they are always watched */
	bool wanted_only; /* of the requests of some classes: those of serving_want() */
};

/*
 * Loads and attaches.  The counters must outlive it.  Errors as of kernel_open(), in words
 * in err.
 */
int serving_open(const struct serving_options *o, struct serving **ret, char *err, size_t errlen);
void serving_close(struct serving *s); /* NULL: nothing */
enum closes serving_closes(const struct serving *s);

/*
 * Its requests are seen from now on; to be called again when it has executed another
 * program.  Its children are followed in the kernel, before they run.  in: NULL when it
 * is no Python, or not known yet.  -ESRCH: it is gone; -E2BIG: beyond WIRE_MAX_PROCS.
 */
int serving_follow(struct serving *s, pid_t pid, const struct interpreter *in);
void serving_unfollow(struct serving *s, pid_t pid);
/* Forked by one that is followed, and so followed by the kernel's programs; and its end. */
void serving_born(struct serving *s, pid_t pid, pid_t parent);
void serving_died(struct serving *s, pid_t pid);

/*
 * The ring of WIRE_EVENT_REQUEST, _CLASS, _BORN, _DIED.  It wakes when a quarter of it is
 * full, so it is to be read once a second, too.
 */
int serving_events_fd(const struct serving *s);
/* To be called about once a second: ends the requests of processes that are gone. */
void serving_pass(struct serving *s);
/*
 * To be called before the ring is read for the last time: nothing more is seen, and of
 * requests that have their answers none is missing, whatever their threads do by now.
 */
void serving_finish(struct serving *s);

/* NULL: without a budget.  phases_finish() is to be asked after serving_finish(). */
struct phases *serving_phases(const struct serving *s);
/* How traps in its processes are to be held: within a budget nothing may cost between phases. */
enum traps_by serving_traps(const struct serving *s);

/*
 * Gives `object`, open and not yet loaded, the maps and the constants of these programs
 * that it has too: those of other programs that include bpf/serving.bpf.h.
 */
struct bpf_object;
int serving_share(const struct serving *s, struct bpf_object *object);

/* The map of bpf/class_of.bpf.h, for others to share. */
int serving_class_of_fd(const struct serving *s);
/* For counter_follow_cpus(); shared with the exact mode when that is there. */
int serving_counters_fd(const struct serving *s);
int serving_kernel_counters_fd(const struct serving *s);

/* Requests of the one class are of the other from here on: -errno. */
int serving_canonical(struct serving *s, uint64_t class_id, uint64_t canonical);

/*
 * Where the exact mode's probes are on for whole requests only: the next `count` requests
 * that this process begins are captured, and its probes are on.  0: no more of them.  PID
 * 0: what was captured until now and has not ended is not whole.
 */
void serving_arm(struct serving *s, pid_t pid, uint32_t count);
void serving_armed(const struct serving *s, struct wire_armed *ret);
/* With wanted_only: this class is captured too.  -errno. */
int serving_want(struct serving *s, uint64_t class_id);

/* What a served process has cost so far; of running threads up to a millisecond is missing.  -ENOENT. */
int serving_totals(const struct serving *s, pid_t pid, struct wire_served *ret);

/* Sums over the CPUs, by enum wire_loss. */
int serving_losses(const struct serving *s, uint64_t ret[WIRE_LOSS_MAX]);

/* "" or why tasks cannot be told apart in some process, the last: one plain sentence. */
const char *serving_tasks_reason(const struct serving *s);

#endif
