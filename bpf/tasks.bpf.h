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
		ret->offset = PY_CALLABLE_SELF + extra; /* task_wakeup() is a task's */
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

/* Of a built-in function: what wakes a task, which may be of before we came. */
static __noinline int callback_wakes(__u64 callback, __u32 tgid)
{
	char name[sizeof("task_wakeup")] = {}, *n = name;
	__u64 method = task_word(callback + PY_CALLABLE_METHOD + head_extra(tgid));

	if (bpf_probe_read_user(name, sizeof(name), (void *)task_word(method)))
		return 0;
	return NAME_IS(n, "task_wakeup");
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

/* Not another's, which was there when nobody watched. */
static __always_inline struct account *account_known(__u32 tgid, __u64 task)
{
	struct account *a = account_own(tgid, task);

	return a && (a->greenlet || a->born >= watched_tasks_since()) ? a : 0;
}

static __always_inline struct account *account_get(__u32 tgid, __u64 task)
{
	struct account *a = account_known(tgid, task);

	return a ? a : account_make(tgid, task, 0, 0);
}

/*
 * What uvloop has received just before it calls back, the callback is to handle: it
 * works for the same request.
 */
static __always_inline int run_received(struct server *s)
{
	int received = s->run.uvloop && s->run.received;

	s->run.received = 0;
	return received;
}

SEC("uprobe")
int on_context_run(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 sp = PT_REGS_SP(ctx), callback, task;
	__u32 steps;

	if (!s || s->run.greenlets || (s->run.sp && sp < s->run.sp) || run_received(s))
		return 0;
	callback = task_word(PT_REGS_PARM2(ctx));
	task = callback_task(s->tgid, callback, &steps);
	if (task && !steps && !account_known(s->tgid, task)) {
		steps = callback_wakes(callback, s->tgid);
		if (!steps)
			task = 0; /* another object's method */
	}
	if (steps)
		account_get(s->tgid, task); /* it may be of before we came */
	if (!s->run.loop && !task)
		return 0;
	s->run.loop = 1;
	s->run.sp = sp;
	if (!task || task != s->run.task)
		task_switch(task);
	return 0;
}

/* A callback of uvloop's begins, unless the task that runs calls it, deeper on the stack. */
SEC("uprobe")
int on_context_enter(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (!s || s->run.greenlets || (s->run.sp && PT_REGS_SP(ctx) < s->run.sp))
		return 0;
	s->run.loop = s->run.uvloop = 1;
	s->run.sp = 0;
	if (!run_received(s) && (s->owner || s->run.task))
		task_switch(0);
	return 0;
}

static __always_inline void task_steps(struct server *s, __u64 task, __u64 sp)
{
	if (!s->run.uvloop || s->run.sp || !task)
		return;
	s->run.sp = sp;
	account_get(s->tgid, task);
	task_switch(task);
}

SEC("uprobe")
int on_task_step(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (s)
		task_steps(s,
			   task_word(PT_REGS_PARM1(ctx) + PY_WRAPPER_TASK + head_extra(s->tgid)),
			   PT_REGS_SP(ctx));
	return 0;
}

/* The request that what is begun now will work for. */
static __always_inline __u64 owner_active(const struct server *s)
{
	struct inflight *f = inflight_find(s->owner);

	return f && !f->done ? s->owner : 0;
}

/*
 * Futures that were given a result while a request was worked for: a task that works for
 * nobody and waits for that one does so for the request.  Only of uvloop, where it is not
 * the task that sends the answer.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ACCOUNTS);
	__type(key, struct account_key);
	__type(value, __u64);
} futures SEC(".maps");

SEC("uprobe")
int on_future_result(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	struct account_key key = { .task = PT_REGS_PARM1(ctx) };
	__u64 request = s && s->run.uvloop ? owner_active(s) : 0;

	if (!request)
		return 0;
	key.tgid = s->tgid;
	bpf_map_update_elem(&futures, &key, &request, BPF_ANY);
	return 0;
}

static __always_inline void task_woken(struct server *s, __u64 task, __u64 future)
{
	struct account_key key = { .task = future, .tgid = s->tgid };
	__u64 *request = bpf_map_lookup_elem(&futures, &key);
	struct account *a;

	if (!request)
		return;
	a = account_get(s->tgid, task);
	if (a && !account_request(a))
		a->request = *request;
	bpf_map_delete_elem(&futures, &key);
}

SEC("uprobe")
int on_task_wakeup(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 task = PT_REGS_PARM1(ctx);

	if (!s)
		return 0;
	if (s->run.uvloop)
		task_woken(s, task, PT_REGS_PARM2(ctx));
	task_steps(s, task, PT_REGS_SP(ctx));
	return 0;
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

static __always_inline void greenlet_account(struct account *a)
{
	if (a)
		a->greenlet = 1;
}

/* The main greenlet and hubs make those of all connections: nothing follows from that. */
SEC("uprobe")
int on_greenlet_new(struct pt_regs *ctx)
{
	struct server *s = loop_here();

	if (s)
		greenlet_account(account_make(s->tgid, PT_REGS_PARM1(ctx), owner_active(s), 0));
	return 0;
}

/* Within a task, greenlets work for it. */
SEC("uprobe")
int on_greenlet(struct pt_regs *ctx)
{
	struct server *s = loop_here();
	__u64 to = PT_REGS_PARM1(ctx);

	if (!s || s->run.sp || to == s->run.task)
		return 0;
	if (s->run.loop)
		greenlet_account(account_get(s->tgid, to));
	else if (!account_own(s->tgid, to))
		return 0;
	s->run.greenlets = 1;
	task_switch(to);
	return 0;
}

#endif
