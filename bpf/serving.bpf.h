/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of served processes, and whose costs each of them makes.
 *
 * A thread has totals that only grow, and an owner: the request it works for.  When
 * that changes, the old owner gets what was added since it began.  A thread whose owner
 * is known only later, when it sends an answer, gives all since it last waited for work.
 *
 * Its clock stands while another task runs, as in life.bpf.c; a switch that was not
 * told shows in the task's own count of them, and what lies between is lost, not charged.
 */
#ifndef PYCOST_SERVING_BPF_H
#define PYCOST_SERVING_BPF_H

#include "bpf/account.bpf.h"
#include "bpf/counter.bpf.h"
#include "bpf/inflight.bpf.h"
#include "bpf/class_of.bpf.h"
#include "bpf/server.bpf.h"

/*
 * How many served processes have a tgid with these low bits: all others are left at
 * once.  User space adds those it follows.
 */
#define SERVED_HINTS 8192
__u32 served_hints[SERVED_HINTS];
__u64 served_deaths; /* of processes: user space looks for what they have left */

/* A clock that has gone on for so long is believed only when no switch was missed. */
#define SLICE_DOUBT 20000

static __always_inline int served_maybe(__u32 tgid)
{
	return served_hints[tgid & (SERVED_HINTS - 1)] != 0;
}

static __always_inline __u32 switches_here(void)
{
	struct task_struct *task = task_here();

	return HAS_TASK_BTF ? task->nvcsw + task->nivcsw
			    : BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
}

static __always_inline __u64 run_queue_here(void)
{
	struct task_struct *task = task_here();

	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return 0;
	return HAS_TASK_BTF ? task->sched_info.run_delay
			    : BPF_CORE_READ(task, sched_info.run_delay);
}

/* What its ticks have met it at in the kernel: the truth of a second, not of a request. */
static __always_inline __u64 system_time_here(void)
{
	return task_here()->stime;
}

/* Its clock starts: it is on this CPU. */
static __always_inline void server_starts(struct server *s, __u32 switches, __u64 ns)
{
	s->cpu = bpf_get_smp_processor_id();
	s->switches = switches;
	s->on_cpu = 1;
	s->last_ns = ns;
	s->last = task_clock ? ns : counter_now();
	s->last_kernel = kernel_now();
}

/* What it has cost since it was last looked at; its clock goes on. */
static __always_inline void server_advance(struct server *s, __u64 ns)
{
	__u64 kernel = kernel_now(), counter = task_clock ? ns : counter_now();

	/* Newer kernels may switch tasks inside a program: then these are stale. */
	if ((__s64)(ns - s->last_ns) < 0)
		return;
	s->now.cpu_ns += ns - s->last_ns;
	s->last_ns = ns;
	s->now.cost += counter_advance(s->last, counter);
	s->last = counter;
	if (kernel_mode && kernel > s->last_kernel && kernel != COUNTER_NONE)
		s->now.cost_kernel += kernel - s->last_kernel;
	s->last_kernel = kernel;
}

/* What its process's totals lack. */
static __always_inline void server_tell(struct server *s)
{
	__u32 tgid = s->tgid;
	struct wire_served *p = bpf_map_lookup_elem(&served, &tgid);

	if (!p)
		return;
	__sync_fetch_and_add(&p->cost, s->now.cost - s->told_cost);
	__sync_fetch_and_add(&p->cost_kernel, s->now.cost_kernel - s->told_kernel);
	__sync_fetch_and_add(&p->cpu_ns, s->now.cpu_ns - s->told_cpu);
	s->told_cost = s->now.cost;
	s->told_kernel = s->now.cost_kernel;
	s->told_cpu = s->now.cpu_ns;
}

#define TELL_EVERY 1000000 /* ns of a thread's CPU time */

static __always_inline void server_tell_some(struct server *s)
{
	if (s->now.cpu_ns - s->told_cpu >= TELL_EVERY)
		server_tell(s);
}

/* Whether its clock can be believed; else it starts anew. */
static __always_inline int server_is_told(struct server *s, __u64 ns)
{
	__u32 switches;

	if (s->on_cpu && s->cpu == bpf_get_smp_processor_id() && ns - s->last_ns < SLICE_DOUBT)
		return 1;
	switches = switches_here();
	if (s->on_cpu && switches == s->switches)
		return 1;
	if (s->last_ns)
		lose(WIRE_LOSS_SLICES);
	server_starts(s, switches, ns);
	return 0;
}

