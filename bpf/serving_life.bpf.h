/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Served processes and their threads from birth to death.
 */
#ifndef PYCOST_SERVING_LIFE_BPF_H
#define PYCOST_SERVING_LIFE_BPF_H

#include "bpf/memory.bpf.h"
#include "bpf/serving.bpf.h"

const volatile __u8 no_follow; /* forked children are not served */

static __always_inline void served_hint(__u32 tgid, int add)
{
	__sync_fetch_and_add(&served_hints[tgid & (SERVED_HINTS - 1)], add);
}

/*
 * What the scheduler has counted since the last switch, and we have not: a switch was not
 * told to us.  Hardware counters have nothing to mend it with.
 */
static __always_inline void server_mends(struct server *s, __u64 ran)
{
	__u64 missing = ran - s->ran - (s->now.cpu_ns - s->ran_cpu);

	if (s->timed && (__s64)missing > 0) {
		s->now.cpu_ns += missing;
		if (task_clock)
			s->now.cost += missing;
	}
	s->timed = 1;
	s->ran = ran;
	s->ran_cpu = s->now.cpu_ns;
}

/* 0: none of ours.  Its clock stands, but it is still the current one. */
static __always_inline struct server *switched_out(struct task_struct *task)
{
	__u32 tid = task->pid, switches = task->nvcsw + task->nivcsw;
	struct server *s = server_of(tid);

	if (!s)
		return 0;
	/* The task's count has this switch in it already. */
	if (s->on_cpu && s->cpu == bpf_get_smp_processor_id() && s->switches + 1 == switches) {
		server_advance(s, bpf_ktime_get_ns());
		server_tell_some(s);
		s->switches = switches;
	} else {
		if (s->on_cpu)
			lose(WIRE_LOSS_SLICES);
		if (by_sockets)
			server_starts(s, switches, bpf_ktime_get_ns());
	}
	server_mends(s, task->se.sum_exec_runtime);
	return s;
}

static __always_inline struct server *switched_in(struct task_struct *task)
{
	__u32 tid = task->pid, tgid = task->tgid;
	struct server *s = server_of(tid);

	if (!s && bpf_map_lookup_elem(&served, &tgid))
		s = server_make(tgid, tid);
	if (s)
		server_starts(s, task->nvcsw + task->nivcsw, bpf_ktime_get_ns());
	return s;
}

/* What the thread that makes it works for, it works for too. */
static __always_inline void thread_born(__u32 tgid, __u32 tid)
{
	struct server *maker = server_here();
	struct server *s = watched_rests() ? 0 : server_make(tgid, tid);
	struct inflight *f = maker ? inflight_find(maker->owner) : 0;

	if (!s)
		return;
	s->known = s->timed = 1;
	if (!f || f->done)
		return;
	s->owner = maker->owner;
	s->born = 1;
	request_worker(f, tid);
	server_class(s, request_charged(f));
}

static __always_inline void life_tell(__u32 kind, __u32 tgid, __u32 parent, struct task_struct *task,
				      const struct wire_served *totals)
{
	struct wire_event_life *e = bpf_ringbuf_reserve(&requests, sizeof(*e), 0);

	if (!e) {
		lose(WIRE_LOSS_EVENTS);
		return;
	}
	e->head.kind = kind;
	e->head.tgid = tgid;
	e->parent = parent;
	e->exit_code = kind == WIRE_EVENT_DIED ? BPF_CORE_READ(task, exit_code) : 0;
	e->at = bpf_ktime_get_ns();
	e->rss = rss_of(task);
	if (!e->rss)
		e->rss = totals->rss;
	e->peak_rss = (__u64)BPF_CORE_READ(task, signal, maxrss) * page_size;
	__builtin_memcpy(&e->served, totals, sizeof(e->served));
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void process_born(const struct wire_served *parent, __u32 parent_tgid,
					 struct task_struct *child)
{
	struct wire_served new = {.runtime = parent->runtime,
				  .runtime_end = parent->runtime_end,
				  .flags = parent->flags & WIRE_SERVED_FREE_THREADED};
	__u32 tgid = child->tgid;
	struct server *s;

	served_hint(tgid, 1);
	if (bpf_map_update_elem(&served, &tgid, &new, BPF_NOEXIST)) {
		served_hint(tgid, -1);
		lose(WIRE_LOSS_PROCS);
		return;
	}
	s = watched_rests() ? 0 : server_make(tgid, tgid);
	if (s)
		s->known = s->timed = 1;
	life_tell(WIRE_EVENT_BORN, tgid, parent_tgid, child, &new);
}

/* The current thread ends; `dies`: and its process with it, in the middle of whatever. */
static __always_inline void thread_dies(struct server *s, int dies)
{
	struct inflight *f = inflight_find(s->owner);
	__u32 tid = s->tid;

	if (f && !f->done && dies && !s->born)
		request_close(s->owner, WIRE_REQUEST_DIED);
	server_own(s, 0);
	server_account(s);
	server_tell(s);
	if (by_request)
		bpf_map_delete_elem(&class_of, &tid);
	server_forget(tid);
}

/* What the scheduler has counted of all threads; the current one is the last of them. */
static __always_inline __u64 process_ran(struct task_struct *task)
{
	__u64 ran = task->signal->sum_sched_runtime + task->se.sum_exec_runtime;

	/* The first thread's is added when its process is waited for. */
	return task->group_leader == task ? ran : ran + task->group_leader->se.sum_exec_runtime;
}

/* The current thread was the last of its process. */
static __always_inline void process_dies(struct task_struct *task, __u32 tgid)
{
	struct wire_served *p = bpf_map_lookup_elem(&served, &tgid), totals;

	if (!p)
		return;
	totals = *p;
	totals.lived_ns = process_ran(task);
	if (bpf_map_delete_elem(&served, &tgid))
		return;
	served_hint(tgid, -1);
	__sync_fetch_and_add(&served_deaths, 1);
	life_tell(WIRE_EVENT_DIED, tgid, BPF_CORE_READ(task, real_parent, tgid), task, &totals);
}

#endif
