/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers that serve requests of two lengths one after the other, in a time of their
 * own: which of them are captured, and how many.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/unit/suites.h"
#include "userspace/arming.h"

#define MS 1000000ull
#define WORKERS 4
#define REACTION (3 * MS) /* how late user space learns of anything */

struct worker {
	uint64_t ends; /* of its request */
	uint64_t every; /* waits so long between two */
	bool is_long, captured, dead;
	uint32_t serial;
};

struct machine {
	uint64_t now;
	uint64_t random;
	struct arming *arming;
	struct worker workers[WORKERS];
	unsigned n;
	/* As in the kernel. */
	pid_t armed;
	uint32_t serial, left;
	uint64_t begun, ended;
	pid_t on; /* probes */
	unsigned turns[WORKERS];
	uint64_t all[2], exact[2]; /* short, long */
	int refuse;
};

static int probes_on(void *arg, pid_t pid)
{
	struct machine *m = arg;

	if (m->refuse)
		return m->refuse;
	CU_ASSERT(!m->on && !m->armed);
	m->on = pid;
	m->turns[pid - 1]++;
	return 0;
}

static void probes_off(void *arg, pid_t pid)
{
	struct machine *m = arg;

	CU_ASSERT(m->on == pid && !m->armed);
	m->on = 0;
}

static void arm(void *arg, pid_t pid, uint32_t count)
{
	struct machine *m = arg;

	m->left = count;
	if (pid && !count)
		return;
	m->serial++;
	m->armed = pid;
	m->begun = m->ended = 0;
}

static void progress(void *arg, struct arming_progress *ret)
{
	const struct machine *m = arg;

	*ret = (struct arming_progress){.left = m->left, .begun = m->begun, .ended = m->ended};
}

static uint64_t machine_clock(void *arg)
{
	return ((struct machine *)arg)->now;
}

static void machine_init(struct machine *m, unsigned every, unsigned workers)
{
	struct arming_ops ops = {.on = probes_on, .off = probes_off, .arm = arm,
				 .progress = progress, .clock = machine_clock, .arg = m};

	memset(m, 0, sizeof(*m));
	m->now = 12345;
	m->n = workers;
	CU_ASSERT_FATAL(!arming_new(every, &ops, &m->arming));
}

static double chance(struct machine *m)
{
	m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
	return (m->random >> 11) / 9007199254740992.0;
}

/* One request in four takes ten times as long as others. */
static void request_begin(struct machine *m, pid_t pid)
{
	struct worker *w = &m->workers[pid - 1];

	w->is_long = chance(m) < 0.25;
	w->ends = m->now + (w->is_long ? 10 * MS : MS) + w->every * chance(m);
	w->captured = m->armed == pid && m->left;
	if (!w->captured)
		return;
	m->left--;
	m->begun++;
	w->serial = m->serial;
	CU_ASSERT(m->on == pid);
}

static void request_end(struct machine *m, pid_t pid)
{
	struct worker *w = &m->workers[pid - 1];

	m->all[w->is_long]++;
	if (w->captured && w->serial == m->serial) {
		CU_ASSERT(m->on == pid); /* to its end */
		m->ended++;
		m->exact[w->is_long]++;
	}
	arming_served(m->arming, pid, 1);
}

/* The next thing that happens. */
static void step(struct machine *m, uint64_t *look)
{
	pid_t next = 0;

	for (unsigned i = 0; i < m->n; i++)
		if (!m->workers[i].dead && (!next || m->workers[i].ends < m->workers[next - 1].ends))
			next = i + 1;
	if (!next || m->workers[next - 1].ends > *look) {
		m->now = *look;
		arming_look(m->arming);
		*look = m->now + REACTION;
		return;
	}
	m->now = m->workers[next - 1].ends;
	request_end(m, next);
	request_begin(m, next);
}

static void run(struct machine *m, uint64_t requests)
{
	uint64_t look = m->now;

	for (unsigned i = 0; i < m->n; i++)
		request_begin(m, i + 1);
	while (m->all[0] + m->all[1] < requests)
		step(m, &look);
}

static void finish(struct machine *m)
{
	uint64_t look = m->now;

	for (int i = 0; i < 100000 && !arming_finish(m->arming); i++)
		step(m, &look);
	CU_ASSERT(arming_finish(m->arming) && !m->on && !m->armed);
	arming_free(m->arming);
}

static double share(const struct machine *m)
{
	return (double)(m->exact[0] + m->exact[1]) / (m->all[0] + m->all[1]);
}

/* The share is 1/N, and long requests are not less likely to be captured, nor more. */
static void test_share(void)
{
	static const struct {
		unsigned every, workers;
	} cases[] = {{1000, 4}, {100, 4}, {100, 1}, {10, 2}, {20, 4}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct machine m;
		double n, error, longs;

		machine_init(&m, cases[i].every, cases[i].workers);
		run(&m, 400000);
		n = m.exact[0] + m.exact[1];
		/* Systematic: at most a stretch or two off. */
		CU_ASSERT_DOUBLE_EQUAL(share(&m) * cases[i].every, 1, 0.05);
		longs = m.exact[1] / n;
		error = sqrt(0.25 * 0.75 / n);
		CU_ASSERT(fabs(longs - 0.25) < 4 * error);
		finish(&m);
	}
}

