// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/searches.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bpf/wire.h"
#include "userspace/kernel.h"
#include "userspace/search.h"
#include "userspace/sink.h"

/* How many passes until asked again: longer where all was in one place so far. */
#define ASK_PASSES 8
#define ASK_PASSES_ONE_PLACE 64

struct told {
	int64_t self, caller;
	float each_self, each_caller; /* of a call, on average until last asked */
	uint32_t wait;		      /* ASK_PASSES…; 0: never asked yet */
};

/* Probe hits that are no call's; their cost in kernel mode is the report's to tell. */
struct lone {
	int64_t self, caller;
};

struct searches {
	const struct kernel *kernel;
	uint32_t pass;
	bool last;
	/* Untouched pages of these cost no memory. */
	struct told *told;
	struct lone *lone; /* NULL: kernel mode is not counted */
};

/* What the kernel knows of a node, in all. */
struct answer {
	double self, caller;
	struct lone lone;
	uint32_t wait;
};

int searches_new(const struct kernel *k, struct searches **ret)
{
	struct searches *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->kernel = k;
	s->told = calloc(k->options.max_nodes, sizeof(*s->told));
	if (k->kernel_selfs)
		s->lone = calloc(k->options.max_nodes, sizeof(*s->lone));
	if (!s->told || (k->kernel_selfs && !s->lone)) {
		searches_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void searches_free(struct searches *s)
{
	if (!s)
		return;
	free(s->told);
	free(s->lone);
	free(s);
}

void searches_pass(struct searches *s, bool last)
{
	s->pass++;
	s->last = last;
}

static int ask(const struct searches *s, uint32_t node, uint64_t calls,
	       const struct line_table *lines, const struct build_cost *cost, struct answer *ret)
{
	bool generator = s->kernel->nodes[node].flags & WIRE_NODE_RESUMABLE;
	struct wire_search returns, entries;
	int err = kernel_returns(s->kernel, node, &returns);

	if (!err && generator)
		err = kernel_entries(s->kernel, node, &entries);
	if (err)
		return err;
	*ret = (struct answer){
		.self = search_of_returns(&returns, cost->searched ? lines : NULL, cost),
		.caller = cost->searched
				  ? search_of_entries(generator ? &entries : NULL, lines, calls, cost)
				  : 0,
		.lone = {returns.shims, generator && cost->searched
						? search_lone_entries(&entries, calls)
						: 0},
		.wait = generator || returns.key[1] || returns.shims ? ASK_PASSES
								     : ASK_PASSES_ONE_PLACE,
	};
	return 0;
}

static void lone_tell(struct lone *told, const struct lone *now, struct sink_cost *fact)
{
	fact->lone_self = now->self - told->self;
	fact->lone_caller = now->caller - told->caller;
	*told = *now;
}

void searches_tell(struct searches *s, uint32_t node, uint64_t calls,
		   const struct line_table *lines, const struct build_cost *cost,
		   struct sink_cost *fact)
{
	struct told *t = &s->told[node];
	struct answer now = {.self = t->self + (double)fact->calls * t->each_self,
			     .caller = t->caller + (double)fact->calls * t->each_caller};

	if ((!t->wait || s->last || (s->pass + node) % t->wait == 0) &&
	    !ask(s, node, calls, lines, cost, &now)) {
		t->wait = now.wait;
		t->each_self = calls ? now.self / calls : 0;
		t->each_caller = calls ? now.caller / calls : 0;
		if (s->lone)
			lone_tell(&s->lone[node], &now.lone, fact);
	}
	fact->search_self = llround(now.self) - t->self;
	fact->search_caller = llround(now.caller) - t->caller;
	t->self += fact->search_self;
	t->caller += fact->search_caller;
}

void searches_forget(struct searches *s, uint32_t node)
{
	s->told[node] = (struct told){0};
	if (s->lone)
		s->lone[node] = (struct lone){0};
}
