/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event loops: which task or greenlet a thread runs, and so whose costs it makes.
 *
 * A loop's callbacks are run one by one; at the begin of each, what was run until now
 * gets its costs.  A callback that is a task's has that task's account.  An account
 * belongs to a request when, while it runs, the thread receives bytes of that request or
 * sends its answer: then all that it has cost since its last request is that one's, too.
 * A task that is made while a request is worked for is that request's; one that is made
 * by a task of nobody's yet shares its account.  What is no task's, like a transport
 * that reads from a socket, is the request's that it reads or writes for, until the next
 * callback begins.  So between callbacks, the loop's own work is charged to the last.
 *
 * A callback within a callback, Context.run() called by the application, lies deeper on
 * the stack, and changes nothing.
 *
 * The programs are run where symbolizer/switch_sites.h says, with the arguments of those
 * functions; they are shared by all that do the same.
 */
#ifndef PYCOST_TASKS_BPF_H
#define PYCOST_TASKS_BPF_H

#include "bpf/cpython.h"
#include "bpf/serving.bpf.h"
#include <linux/ptrace.h>
#include <bpf/bpf_tracing.h>

#define CALLBACK_TYPES 4096
#define TYPE_NAME_SIZE 32

/* Where a callable of this type keeps what it is of. */
struct callback_type {
	__u32 offset; /* 0: nowhere */
	__u32 steps;  /* it is a task's for certain */
};

struct callback_key {
	__u64 type;
	__u32 tgid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CALLBACK_TYPES);
	__type(key, struct callback_key);
	__type(value, struct callback_type);
} callback_types SEC(".maps");

static __always_inline __u64 task_word(__u64 address)
{
	__u64 v = 0;

	bpf_probe_read_user(&v, sizeof(v), (void *)address);
	return v;
}

/* By how much an object's head is longer than with the GIL. */
static __always_inline __u32 head_extra(__u32 tgid)
{
	const struct wire_served *p = bpf_map_lookup_elem(&served, &tgid);

	return p && p->flags & WIRE_SERVED_FREE_THREADED ? PY_FREE_THREADED_HEAD : 0;
}

static __always_inline int name_is(const char *name, const char *text, __u32 size)
{
#pragma unroll
	for (__u32 i = 0; i < size; i++)
		if (name[i] != text[i])
			return 0;
	return 1;
}

#define NAME_IS(name, text) name_is(name, text, sizeof(text))

/* What a type is known to be by its name: of CPython's own, in every minor. */
static __noinline int callback_type_read(struct callback_type *ret, __u64 type, __u32 tgid)
{
	__u32 extra = head_extra(tgid);
	char name[TYPE_NAME_SIZE] = {}, *n = name;

	if (!ret)
		return 0;
	ret->offset = ret->steps = 0;
	if (bpf_probe_read_user(name, sizeof(name), (void *)task_word(type + PY_TYPE_NAME + extra)))
		return 0;
	if (NAME_IS(n, "_asyncio.TaskStepMethWrapper") || NAME_IS(n, "TaskStepMethWrapper") ||
	    NAME_IS(n, "TaskWakeupMethWrapper")) {
		ret->offset = PY_WRAPPER_TASK + extra;
		ret->steps = 1;
	} else if (NAME_IS(n, "builtin_function_or_method") || NAME_IS(n, "builtin_method")) {
		ret->offset = PY_CALLABLE_SELF + extra; /* task_wakeup(), of a task */
	}
	return 0;
}