/* What the exact mode's probes have seen since last asked, and what they left out. */
static __always_inline void server_count(struct server *s)
{
	struct wire_thread *t = exact_thread(s->tid);

	if (!t)
		return;
	/* Met in the middle of its life: what was in the phases before is not this one's. */
	if (by_phases && !s->known) {
		s->left_out = t->left_out;
		s->calls = t->calls;
		return;
	}
	s->now.calls += t->calls - (t->calls < s->calls ? 0 : s->calls);
	s->now.cost -= t->left_out - (t->calls < s->calls ? 0 : s->left_out);
	s->left_out = t->left_out;
	s->calls = t->calls;
}

/* Brings the totals of the current thread up to `ns`, which is now. */
static __always_inline void server_account_at(struct server *s, __u64 ns)
{
	if (server_is_told(s, ns))
		server_advance(s, ns);
	s->now.run_queue_ns = run_queue_here();
	if (s->fresh || !s->known)
		s->span.run_queue_ns = s->now.run_queue_ns;
	s->fresh = 0;
	if (by_sockets)
		s->now.syscall_ns = system_time_here();
	server_count(s);
	if (!s->known) {
		/* What was before it was met is nobody's. */
		s->known = 1;
		s->since.run_queue_ns = s->now.run_queue_ns;
		s->since.syscall_ns = s->span.syscall_ns = s->now.syscall_ns;
	}
	server_tell_some(s);
}

static __always_inline void server_settle_marks(struct server *s, struct wire_request *r)
{
	__sync_fetch_and_add(&r->gc_ns, s->now.gc_ns - s->since.gc_ns);
	__sync_fetch_and_add(&r->gc_cost, s->now.gc_cost - s->since.gc_cost);
	__sync_fetch_and_add(&r->import_ns, s->now.import_ns - s->since.import_ns);
	__sync_fetch_and_add(&r->import_cost, s->now.import_cost - s->since.import_cost);
	__sync_fetch_and_add(&r->gcs, s->now.gcs - s->since.gcs);
	__sync_fetch_and_add(&r->imports, s->now.imports - s->since.imports);
}

static __always_inline void server_account(struct server *s)
{
	server_account_at(s, bpf_ktime_get_ns());
}

/* What was waited since the thread began to work for it; not what it waits after that. */
static __always_inline void server_settle_waits(struct server *s, struct wire_request *r)
{
	__sync_fetch_and_add(&r->run_queue_ns, s->now.run_queue_ns - s->since.run_queue_ns);
	__sync_fetch_and_add(&r->gil_ns, s->now.gil_ns - s->since.gil_ns);
	s->since.run_queue_ns = s->now.run_queue_ns;
	s->since.gil_ns = s->now.gil_ns;
}

/* The request gets what was added since the thread began to work for it. */
static __always_inline void server_settle(struct server *s, struct wire_request *r)
{
	__sync_fetch_and_add(&r->cost, s->now.cost - s->since.cost);
	__sync_fetch_and_add(&r->cost_kernel, s->now.cost_kernel - s->since.cost_kernel);
	__sync_fetch_and_add(&r->cpu_ns, s->now.cpu_ns - s->since.cpu_ns);
	__sync_fetch_and_add(&r->syscall_ns, s->now.syscall_ns - s->since.syscall_ns);
	server_settle_waits(s, r);
	__sync_fetch_and_add(&r->probed_calls, s->now.calls - s->since.calls);
	if (s->now.gcs != s->since.gcs || s->now.imports != s->since.imports)
		server_settle_marks(s, r);
	s->since = s->now;
}

/* Others learn which class the thread works for. */
static __always_inline void server_class(struct server *s, __u64 class_id)
{
	__u32 tid = s->tid;
	__u64 *known;

	if (!by_request)
		return;
	if (exact_mode) {
		exact_class(tid, class_id);
		s->turns = 1;
	}
	known = bpf_map_lookup_elem(&class_of, &tid);
	if (known)
		*known = class_id;
	else if (class_id)
		bpf_map_update_elem(&class_of, &tid, &class_id, BPF_ANY);
}

/* What the task that ran has cost, for when it is known who it works for. */
static __always_inline void task_stops(struct server *s)
{
	struct account *a = account_find(s->tgid, s->run.task);

	if (!a)
		return;
	if (s->owner)
		a->pending = no_totals;
	else
		totals_subtract(&a->pending, &s->now, &s->span);
}

