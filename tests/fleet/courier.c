/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's spool and sender with a fleet's batches in the place of measurements:
 *
 *	courier --spool DIR --to URL --host N --begin T --minutes N [...]
 *
 * puts a batch of each minute into the spool while the sender ships them, until there is none
 * left, or until SIGTERM; prints JSON: what it put and what became of it; then waits until the
 * spool is empty and prints that again. Killed and started again it goes on where it was.
 * --totals prints what the batches of those minutes have in them, instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/fleet/simulator/fleet.h"
#include "userspace/agent/agent_config.h"
#include "userspace/agent/sender.h"
#include "userspace/agent/spool.h"

#define NOT_ONE UINT32_MAX

static struct {
	struct fleet_options fleet;
	const char *spool, *url;
	uint64_t begin_s, limit, memory;
	uint32_t host, minutes, every_ms, poison, timeout_s;
	bool totals, each, put_only;
} o = {
	.fleet = {.seed = 1, .hosts = 16, .workers = 2, .services = 3, .functions = 60,
		  .endpoints = 2, .patterns = 6, .samples_per_worker = 30, .requests_per_worker = 10,
		  .users = 10000, .period = 10100007},
	.limit = 1 << 30, .memory = 16 << 20, .poison = NOT_ONE, .timeout_s = 60,
};

static long skew_s;
static volatile sig_atomic_t stopping;

/* What the sender takes for the time: the linker puts it in the place of time(). */
time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
time_t __wrap_time(time_t *ret)
{
	time_t now = __real_time(NULL) + skew_s;

	if (ret)
		*ret = now;
	return now;
}

static void stop(int signal)
{
	stopping = 1;
}

static int batch_of(const struct fleet *f, uint32_t minute, struct batch *b, struct fleet_totals *t)
{
	return fleet_batch(f, o.host, o.begin_s + (uint64_t)minute * BATCH_SECONDS, minute == 0, b,
			   t);
}

static int put(const struct fleet *f, struct spool *s, uint32_t minute)
{
	struct batch b;
	void *bytes;
	size_t size;
	int err = batch_of(f, minute, &b, NULL);

	if (err)
		return err;
	err = batch_pack(&b, &bytes, &size);
	if (!err) {
		if (minute == o.poison)
			memset((char *)bytes + size / 2, 0xa5, 16);
		err = spool_put(s, b.id, b.begin_s, bytes, size, NULL, 0);
		free(bytes);
	}
	batch_free(&b);
	return err < 0 ? err : 0;
}

/* How many were put is known outside the spool, which a test may damage. */
static int put_all(const struct fleet *f, struct spool *s, uint32_t *ret)
{
	char path[4096];
	uint32_t minute = 0;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s.put", o.spool);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pread(fd, &minute, sizeof(minute), 0) < 0)
		return -errno;
	while (!err && minute < o.minutes && !stopping) {
		err = put(f, s, minute);
		if (err)
			break;
		minute++;
		if (pwrite(fd, &minute, sizeof(minute), 0) != sizeof(minute))
			err = -EIO;
		usleep(o.every_ms * 1000);
	}
	close(fd);
	*ret = minute;
	return err;
}

static void tell(struct spool *s, struct sender *sender, uint32_t minutes)
{
	struct spool_status p;
	struct sender_status t = {.attempts = 0};

	spool_status(s, &p);
	if (sender)
		sender_status(sender, &t);
	printf("{\"minutes\": %u, \"waiting\": %lu, \"memory\": %lu, \"put\": %lu, \"sent\": %lu, "
	       "\"dropped\": %lu, \"poison\": %lu, \"expired\": %lu, \"damaged\": %lu, "
	       "\"set_aside\": %lu, \"disk_errors\": %lu, \"attempts\": %lu, \"failures\": %lu, "
	       "\"late\": %lu}\n",
	       minutes, p.batches, p.memory_batches, p.put, p.sent, p.dropped, p.poison, p.expired,
	       p.damaged, p.set_aside, p.disk_errors, t.attempts, t.failures, t.late);
	fflush(stdout);
}

static void totals_tell(const struct fleet_totals *t)
{
	printf("{\"samples\": %lu, \"self\": %lu, \"requests\": %lu, \"request_cost\": %lu}\n",
	       t->samples, t->self, t->requests, t->request_cost);
}