/* The task that a callback is of; 0: of none.  *steps: it is one for certain. */
static __always_inline __u64 callback_task(__u32 tgid, __u64 callback, __u32 *steps)
{
	struct callback_key key = { .tgid = tgid };
	struct callback_type *known, is = {};

	key.type = task_word(callback + PY_OBJECT_TYPE + head_extra(tgid));
	known = bpf_map_lookup_elem(&callback_types, &key);
	if (known) {
		is = *known;
	} else {
		callback_type_read(&is, key.type, tgid);
		bpf_map_update_elem(&callback_types, &key, &is, BPF_ANY);
	}
	*steps = is.steps;
	return is.offset ? task_word(callback + is.offset) : 0;
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

/* From here on the current thread runs this task; 0: none that is known. */
__noinline int task_switch(__u64 task)
{
	struct server *s = server_here();
	struct account *a;
	__u64 request;

	if (!s)
		return 0;
	server_account(s);
	task_stops(s);
	a = account_find(s->tgid, task);
	request = a ? account_request(a) : 0;
	if (request != s->owner)
		server_change(request, SERVER_SWITCHES);
	s->run.task = task;
	if (!s->owner && a)
		totals_subtract(&s->span, &s->now, &a->pending);
	else
		s->span = s->now;
	return 0;
}

/* The loop waits for what is next. */
static __always_inline void task_leaves(struct server *s)
{
	s->run.sp = 0;
	s->run.entered = s->run.depth = 0;
	s->run.greenlets = 0;
	if (s->run.task || s->owner)
		task_switch(0);
}

/*
 * At the entry of epoll_wait() at that place.  A loop waits where it first waited; one
 * of greenlets is known for one by doing so between them.
 */
static __always_inline void task_waits(struct server *s, __u64 place)
{
	if (s->run.greenlets)
		s->run.loop = 1;
	if (!s->run.loop)
		return;
	if (!s->run.place)
		s->run.place = place;
	if (s->run.place == place)
		task_leaves(s);
}

static __always_inline struct server *loop_here(void)
{
	return served_maybe(bpf_get_current_pid_tgid() >> 32) ? server_here() : 0;
}

/*
 * What uvloop has received just before it calls back, the callback is to handle: it
 * works for the same request.
 */
static __always_inline int run_received(struct server *s)
{
	int received = s->run.uvloop && s->run.received && !s->run.depth;

	s->run.received = 0;
	return received;
}

SEC("uprobe")
int on_context_run(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 sp = PT_REGS_SP(ctx), task;
	__u32 steps;

	if (!s || s->run.entered || s->run.greenlets || run_received(s) ||
	    (s->run.sp && sp < s->run.sp))
		return 0;
	task = callback_task(s->tgid, task_word(PT_REGS_PARM2(ctx)), &steps);
	if (task && !steps && !account_own(s->tgid, task))
		task = 0; /* another object's method */
	if (!s->run.loop && !task)
		return 0;
	if (steps && !account_own(s->tgid, task))
		account_make(s->tgid, task, 0, 0); /* of before we came */
	s->run.loop = 1;
	s->run.sp = sp;
	if (!task || task != s->run.task)
		task_switch(task);
	return 0;
}

/*
 * uvloop enters contexts for callbacks of its own, and within these for those of the
 * application; from the step of a task until its context is left, nothing else is.
 * Transports call by Context.run() while none is entered.
 */
SEC("uprobe")
int on_context_enter(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (!s || s->run.greenlets)
		return 0;
	s->run.loop = 1;
	s->run.uvloop = 1;
	s->run.sp = 0;
	s->run.entered++;
	if (!run_received(s) && s->owner && !s->run.depth)
		task_switch(0);
	return 0;
}

SEC("uprobe")
int on_context_exit(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (!s || !s->run.entered)
		return 0;
	s->run.entered--;
	if (s->run.entered >= s->run.depth && (s->run.entered || !s->owner))
		return 0;
	s->run.depth = 0;
	task_switch(0);
	return 0;
}

static __always_inline void task_steps(struct server *s, __u64 task)
{
	if (!s->run.entered || s->run.depth || !task)
		return;
	s->run.depth = s->run.entered;
	if (!account_own(s->tgid, task))
		account_make(s->tgid, task, 0, 0);
	task_switch(task);
}

SEC("uprobe")
int on_task_step(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (s)
		task_steps(s, task_word(PT_REGS_PARM1(ctx) + PY_WRAPPER_TASK + head_extra(s->tgid)));
	return 0;
}

SEC("uprobe")
int on_task_wakeup(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (s)
		task_steps(s, PT_REGS_PARM1(ctx));
	return 0;
}

/* The request that what is begun now will work for. */
static __always_inline __u64 owner_active(const struct server *s)
{
	struct inflight *f = inflight_find(s->owner);

	return f && !f->done ? s->owner : 0;
}

SEC("uprobe")
int on_task_new(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 request;

	if (!s)
		return 0;
	request = owner_active(s);
	account_make(s->tgid, PT_REGS_PARM1(ctx), request,
		     request ? 0 : account_find(s->tgid, s->run.task));
	return 0;
}

/* The main greenlet and hubs make those of all connections: nothing follows from that. */
SEC("uprobe")
int on_greenlet_new(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (s)
		account_make(s->tgid, PT_REGS_PARM1(ctx), owner_active(s), 0);
	return 0;
}

/* Within a task, greenlets work for it. */
SEC("uprobe")
int on_greenlet(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 to = PT_REGS_PARM1(ctx);

	if (!s || s->run.sp || s->run.entered || to == s->run.task)
		return 0;
	if (!account_own(s->tgid, to)) {
		if (!s->run.loop)
			return 0;
		account_make(s->tgid, to, 0, 0);
	}
	s->run.greenlets = 1;
	task_switch(to);
	return 0;
}

#endif
