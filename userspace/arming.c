// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/arming.h"

#include <errno.h>
#include <stdlib.h>

#define MS 1000000ull
/*
 * The kernel takes half a second to switch probes off, and none on meanwhile.  So they are
 * on for as many requests at a time as this needs, if one is not enough.
 */
#define STRETCH_APART_NS (1000 * MS)
#define REST_NS (500 * MS)
#define STRETCH_MOST 4096 /* requests */
/* A process that has been given no more requests is left for another. */
#define BEGIN_PATIENCE_NS (1000 * MS)
/* What takes longer is given up. */
#define END_PATIENCE_NS (60000 * MS)
#define LOOK_MS 5

struct arming {
	struct arming_ops ops;
	unsigned every;
	double served;
	uint64_t captured, broken, failed;
	int error;
	uint64_t next; /* of all served: then somebody is armed */
	uint32_t wanted; /* to be captured then */
	uint64_t random;
	pid_t last; /* who served a request last; 0: nobody */
	/* For how fast requests come. */
	uint64_t since;
	double served_then;
	/* The armed process; 0: none is. */
	pid_t armed;
	uint64_t armed_at, rests_until;
	bool closing; /* nothing more begins in it */
	bool forbidden, finishing;
};

/* Steele, Lea and Flood: "Fast Splittable Pseudorandom Number Generators", 2014. */
static uint64_t random_next(struct arming *a)
{
	uint64_t z = a->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* So many that the next stretch is far enough away, as fast as requests come. */
static uint32_t stretch_size(struct arming *a)
{
	uint64_t now = a->ops.clock(a->ops.arg), took = now - a->since;
	double came = a->served - a->served_then, size;

	if (!took || came <= 0)
		return 1;
	size = came / took * STRETCH_APART_NS / a->every;
	a->since = now;
	a->served_then = a->served;
	return size < 1 ? 1 : size > STRETCH_MOST ? STRETCH_MOST : size;
}

static void next_choose(struct arming *a)
{
	a->wanted = stretch_size(a);
	a->next = a->captured * a->every +
		  random_next(a) % ((uint64_t)a->wanted * a->every);
}

int arming_new(unsigned every, const struct arming_ops *ops, struct arming **ret)
{
	struct arming *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->ops = *ops;
	a->every = every ? every : 1;
	a->since = a->random = ops->clock(ops->arg);
	next_choose(a);
	*ret = a;
	return 0;
}

void arming_free(struct arming *a)
{
	free(a);
}

/* What the share lacks by now. */
static uint32_t backlog(const struct arming *a)
{
	uint64_t due = a->served / a->every;
	uint64_t lacks = due > a->captured ? due - a->captured : 0;

	return lacks > STRETCH_MOST ? STRETCH_MOST : lacks;
}

static void disarm(struct arming *a, const struct arming_progress *p)
{
	a->ops.arm(a->ops.arg, 0, 0);
	a->ops.off(a->ops.arg, a->armed);
	a->captured += p->ended;
	a->broken += p->begun - p->ended;
	if (!p->begun) /* it is idle: until somebody serves again */
		a->last = 0;
	a->armed = 0;
	a->rests_until = a->ops.clock(a->ops.arg) + REST_NS;
	next_choose(a);
}

void arming_served(struct arming *a, pid_t pid, double many)
{
	a->served += many;
	a->last = pid;
}

bool arming_due(const struct arming *a)
{
	return !a->armed && !a->finishing && a->last && a->served >= a->next &&
	       a->ops.clock(a->ops.arg) >= a->rests_until;
}

bool arming_armed(const struct arming *a)
{
	return a->armed != 0;
}

void arming_gone(struct arming *a, pid_t pid)
{
	struct arming_progress p;

	if (a->last == pid)
		a->last = 0;
	if (a->armed != pid || !pid)
		return;
	a->ops.progress(a->ops.arg, &p);
	disarm(a, &p);
}

static void stretch_begin(struct arming *a)
{
	int err = a->ops.on(a->ops.arg, a->last);

	if (err) {
		a->failed++;
		a->error = err;
		a->rests_until = a->ops.clock(a->ops.arg) + REST_NS;
		a->last = 0;
		return;
	}
	a->armed = a->last;
	a->armed_at = a->ops.clock(a->ops.arg);
	a->closing = false;
	if (a->wanted < backlog(a))
		a->wanted = backlog(a);
	a->ops.arm(a->ops.arg, a->armed, a->wanted);
}

/* Nothing more begins in it. */
static void stretch_close(struct arming *a)
{
	if (!a->closing)
		a->ops.arm(a->ops.arg, a->armed, 0);
	a->closing = true;
}

void arming_allow(struct arming *a, bool allow)
{
	a->forbidden = !allow;
	if (a->armed && !allow)
		stretch_close(a);
}

static void stretch_look(struct arming *a)
{
	uint64_t lasts = a->ops.clock(a->ops.arg) - a->armed_at;
	struct arming_progress p;

	a->ops.progress(a->ops.arg, &p);
	if (p.left && !a->closing && lasts >= BEGIN_PATIENCE_NS) {
		/* One may have begun before it was told, so it is asked again. */
		stretch_close(a);
		a->ops.progress(a->ops.arg, &p);
	}
	if ((!p.left && p.ended == p.begun) || lasts >= END_PATIENCE_NS)
		disarm(a, &p);
}

void arming_look(struct arming *a)
{
	if (a->armed)
		stretch_look(a);
	if (!a->forbidden && arming_due(a))
		stretch_begin(a);
}

int arming_patience(const struct arming *a)
{
	return a->armed ? LOOK_MS : 100;
}

bool arming_finish(struct arming *a)
{
	if (a->armed)
		stretch_close(a);
	a->finishing = true;
	arming_look(a);
	return !a->armed;
}

void arming_status(const struct arming *a, struct arming_status *ret)
{
	struct arming_progress p = {0};

	if (a->armed)
		a->ops.progress(a->ops.arg, &p);
	*ret = (struct arming_status){.served = a->served, .captured = a->captured + p.ended,
				      .broken = a->broken, .failed = a->failed,
				      .error = a->error};
}
