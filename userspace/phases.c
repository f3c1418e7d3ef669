/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/phases.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "bpf/wire_request.h"
#include "requests.skel.h"
#include "userspace/clock.h"
#include "userspace/kernel.h"
#include "userspace/phase_plan.h"
#include "userspace/reap.h"
#include "userspace/served_cpu.h"
#include "userspace/served_threads.h"
#include "userspace/traps.h"

#define PHASE_NS 500000000ull
/* What is in flight when it ends has so long, and is looked at so often. */
#define PATIENCE_NS 3000000000ull
#define LOOK_NS 20000000ull
/* A program that ran while it was detached has ended by then. */
#define SETTLE_NS 10000000ull
/*
 * What a request costs a worker in all, over what the programs in it run: theirs is half
 * of it, by `make bench BENCH=requests`; the rest is what they push out of its caches, and
 * the way to them.  Phases' own beginnings and ends are half of that again, with what `make
 * bench BENCH=budget` found to be missing still.
 */
#define COST_FACTOR 3.5

#define LINKS_MAX 8

enum phase_state {
	PHASE_RESTS,
	PHASE_TAKES,
	PHASE_ENDS,
	PHASE_SETTLES, /* detached; what is left will be forgotten */
};

struct phases {
	struct requests_bpf *programs;
	const struct bpf_program *closing; /* as in phases_open() */
	struct kernel *exact;		   /* likewise */
	double (*others)(void *arg);	   /* NULL: there are none */
	void *others_arg;
	bool (*rest)(void *arg, bool rests); /* as in phases.h; NULL: there is nothing */
	void *rest_arg;
	bool switches; /* of its threads are seen for us */
	bool captures; /* the phase is only there for that */
	bool held, wanted; /* as in phases.h */
	double weight; /* of one request of the phase, if it is as long as planned */
	struct wire_watched *watched; /* shared with the kernel */
	struct served_cpu *cpu;
	struct phase_plan plan;
	struct bpf_link *links[LINKS_MAX];
	size_t link_count;
	int stats; /* -1: the kernel does not time programs */
	enum phase_state state;
	uint64_t next;	 /* what comes next is due; 0: now */
	uint64_t patience; /* for what is in flight ends then */
	uint64_t looked; /* when CPU time was last added up; 0: never */
	uint64_t began, ended; /* taking: this phase, the one before */
	double spent;	 /* ns, by the statistics, when last looked at */
	struct phase at; /* what is known of this phase */
};

/* Births and deaths are always seen; of the ways to see closed connections there is one. */
static bool is_phased(const struct requests_bpf *programs, const struct bpf_program *program)
{
	const struct bpf_program *const others[] = {
		programs->progs.on_fork, programs->progs.on_exec, programs->progs.on_exit,
		programs->progs.on_close, programs->progs.on_state};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (program == others[i])
			return false;
	return bpf_program__type(program) == BPF_PROG_TYPE_TRACING && bpf_program__autoload(program);
}

void phases_set_apart(struct requests_bpf *programs)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, programs->obj)
		if (is_phased(programs, program))
			bpf_program__set_autoattach(program, false);
}

static void detach(struct phases *p)
{
	while (p->link_count)
		bpf_link__destroy(p->links[--p->link_count]);
	if (p->switches)
		kernel_switches_leave(p->exact);
	p->switches = false;
	if (p->stats >= 0)
		close(p->stats);
	p->stats = -1;
}

static int attach_one(struct phases *p, const struct bpf_program *program)
{
	struct bpf_link *link;

	if (p->link_count == LINKS_MAX)
		return -E2BIG;
	link = bpf_program__attach(program);
	if (!link)
		return -errno;
	p->links[p->link_count++] = link;
	return 0;
}

static int attach(struct phases *p)
{
	struct bpf_program *program;
	int err = 0;

	p->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (p->stats < 0)
		return -errno;
	if (p->closing)
		err = attach_one(p, p->closing);
	if (p->exact && !err) {
		err = kernel_switches_want(p->exact);
		p->switches = !err;
	}
	bpf_object__for_each_program(program, p->programs->obj)
		if (!err && is_phased(p->programs, program))
			err = attach_one(p, program);
	if (err)
		detach(p);
	return err;
}

