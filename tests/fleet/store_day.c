// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store-day DIRECTORY [HOSTS [MINUTES [GROUPS [KEEP [DAYS]]]]]: how a store in a directory grows,
 * by what simulator.c ships: hosts of 100 workers, 20,000 functions a service. Default: 10 hosts,
 * 1440 minutes, each of them in as many groups as there are hosts.
 *
 * Its clock runs ahead: each minute is written in GROUPS groups, as a collector would that got them
 * over the minute, and then the store is maintained as it would be at that time. KEEP of 0 leaves
 * that out: everything stays as it came. DAYS: how long minutes are kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/fleet/simulator/fleet.h"
#include "userspace/store/store.h"

#define BEGIN_S 1761955200ull /* a midnight */
#define TOLD 60 /* minutes after which it is told how large it is */

static const struct fleet_options fleet_options = {
	.seed = 1, .hosts = 1000, .workers = 100, .services = 5, .functions = 20000,
	.endpoints = 30, .patterns = 24, .samples_per_worker = 120,
	.requests_per_worker = 60, .users = 1000000, .period = 10100000,
};

struct day {
	struct fleet *fleet;
	struct store *store;
	unsigned int hosts, groups;
	struct fleet_totals totals;
	double writing, maintaining; /* seconds of this process's CPU time */
	double slowest;		     /* maintenance, by the wall's clock */
};

static void die(const char *what, const char *err)
{
	fprintf(stderr, "store-day: %s: %s\n", what, err);
	exit(1);
}

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void write_group(struct day *d, unsigned int from, unsigned int to, uint64_t t)
{
	unsigned int n = to - from;
	struct batch *all = calloc(n, sizeof(*all));
	const struct batch **list = calloc(n, sizeof(*list));
	enum store_written *written = calloc(n, sizeof(*written));
	char err[512] = "";
	double began;

	if (!all || !list || !written)
		die("group", "out of memory");
	for (unsigned int i = 0; i < n; i++) {
		/* A host of each service explains its names. */
		bool names = t == BEGIN_S && from + i < fleet_options.services;

		if (fleet_batch(d->fleet, from + i, t, names, &all[i], &d->totals))
			die("batch", "out of memory");
		list[i] = &all[i];
	}
	began = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	if (store_write(d->store, list, n, written, err, sizeof(err)))
		die("write", err);
	d->writing += clock_s(CLOCK_PROCESS_CPUTIME_ID) - began;
	for (unsigned int i = 0; i < n; i++)
		batch_free(&all[i]);
	free(all);
	free(list);
	free(written);
}

static void maintain(struct day *d, uint64_t now)
{
	double began = clock_s(CLOCK_PROCESS_CPUTIME_ID), began_wall = clock_s(CLOCK_MONOTONIC);
	char err[512] = "";

	if (store_maintain(d->store, now, err, sizeof(err)))
		die("maintain", err);
	d->maintaining += clock_s(CLOCK_PROCESS_CPUTIME_ID) - began;
	began_wall = clock_s(CLOCK_MONOTONIC) - began_wall;
	d->slowest = began_wall > d->slowest ? began_wall : d->slowest;
}

static int note(void *arg, const struct store_value *v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((uint64_t *)arg)[i] = v[i].u64;
	return 0;
}

static void ask(struct day *d, const char *sql, uint64_t *ret)
{
	char err[512] = "";

	if (store_select(d->store, sql, note, ret, err, sizeof(err)))
		die(sql, err);
}

static void tell(struct day *d, unsigned int minutes)
{
	uint64_t blocks[2] = { 0 }, rows[2] = { 0 };
	struct store_status status;
	char err[512];

	store_status(d->store, &status, err, sizeof(err));
	ask(d, "SELECT CAST(used_blocks * block_size AS UBIGINT), CAST(free_blocks * block_size AS UBIGINT)"
	       " FROM pragma_database_size()", blocks);
	ask(d, "SELECT CAST(count(*) AS UBIGINT) FROM costs_minute", &rows[0]);
	ask(d, "SELECT CAST(count(*) AS UBIGINT) FROM path_costs_minute", &rows[1]);
	printf("%5u min %8.1f MB, of it %8.1f used %8.1f free; rows by the minute: %" PRIu64 " costs, %" PRIu64
	       " paths; %.1f ms CPU a batch to write, %.1f to maintain (at worst %.1f s); %.0f MB/host/day\n",
	       minutes, (double)status.bytes / 1e6, (double)blocks[0] / 1e6, (double)blocks[1] / 1e6,
	       rows[0], rows[1], 1e3 * d->writing / (double)d->totals.batches,
	       1e3 * d->maintaining / (double)d->totals.batches, d->slowest,
	       (double)status.bytes / 1e6 / (double)d->totals.batches * 1440);
}

int main(int argc, char **argv)
{
	unsigned int numbers[] = { 10, 1440, 0, 1, 0 };
	struct store_options options = { 0 };
	struct day d = { 0 };
	uint64_t ignored[4];
	char err[512];

	if (argc < 2)
		die("DIRECTORY", "missing");
	for (int i = 2; i < argc && i < 7; i++)
		numbers[i - 2] = (unsigned int)atoi(argv[i]);
	d.hosts = numbers[0];
	d.groups = numbers[2] && numbers[2] < d.hosts ? numbers[2] : d.hosts;
	options.minute_days = numbers[4];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (store_open(argv[1], &options, &d.store, err, sizeof(err)))
		die("open", err);
	if (fleet_new(&fleet_options, &d.fleet))
		die("fleet", "out of memory");
	for (unsigned int m = 0; m < numbers[1]; m++) {
		uint64_t t = BEGIN_S + 60ull * m;

		for (unsigned int g = 0; g < d.groups; g++)
			write_group(&d, d.hosts * g / d.groups, d.hosts * (g + 1) / d.groups, t);
		if (numbers[3])
			maintain(&d, t + 60);
		if (m + 1 == numbers[1] || (m + 1) % TOLD == 0 || (m < TOLD && (m + 1) % 10 == 0))
			tell(&d, m + 1);
	}
	/* What has not been packed yet. */
	if (numbers[3])
		maintain(&d, BEGIN_S + 60ull * numbers[1] + 180);
	ask(&d, "CHECKPOINT", ignored);
	tell(&d, numbers[1]);
	fleet_free(d.fleet);
	store_close(d.store);
	return 0;
}