/* With one process armed at a time, its share of all is the most there can be. */
static void test_most(void)
{
	struct machine m;

	machine_init(&m, 1, 4);
	run(&m, 100000);
	CU_ASSERT(share(&m) > 0.12 && share(&m) <= 0.26);
	for (int i = 0; i < 4; i++)
		CU_ASSERT(m.turns[i] > 0);
	finish(&m);
}

/* Who serves more is armed more often. */
static void test_busy(void)
{
	struct machine m;

	machine_init(&m, 200, 2);
	m.workers[1].every = 18 * MS; /* serves about a quarter of what the other does */
	run(&m, 200000);
	CU_ASSERT(m.turns[0] > 2 * m.turns[1] && m.turns[1] > 20);
	finish(&m);
}

/* An armed process that gets no more requests is left for another. */
static void test_idle(void)
{
	struct machine m;
	uint64_t look;

	machine_init(&m, 10, 2);
	run(&m, 1000);
	while (m.armed != 1) {
		look = m.now;
		step(&m, &look);
		run(&m, m.all[0] + m.all[1] + 1);
	}
	m.workers[0].ends = m.now + 100000 * MS;
	m.workers[0].captured = false;
	m.left = 1;
	m.begun = m.ended;
	look = m.now;
	for (uint64_t until = m.now + 3000 * MS; m.now < until;)
		step(&m, &look);
	CU_ASSERT(m.armed != 1);
	finish(&m);
}

/* A captured request that takes too long is given up, and is not whole. */
static void test_endless(void)
{
	struct arming_status status;
	struct machine m;
	uint64_t look;

	machine_init(&m, 10, 1);
	run(&m, 1000);
	while (!(m.armed && m.workers[0].captured && m.workers[0].serial == m.serial)) {
		look = m.now;
		step(&m, &look);
		look = m.workers[0].ends;
		step(&m, &look);
	}
	m.workers[0].ends = m.now + 100000 * MS;
	look = m.now;
	for (uint64_t until = m.now + 90000 * MS; m.now < until;)
		step(&m, &look);
	CU_ASSERT(!m.armed && !m.on);
	arming_status(m.arming, &status);
	CU_ASSERT_EQUAL(status.broken, 1);
	CU_ASSERT_EQUAL(status.captured, m.exact[0] + m.exact[1]);
	CU_ASSERT_EQUAL(status.served, m.all[0] + m.all[1]);
	finish(&m);
}

static void test_gone(void)
{
	struct arming_status status;
	struct machine m;
	uint64_t look;

	machine_init(&m, 10, 1);
	run(&m, 1000);
	while (!m.armed) {
		look = m.now;
		step(&m, &look);
		look = m.workers[0].ends;
		step(&m, &look);
	}
	m.workers[0].dead = true;
	arming_gone(m.arming, 1);
	CU_ASSERT(!m.armed && !m.on);
	look = m.now;
	step(&m, &look);
	CU_ASSERT(!m.armed); /* nobody has served since */
	m.refuse = -EBUSY;
	m.now += 1000 * MS;
	for (int i = 0; i < 5000; i++) {
		arming_served(m.arming, 2, 1);
		arming_look(m.arming);
	}
	arming_status(m.arming, &status);
	CU_ASSERT(status.failed > 0 && status.error == -EBUSY && !m.on);
	finish(&m);
}

/* Requests stand for others, too: the share is of all; and there are times for nobody. */
static void test_weight(void)
{
	struct arming_status status;
	struct machine m;

	machine_init(&m, 1000, 1);
	arming_allow(m.arming, false);
	for (int i = 0; i < 3000; i++)
		arming_served(m.arming, 1, 8.5);
	m.now += 1000 * MS;
	arming_look(m.arming);
	CU_ASSERT(!m.armed && arming_due(m.arming) && !arming_armed(m.arming));
	arming_allow(m.arming, true);
	arming_look(m.arming);
	CU_ASSERT(m.armed == 1 && m.left >= 25 && arming_armed(m.arming));
	/* One has begun, and no more may: it is waited for. */
	m.left--;
	m.begun++;
	arming_allow(m.arming, false);
	arming_look(m.arming);
	CU_ASSERT(!m.left && arming_armed(m.arming) && m.on == 1);
	m.ended++;
	arming_look(m.arming);
	CU_ASSERT(!arming_armed(m.arming) && !m.on);
	arming_status(m.arming, &status);
	CU_ASSERT_EQUAL(status.served, 25500);
	CU_ASSERT_EQUAL(status.captured, 1);
	CU_ASSERT_EQUAL(status.broken, 0);
	arming_free(m.arming);
}

int suite_arming(void)
{
	CU_TestInfo tests[] = {
		{ "share", test_share },
		{ "weight", test_weight },
		{ "most", test_most },
		{ "busy", test_busy },
		{ "idle", test_idle },
		{ "endless", test_endless },
		{ "gone", test_gone },
		CU_TEST_INFO_NULL,
	};

	return suite_register("arming", tests);
}