enum server_change {
	SERVER_TAKES,
	SERVER_CLAIMS, /* when it worked for none: all since it last waited is the new one's, too */
	/* To another task, which says nothing of the one that ran; it is accounted up to now. */
	SERVER_SWITCHES,
};

/* The current thread works for another request from here on; 0: for none. */
__noinline int server_change(__u64 request, __u32 how)
{
	struct server *s = server_here();
	struct inflight *old, *new;

	if (!s)
		return 0;
	if (how != SERVER_SWITCHES)
		server_account(s);
	if (how != SERVER_SWITCHES && request && s->run.uvloop) {
		/* libuv reads before it calls back, and writes after: no task does */
		task_stops(s);
		s->run.task = s->run.sp = 0;
		how = SERVER_TAKES;
	}
	old = inflight_find(s->owner);
	if (old) {
		/* It has its answer: waits are not for it any more. */
		if (old->done) {
			s->since.run_queue_ns = s->now.run_queue_ns;
			s->since.gil_ns = s->now.gil_ns;
		}
		server_settle(s, &old->r);
		if (old->done == s->tid && !s->born) {
			request_send(old);
			request_forget(old);
		}
	} else {
		s->since = how == SERVER_CLAIMS && !s->owner ? s->span : s->now;
	}
	new = inflight_find(request);
	/* What was done for it by now was not captured. */
	if (new && whole_requests && how == SERVER_CLAIMS && !s->owner)
		request_inexact(new);
	s->owner = new ? request : 0;
	s->born = 0;
	if (new)
		request_worker(new, s->tid);
	else
		s->span = s->now;
	if (new && how != SERVER_SWITCHES)
		account_bind(s->tgid, &s->run, request);
	server_class(s, request_charged(new));
	return 0;
}

/*
 * From now on its costs go to this request (0: none); what it cost until now goes to the
 * old owner.  Idempotent, and cheap when nothing changes.
 */
static __always_inline void server_own(struct server *s, __u64 request)
{
	s->run.received = request != 0;
	if (s->owner != request)
		server_change(request, SERVER_TAKES);
}

/*
 * As server_own(); and what it has cost since it last waited, with no owner, is the
 * request's too.
 */
static __always_inline void server_claim(struct server *s, __u64 request)
{
	if (s->owner != request)
		server_change(request, SERVER_CLAIMS);
}

/*
 * The request is over, by what the current thread did: its latency is fixed.  When the
 * thread works for it, what it goes on to do is the request's until it turns to
 * something else; else it is sent now.
 */
__noinline int request_close(__u64 id, __u32 flags)
{
	struct inflight *f = inflight_find(id);
	struct server *s = server_here();
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 ns = bpf_ktime_get_ns();

	if (!f || f->done)
		return 0;
	f->done = tid;
	f->r.flags |= flags;
	f->r.latency = (s && s->ends_ns > f->r.begin ? s->ends_ns : ns) - f->r.begin;
	if (s && s->owner == id) {
		server_account_at(s, ns);
		server_settle_waits(s, &f->r);
		if (!s->born)
			return 0;
		server_settle(s, &f->r);
	}
	request_send(f);
	request_forget(f);
	return 0;
}

/* Its process has ended in it. */
static __always_inline void request_died(struct inflight *f)
{
	f->r.flags |= WIRE_REQUEST_DIED;
	f->r.latency = bpf_ktime_get_ns() - f->r.begin;
}

/* It never was one. */
__noinline int request_drop(__u64 id)
{
	struct inflight *f = inflight_find(id);

	if (!f)
		return 0;
	if (whole_requests)
		request_inexact(f);
	request_forget(f);
	return 0;
}

/* The current thread's, as of bpf_get_current_pid_tgid(), which may not have been seen yet. */
static __always_inline struct server *server_met(__u64 id)
{
	__u32 tid = id, tgid = id >> 32;
	struct server *s = server_of(tid);

	if (s || !bpf_map_lookup_elem(&served, &tgid))
		return s;
	s = server_make(tgid, tid);
	if (s)
		server_account(s);
	return s;
}

/*
 * The last thing that a program does which may have changed whom the current thread works
 * for: its function costs follow at once, and not from its next call on.
 */
static __always_inline void server_turn(struct server *s)
{
	if (!exact_mode || !s->turns)
		return;
	s->turns = 0;
	exact_turn(s->tid);
}

#endif
