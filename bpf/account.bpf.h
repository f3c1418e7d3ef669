/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accounts of tasks and greenlets: whom each works for, and what it has cost while that
 * was not known yet.
 *
 * A task is an address, which is another's after it is freed.  The next task there is
 * made by __init__(), and starts a new account: see tasks.bpf.h.
 */
#ifndef PYCOST_ACCOUNT_BPF_H
#define PYCOST_ACCOUNT_BPF_H

#include "bpf/inflight.bpf.h"

#define ACCOUNTS 16384

/* Of a thread, or of a task: they only grow. */
struct totals {
	__u64 cost, cost_kernel, cpu_ns, run_queue_ns, syscall_ns, gil_ns;
	__u64 calls; /* that were probed */
	__u64 gc_ns, gc_cost, import_ns, import_cost; /* by marks.bpf.c */
	__u32 gcs, imports;
};

/* What a thread runs, where it is an event loop. */
struct running {
	__u64 task; /* address of the task or greenlet; 0: none is known */
	__u64 sp;   /* of the loop's callback; what runs within has less.  0: none began yet */
	__u64 place; /* where the loop waits: see wait_place() */
	__u8 loop;     /* it has run tasks or, between waits, greenlets */
	__u8 greenlets; /* it has run greenlets since it last waited */
	__u8 uvloop;
	__u8 received; /* it was received for its owner, since a callback began last */
	__u8 pad[4];
};

struct account_key {
	__u64 task;
	__u32 tgid;
	__u32 pad;
};

struct account {
	struct account_key key;
	__u64 request; /* 0, or one that has ended: not known */
	__u64 born;    /* ktime ns */
	/* Made by a task that worked for nobody yet: it works for whom that will. */
	__u64 maker, maker_born; /* 0: not so */
	struct totals pending;
	__u32 common; /* it works for several at once: nothing follows from who it was seen with */
	__u32 greenlet; /* these are watched between phases, too */
};

/* One that has not run for long makes room: what was pending is nobody's then. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ACCOUNTS);
	__type(key, struct account_key);
	__type(value, struct account);
} accounts SEC(".maps");

static const struct totals no_totals;
static const struct account no_account;

static __always_inline struct account *account_own(__u32 tgid, __u64 task)
{
	struct account_key key = { .task = task, .tgid = tgid };

	return task ? bpf_map_lookup_elem(&accounts, &key) : 0;
}

/* The account that the task's costs go to: its own, or its maker's.  0: none. */
static __always_inline struct account *account_find(__u32 tgid, __u64 task)
{
	struct account *a = account_own(tgid, task), *maker;

	if (!a || !a->maker)
		return a;
	maker = account_own(tgid, a->maker);
	return maker && maker->born == a->maker_born && !maker->common ? maker : a;
}

/* A new one; what its address had before is forgotten. */
static __always_inline struct account *account_make(__u32 tgid, __u64 task, __u64 request,
						     const struct account *maker)
{
	struct account_key key = { .task = task, .tgid = tgid };
	struct account *a;

	if (bpf_map_update_elem(&accounts, &key, &no_account, BPF_ANY) ||
	    !(a = bpf_map_lookup_elem(&accounts, &key)))
		return 0;
	a->key = key;
	a->born = bpf_ktime_get_ns();
	a->request = request;
	if (maker && !maker->common) {
		a->maker = maker->key.task;
		a->maker_born = maker->born;
	}
	return a;
}

/* The request that it works for; 0: not known, or it has been answered. */
static __always_inline __u64 account_request(const struct account *a)
{
	struct inflight *f = inflight_find(a->request);

	return f && !f->done ? f->r.id : 0;
}

/* The task that runs is seen to work for this request. */
static __always_inline void account_bind(__u32 tgid, const struct running *run, __u64 request)
{
	struct account *a = account_find(tgid, run->task);
	struct inflight *other, *f;

	if (!a || a->request == request)
		return;
	other = inflight_find(a->request);
	f = inflight_find(request);
	if (other && f && !other->done) {
		other->r.flags |= WIRE_REQUEST_SHARED;
		f->r.flags |= WIRE_REQUEST_SHARED;
		a->common = 1;
	}
	a->request = a->common ? 0 : request;
	a->pending = no_totals;
}

#define TOTALS_EACH(ret, a, op, b)                                            \
	do {                                                                  \
		(ret)->cost = (a)->cost op (b)->cost;                         \
		(ret)->cost_kernel = (a)->cost_kernel op (b)->cost_kernel;    \
		(ret)->cpu_ns = (a)->cpu_ns op (b)->cpu_ns;                   \
		(ret)->run_queue_ns = (a)->run_queue_ns op (b)->run_queue_ns; \
		(ret)->syscall_ns = (a)->syscall_ns op (b)->syscall_ns;       \
		(ret)->gil_ns = (a)->gil_ns op (b)->gil_ns;                   \
		(ret)->calls = (a)->calls op (b)->calls;                      \
		(ret)->gc_ns = (a)->gc_ns op (b)->gc_ns;                      \
		(ret)->gc_cost = (a)->gc_cost op (b)->gc_cost;                \
		(ret)->import_ns = (a)->import_ns op (b)->import_ns;          \
		(ret)->import_cost = (a)->import_cost op (b)->import_cost;    \
		(ret)->gcs = (a)->gcs op (b)->gcs;                            \
		(ret)->imports = (a)->imports op (b)->imports;                \
	} while (0)

static __always_inline void totals_subtract(struct totals *ret, const struct totals *a,
					    const struct totals *b)
{
	TOTALS_EACH(ret, a, -, b);
}

#endif