double phases_cost_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (!program || bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return COST_FACTOR * info.run_time_ns +
	       (info.type == BPF_PROG_TYPE_KPROBE ? (double)TRAP_NS * info.run_cnt : 0);
}

/* All that the programs have cost while they were timed: ns. */
static double cost_of_all(const struct phases *p)
{
	struct bpf_program *program;
	double sum = p->others ? p->others(p->others_arg) : 0;

	bpf_object__for_each_program(program, p->programs->obj)
		sum += phases_cost_of(program);
	if (p->exact)
		sum += phases_cost_of(kernel_switches_program(p->exact));
	return sum;
}

/* What has been earned and spent by now. */
static void account(struct phases *p, uint64_t now)
{
	uint64_t cpu = served_cpu_look(p->cpu);
	double spent = cost_of_all(p);

	if (p->looked) {
		phase_plan_earn(&p->plan, now - p->looked, cpu);
		p->at.cpu_ns += cpu;
	}
	phase_plan_spend(&p->plan, spent - p->spent);
	p->at.cost_ns += spent - p->spent;
	p->spent = spent;
	p->looked = now;
}

static void state_set(struct phases *p, enum phase_state state, uint32_t told, uint64_t next)
{
	p->state = state;
	p->next = next;
	__atomic_store_n(&p->watched->state, told, __ATOMIC_SEQ_CST);
}

static uint64_t in_flight(const struct phases *p)
{
	uint64_t ended = __atomic_load_n(&p->watched->ended, __ATOMIC_SEQ_CST);

	return __atomic_load_n(&p->watched->begun, __ATOMIC_SEQ_CST) - ended;
}

static void phase_begin(struct phases *p, uint64_t now)
{
	p->at.gap_ns = p->ended ? now - p->ended : 0;
	p->weight = 1 + (double)p->at.gap_ns / PHASE_NS;
	p->began = now;
}

static uint64_t gap(const struct phases *p)
{
	uint32_t random = 1u << 31;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 1u << 31; /* the middle */
	return phase_plan_gap(&p->plan, random);
}

static int wake(struct phases *p, uint64_t now)
{
	int err;

	account(p, now);
	p->watched->begun = p->watched->ended = 0;
	if (p->rest && p->rest(p->rest_arg, false))
		p->watched->tasks_since = now;
	err = attach(p);
	if (err)
		return err;
	now = clock_ns();
	p->captures = false;
	phase_begin(p, now);
	state_set(p, PHASE_TAKES, WIRE_WATCHED_TAKES, now + PHASE_NS);
	return 0;
}

/* What is known of the phase, whose requests have all ended or been given up. */
static void phase_take(struct phases *p, struct phase *ret)
{
	*ret = p->at;
	p->at = (struct phase){0};
}

/* From here on nothing is of this phase's sample.  1: the next goes on at once. */
static int phase_end(struct phases *p, uint64_t now, struct phase *ret)
{
	p->at.watched_ns = now - p->began;
	p->ended = now;
	account(p, now);
	if (phase_plan_gap(&p->plan, 0) && !(p->wanted && p->at.gap_ns)) {
		state_set(p, PHASE_ENDS, WIRE_WATCHED_ENDS, 0);
		p->patience = now + PATIENCE_NS;
		return 0;
	}
	p->captures = p->wanted && p->at.gap_ns;
	phase_take(p, ret);
	phase_begin(p, now);
	p->next = now + PHASE_NS;
	return 1;
}

/* Those in flight have ended, or will not be waited for. */
static void phase_leave(struct phases *p, uint64_t now)
{
	if (p->held || (in_flight(p) && now < p->patience)) {
		p->next = now + LOOK_NS;
		return;
	}
	account(p, now);
	state_set(p, PHASE_SETTLES, WIRE_WATCHED_RESTS, now + SETTLE_NS);
	detach(p);
	if (p->rest)
		p->rest(p->rest_arg, true);
}

