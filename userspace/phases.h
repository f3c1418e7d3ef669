/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests watched in phases, within a budget: see phase_plan.h.
 *
 * A phase begins when the programs at sockets and context switches are attached, and
 * takes the requests that begin in it.  Then nothing new is taken; what is in flight has
 * some seconds to end; the programs are detached, and all that they have noted of
 * threads and connections is forgotten: the next phase is as the first.  Between phases
 * nothing of these programs runs but at births and deaths, and at probes that do not rest.
 *
 * What it costs is what the kernel says that the programs ran (BPF_ENABLE_STATS, only
 * in phases, which wants CAP_SYS_ADMIN), with a factor for what they do to caches.
 */
#ifndef PYCOST_PHASES_H
#define PYCOST_PHASES_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_program;
struct kernel;
struct phases;
struct requests_bpf;

/* A phase that is over. */
struct phase {
	uint64_t gap_ns;     /* since the one before: not watched */
	uint64_t watched_ns; /* requests that began were taken */
	uint64_t cut;	     /* requests that had not ended when patience did */
	uint64_t cost_ns;    /* of CPU time, since the one before */
	uint64_t cpu_ns;     /* of the served processes, since the one before */
};

/* Before they are attached: those that are attached for a phase are not yet. */
void phases_set_apart(struct requests_bpf *programs);
/*
 * programs: loaded, by_phases, set apart.  closing: tells of closed connections, and is not
 * attached either; NULL: none does.  exact: its threads' switches are seen in phases only;
 * NULL: there is no such mode.  budget: in parts of BUDGET_UNIT.  The first phase
 * begins with phases_turn().  -ENOMEM; -EPERM: the kernel's statistics are not ours to
 * ask for.
 */
int phases_open(struct requests_bpf *programs, const struct bpf_program *closing,
		struct kernel *exact, unsigned budget, struct phases **ret);
/* From here on NULL is allowed: there are no phases. */
void phases_close(struct phases *p);

/*
 * To be called often, and when phases_patience() is over.  1: a phase has ended, and of
 * its requests none is missing in the ring; 0; or -errno of attaching.
 */
int phases_turn(struct phases *p, struct phase *ret);
/* Milliseconds until then, at most timeout_ms. */
int phases_patience(const struct phases *p, int timeout_ms);

/*
 * Requests that begin now may be captured, which takes them longer: so it is not done in a
 * phase that stands for a gap, but in one that follows it at once, if phases_want() is, and
 * stands for itself.  That is over when it is not.
 */
bool phases_captures(const struct phases *p);
void phases_want(struct phases *p, bool want);
/* How many requests one of this phase stands for, as long as it is not over: about. */
double phases_weight(const struct phases *p);
/* While this is so, a phase that takes no more is not left. */
void phases_hold(struct phases *p, bool hold);
/* What else is paid for in phases: cost() is the sum of phases_cost_of() its programs. */
void phases_others(struct phases *p, double (*cost)(void *arg), void *arg);
double phases_cost_of(const struct bpf_program *program);
/*
 * What else is only there in phases: rest(true) when one has been left, rest(false) before the
 * next begins, which says whether there was a rest from tasks.
 */
void phases_on_rest(struct phases *p, bool (*rest)(void *arg, bool rests), void *arg);
/* The end of all: lets go of the programs. */
void phases_detach(struct phases *p);
/*
 * Then, when all that is to be told has been: true: a phase is over, as above; or there was
 * none since the last, and watched_ns is 0.
 */
bool phases_finish(struct phases *p, struct phase *ret);

#endif