/* Of all minutes; with --each, of each in a line. */
static int totals(const struct fleet *f)
{
	struct fleet_totals t = {.batches = 0};
	struct batch b;
	int err = 0;

	for (uint32_t minute = 0; minute < o.minutes && !err; minute++) {
		if (minute == o.poison)
			continue;
		err = batch_of(f, minute, &b, &t);
		if (!err)
			batch_free(&b);
		if (!err && o.each) {
			totals_tell(&t);
			t = (struct fleet_totals){.batches = 0};
		}
	}
	if (!o.each)
		totals_tell(&t);
	return err;
}

static int ship(const struct fleet *f)
{
	struct spool_options so = {.directory = o.spool, .collector = o.url, .limit = o.limit,
				   .memory_limit = o.memory, .max_names = 100000};
	struct sender *sender = NULL;
	struct spool_status st;
	struct agent_config c;
	struct spool *s;
	char why[512] = "";
	uint32_t minutes = 0;
	int err = spool_open(&so, &s, why, sizeof(why));

	if (err)
		return fprintf(stderr, "courier: %s\n", why), err;
	err = agent_config_init(&c);
	snprintf(c.collector, sizeof(c.collector), "%s", o.url);
	c.timeout_s = o.timeout_s;
	if (!err && !o.put_only)
		err = sender_start(&c, s, &sender, why, sizeof(why));
	if (!err)
		err = put_all(f, s, &minutes);
	tell(s, sender, minutes);
	for (spool_status(s, &st); !err && !o.put_only && st.batches; spool_status(s, &st))
		usleep(20000);
	sender_stop(sender, 0);
	tell(s, NULL, minutes);
	agent_config_clear(&c);
	spool_close(s);
	return err;
}

enum { SPOOL, TO, HOST, BEGIN, MINUTES, SEED, EVERY, SKEW, LIMIT, MEMORY, POISON, TIMEOUT, WORKERS,
       TOTALS, EACH, PUT_ONLY };

static const struct option options[] = {
	{"spool", 1, NULL, SPOOL}, {"to", 1, NULL, TO}, {"host", 1, NULL, HOST},
	{"begin", 1, NULL, BEGIN}, {"minutes", 1, NULL, MINUTES}, {"seed", 1, NULL, SEED},
	{"every", 1, NULL, EVERY}, {"skew", 1, NULL, SKEW}, {"limit", 1, NULL, LIMIT},
	{"memory", 1, NULL, MEMORY}, {"poison", 1, NULL, POISON}, {"timeout", 1, NULL, TIMEOUT},
	{"workers", 1, NULL, WORKERS}, {"totals", 0, NULL, TOTALS}, {"each", 0, NULL, EACH},
	{"put-only", 0, NULL, PUT_ONLY},
	{0},
};

static void set(int option)
{
	uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

	switch (option) {
	case SPOOL: o.spool = optarg; break;
	case TO: o.url = optarg; break;
	case HOST: o.host = number; break;
	case BEGIN: o.begin_s = number; break;
	case MINUTES: o.minutes = number; break;
	case SEED: o.fleet.seed = number; break;
	case EVERY: o.every_ms = number; break;
	case SKEW: skew_s = strtol(optarg, NULL, 10); break;
	case LIMIT: o.limit = number; break;
	case MEMORY: o.memory = number; break;
	case POISON: o.poison = number; break;
	case TIMEOUT: o.timeout_s = number; break;
	case WORKERS: o.fleet.workers = number; break;
	case TOTALS: o.totals = true; break;
	case EACH: o.each = true; break;
	case PUT_ONLY: o.put_only = true; break;
	}
}

int main(int argc, char **argv)
{
	struct fleet *fleet;
	int option, err;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return 2;
		set(option);
	}
	if (!o.minutes || !o.begin_s || o.begin_s % BATCH_SECONDS || (!o.totals && (!o.spool || !o.url)))
		return fprintf(stderr, "courier: see the top of courier.c\n"), 2;
	signal(SIGTERM, stop);
	err = fleet_new(&o.fleet, &fleet);
	if (!err) {
		err = o.totals ? totals(fleet) : ship(fleet);
		fleet_free(fleet);
	}
	if (err)
		fprintf(stderr, "courier: %s\n", strerror(-err));
	return err != 0;
}
