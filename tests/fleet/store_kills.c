// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store-kills [KILLS [SEED]]: a process that writes batches, adds them up, sweeps and reads is
 * killed with SIGKILL again and again, at any time since its start; in the end each batch has
 * counted once, whatever the totals are read from.
 *
 * Batches are of three hours of ten days, come in any order, in groups of any size, some of them again
 * though they were acknowledged. Minutes are kept for one day and hours for four, so many come
 * too late for the one, or for both. Whoever reads meanwhile sees all that was acknowledged
 * before, and nothing twice.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/fleet_sample.h"
#include "tests/unit/tree.h"
#include "userspace/store/duckdb_api.h"
#include "userspace/store/store.h"

#define BATCHES 40000
#define DAYS 10
#define GROUP_MAX 40
#define DAY 86400ull
#define MIDNIGHT (FLEET_BEGIN_S - FLEET_BEGIN_S % DAY)

/* What survives those who are killed. */
struct shared {
	atomic_uchar acknowledged[BATCHES];
	atomic_ullong begun, stored; /* sums of self: of what may be there, of what must */
	atomic_uint count, reads, maintained, again, failures;
	atomic_ullong now;
	char failure[1024];
};

static struct shared *shared;
static const struct store_options options = { .minute_days = 1, .hour_days = 4, .day_days = 800 };

static unsigned int host_of(unsigned int i)
{
	return i % 50;
}

static uint64_t minute_of(unsigned int i)
{
	return i % DAYS * 1440 + i * 7919ull % 180;
}

static void fail(const char *what, const char *err)
{
	if (!atomic_fetch_add(&shared->failures, 1))
		snprintf(shared->failure, sizeof(shared->failure), "%s: %s", what, err);
}

static int take(void *arg, const struct store_value *v, size_t count)
{
	*(double *)arg = v->type == STORE_U64 ? (double)v->u64 : v->f64;
	return 0;
}

static double number(struct store *s, const char *sql)
{
	char err[512];
	double value = 0;

	if (store_select(s, sql, take, &value, err, sizeof(err)))
		fail(sql, err);
	return value;
}

static double total(struct store *s, const char *what, enum store_fact fact)
{
	struct store_source source;
	char err[512], *sql = NULL;
	size_t size;
	FILE *out;
	double value;

	if (store_source(s, MIDNIGHT, MIDNIGHT + (DAYS + 2) * DAY, 86400, false, &source, err,
			 sizeof(err))) {
		fail("source", err);
		return 0;
	}
	out = open_memstream(&sql, &size);
	fprintf(out, "SELECT %s FROM ", what);
	store_from(s, &source, fact, out);
	fputs(" AS facts", out);
	fclose(out);
	value = number(s, sql);
	free(sql);
	return value;
}

static void *read_on(void *arg)
{
	char text[128];

	for (;;) {
		double least = (double)shared->stored, seen = total(arg, "sum(self)", FACT_COSTS);
		double most = (double)shared->begun;

		if (seen < least || seen > most) {
			snprintf(text, sizeof(text), "%.0f, of at least %.0f and at most %.0f", seen,
				 least, most);
			fail("read meanwhile", text);
		}
		shared->reads++;
	}
	return NULL;
}

static void *maintain_on(void *arg)
{
	double ignored;
	char err[512];

	for (;;) {
		if (store_maintain(arg, shared->now += 7200, err, sizeof(err)))
			fail("maintain", err);
		shared->maintained++;
		/* Refused while others write, which is as good. */
		if (rand() % 4 == 0)
			store_select(arg, "CHECKPOINT", take, &ignored, err, sizeof(err));
		usleep((unsigned int)rand() % 50000);
	}
	return NULL;
}

static uint64_t self_of(unsigned int i)
{
	return fleet_sample_self(host_of(i), minute_of(i));
}

/* Up to so many, most of them not acknowledged yet; each once. */
static size_t choose(unsigned int *ret, size_t count)
{
	size_t n = 0;

	for (unsigned int tries = 0; n < count && tries < 50 * count; tries++) {
		unsigned int i = (unsigned int)rand() % BATCHES;
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there |= ret[k] == i;
		if (!there && (!shared->acknowledged[i] || rand() % 20 == 0))
			ret[n++] = i;
	}
	return n;
}

static void acknowledge(unsigned int i, enum store_written written)
{
	if (shared->acknowledged[i]) {
		if (written != STORE_DUPLICATE)
			fail("stored twice", "an acknowledged batch was new");
		shared->again++;
		return;
	}
	shared->acknowledged[i] = 1;
	shared->stored += self_of(i);
	shared->count++;
}

static void write_on(struct store *s)
{
	static struct fleet_sample f[GROUP_MAX];
	const struct batch *batches[GROUP_MAX];
	enum store_written written[GROUP_MAX];
	unsigned int chosen[GROUP_MAX];
	char err[512];

	while (shared->count < BATCHES) {
		size_t n = choose(chosen, 1 + (size_t)rand() % GROUP_MAX);

		for (size_t k = 0; k < n; k++) {
			fleet_sample_make(&f[k], host_of(chosen[k]), minute_of(chosen[k]));
			memcpy(f[k].batch.id, &chosen[k], sizeof(chosen[k]));
			batches[k] = &f[k].batch;
		}
		if (n && store_write(s, batches, n, written, err, sizeof(err)))
			fail("write", err);
		for (size_t k = 0; k < n; k++)
			acknowledge(chosen[k], written[k]);
	}
}