/* As if nothing had been seen. */
static void phase_forget(struct phases *p, uint64_t now, struct phase *ret)
{
	if (in_flight(p))
		reap(p->programs, true);
	p->at.cut = in_flight(p);
	reap_rest(p->programs, p->at.cut != 0);
	served_threads_forget(p->programs);
	phase_take(p, ret);
	p->state = PHASE_RESTS;
	p->next = now + gap(p);
}

/* It is one for what is captured, and that is done. */
static bool is_done(const struct phases *p)
{
	return p->state == PHASE_TAKES && p->captures && !p->wanted;
}

int phases_turn(struct phases *p, struct phase *ret)
{
	uint64_t now = clock_ns();

	if (!p || (now < p->next && !is_done(p)))
		return 0;
	switch (p->state) {
	case PHASE_RESTS:
		return wake(p, now);
	case PHASE_TAKES:
		return phase_end(p, now, ret);
	case PHASE_ENDS:
		phase_leave(p, now);
		return 0;
	case PHASE_SETTLES:
		phase_forget(p, now, ret);
		return 1;
	}
	return 0;
}

int phases_patience(const struct phases *p, int timeout_ms)
{
	uint64_t now = clock_ns(), ms;

	if (!p)
		return timeout_ms;
	ms = now < p->next ? (p->next - now + 999999) / 1000000 : 0;
	return timeout_ms >= 0 && ms > (uint64_t)timeout_ms ? timeout_ms : (int)ms;
}

bool phases_captures(const struct phases *p)
{
	return !p || (p->state == PHASE_TAKES && !p->at.gap_ns);
}

void phases_want(struct phases *p, bool want)
{
	if (p)
		p->wanted = want;
}

double phases_weight(const struct phases *p)
{
	return p ? p->weight : 1;
}

void phases_hold(struct phases *p, bool hold)
{
	if (p)
		p->held = hold;
}

void phases_others(struct phases *p, double (*cost)(void *arg), void *arg)
{
	if (!p)
		return;
	p->others = cost;
	p->others_arg = arg;
}

void phases_on_rest(struct phases *p, bool (*rest)(void *arg, bool rests), void *arg)
{
	if (!p)
		return;
	p->rest = rest;
	p->rest_arg = arg;
}

void phases_detach(struct phases *p)
{
	uint64_t now = clock_ns();

	if (!p)
		return;
	if (p->state == PHASE_TAKES) {
		p->at.watched_ns = now - p->began;
		account(p, now);
	}
	detach(p);
}

bool phases_finish(struct phases *p, struct phase *ret)
{
	uint64_t now = clock_ns();

	if (!p || (p->state == PHASE_RESTS && !p->ended))
		return false;
	if (p->state == PHASE_RESTS) {
		phase_begin(p, now);
		account(p, now);
	}
	phase_take(p, ret);
	p->state = PHASE_RESTS;
	p->next = UINT64_MAX;
	return true;
}

static int watched_map(struct phases *p)
{
	void *map = mmap(NULL, sizeof(*p->watched), PROT_READ | PROT_WRITE, MAP_SHARED,
			 bpf_map__fd(p->programs->maps.watched), 0);

	if (map == MAP_FAILED)
		return -errno;
	p->watched = map;
	return 0;
}

int phases_open(struct requests_bpf *programs, const struct bpf_program *closing,
		struct kernel *exact, unsigned budget, struct phases **ret)
{
	struct phases *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->programs = programs;
	p->closing = closing;
	p->exact = exact;
	p->weight = 1;
	p->stats = -1;
	phase_plan_init(&p->plan, budget);
	err = watched_map(p);
	if (!err)
		err = served_cpu_new(bpf_map__fd(programs->maps.served), &p->cpu);
	if (!err)
		err = attach(p); /* that it can be is known then */
	if (err) {
		phases_close(p);
		return err;
	}
	detach(p);
	*ret = p;
	return 0;
}

void phases_close(struct phases *p)
{
	if (!p)
		return;
	detach(p);
	if (p->watched)
		munmap(p->watched, sizeof(*p->watched));
	served_cpu_free(p->cpu);
	free(p);
}