static void child(unsigned int seed)
{
	pthread_t reader, maintainer;
	struct store *s;
	char err[512];

	srand(seed);
	if (store_open(tree_at("store"), &options, &s, err, sizeof(err))) {
		fail("open", err);
		_exit(1);
	}
	pthread_create(&reader, NULL, read_on, s);
	pthread_create(&maintainer, NULL, maintain_on, s);
	write_on(s);
	_exit(0);
}

/* As long as an open takes, as a few writes, or as hours and days. */
static unsigned int life_us(void)
{
	static const unsigned int most[] = { 150000, 500000, 3000000 };

	return (unsigned int)rand() % most[rand() % 3];
}

/* False: it had no more to do. */
static bool run_and_kill(void)
{
	int status;
	unsigned int seed = (unsigned int)rand();
	pid_t pid = fork();

	if (!pid)
		child(seed);
	usleep(life_us());
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status);
}

static bool check(const char *what, double is, double should)
{
	bool right = is == should;

	printf("%s %s: %.17g", right ? "PASS" : "FAIL", what, is);
	if (!right)
		printf(", not %.17g", should);
	putchar('\n');
	return right;
}

/* What was begun when it was killed may be there or not: the ledger says. */
static int take_begun(void *arg, const struct store_value *v, size_t count)
{
	uint32_t i = __builtin_bswap32((uint32_t)(v[0].u64 >> 32));

	if (i < BATCHES && !shared->acknowledged[i])
		acknowledge(i, STORE_NEW);
	return 0;
}

static bool check_totals(struct store *s)
{
	double requests = 0, costs = 0, bins = 0;
	bool right = true;

	for (unsigned int i = 0; i < BATCHES; i++) {
		if (!shared->acknowledged[i])
			continue;
		requests += host_of(i) + 2;
		costs += 100 + (double)minute_of(i);
		bins += 1 + host_of(i) + 1;
	}
	right &= check("batches in the ledger", number(s, "SELECT count(*) FROM ledger"), shared->count);
	right &= check("function costs", total(s, "sum(self)", FACT_COSTS), (double)shared->stored);
	right &= check("requests", total(s, "sum(n)", FACT_REQUESTS), requests);
	right &= check("their costs", total(s, "sum(cost_sum)", FACT_REQUESTS), costs);
	right &= check("bins", total(s, "sum(n)", FACT_BINS), bins);
	right &= check("counters", total(s, "sum(value)", FACT_COUNTERS), 2.0 * shared->count);
	right &= check("functions with a name", number(s, "SELECT count(*) FROM functions"),
		       FLEET_FUNCTIONS);
	right &= check("slices without tags", number(s, "SELECT count(*) FROM costs_day WHERE slice"
						       " NOT IN (SELECT slice FROM tags)"), 0);
	return right;
}

static bool check_all(void)
{
	struct store *s;
	char err[512];
	bool right;

	if (store_open(tree_at("store"), &options, &s, err, sizeof(err))) {
		printf("FAIL open: %s\n", err);
		return false;
	}
	store_select(s, "SELECT high FROM ledger", take_begun, NULL, err, sizeof(err));
	right = check_totals(s);
	for (int i = 0; i < 3; i++)
		store_maintain(s, MIDNIGHT + (DAYS + 20) * DAY + 7200 * i, err, sizeof(err));
	right &= check("hours of minutes that are not kept", number(s, "SELECT count(*) FROM costs_minute"),
		       0);
	right &= check("function costs by the day", number(s, "SELECT sum(self) FROM costs_day"),
		       (double)shared->stored);
	store_close(s);
	return right;
}

int main(int argc, char **argv)
{
	unsigned int wanted = argc > 1 ? (unsigned int)atoi(argv[1]) : 200, kills = 0;
	unsigned int seed = argc > 2 ? (unsigned int)atoi(argv[2]) : (unsigned int)time(NULL);
	const struct duck_api *api;
	char err[512];
	bool right;

	if (duck_api_load(&api, err, sizeof(err))) {
		printf("SKIP store-kills: %s\n", err);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || tree_make())
		return 1;
	shared->now = MIDNIGHT + DAY;
	/* What may be there: of the one who is killed all that he might have begun. */
	for (unsigned int i = 0; i < BATCHES; i++)
		shared->begun += self_of(i);
	srand(seed);
	while (kills < wanted && !shared->failures && run_and_kill())
		kills++;
	printf("# seed %u: %u kills, %u batches written, %u of them sent again, %u reads, maintained %u"
	       " times\n", seed, kills, (unsigned int)shared->count, (unsigned int)shared->again,
	       (unsigned int)shared->reads, (unsigned int)shared->maintained);
	right = check_all();
	if (shared->failures)
		printf("FAIL %s\n", shared->failure);
	right &= !shared->failures;
	tree_remove();
	return right ? 0 : 1;
}
