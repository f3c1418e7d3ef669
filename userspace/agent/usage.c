/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/agent/usage.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "userspace/clock.h"
#include "userspace/traps.h"

#define NS 1000000000ull
/*
 * Beside the program itself, as TRAP_NS is: an interrupt of the PMU or of its timer, a call
 * through a trampoline.
 */
#define INTERRUPT_NS 1500
#define CALL_NS 20
/* A program that finds at once that it has nothing to do. */
#define LOOK_NS 60
#define ONCE_S 3600.0
/* Targets that use less than this of one CPU are not slowed down by what they do not wait for. */
#define TARGETS_LEAST 0.1
#define PROGRAMS_MAX 1024

void usage_init(struct usage *u)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*u = (struct usage){.stats = -1, .cpus = cpus > 0 ? cpus : 1};
}

void usage_clear(struct usage *u)
{
	if (u->stats >= 0)
		close(u->stats);
	u->stats = -1;
}

static uint64_t time_ns(const struct timeval *t)
{
	return t->tv_sec * NS + t->tv_usec * 1000ull;
}

static uint64_t own_ns(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return time_ns(&self.ru_utime) + time_ns(&self.ru_stime) + time_ns(&children.ru_utime) +
	       time_ns(&children.ru_stime);
}

static uint64_t beside_ns(uint32_t type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE: /* uprobes are of this type */
		return TRAP_NS;
	case BPF_PROG_TYPE_PERF_EVENT:
		return INTERRUPT_NS;
	default:
		return CALL_NS;
	}
}

/* One of our descriptors; nothing of what is no program, or one that was met already. */
static void program_add(int fd, uint32_t *seen, unsigned *count, struct usage_programs *to)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	uint64_t ns;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || *count == PROGRAMS_MAX)
		return;
	for (unsigned i = 0; i < *count; i++)
		if (seen[i] == info.id)
			return;
	seen[(*count)++] = info.id;
	ns = info.run_time_ns + info.run_cnt * beside_ns(info.type);
	if (info.type == BPF_PROG_TYPE_KPROBE) {
		to->probes += ns;
	} else {
		to->everywhere += ns;
		to->runs += info.run_cnt;
	}
}

/* Of all programs that we have loaded, so far: those whose descriptors we hold. */
static struct usage_programs programs_now(void)
{
	char path[64], target[64];
	uint32_t *seen = calloc(PROGRAMS_MAX, sizeof(*seen));
	DIR *d = seen ? opendir("/proc/self/fd") : NULL;
	struct usage_programs sum = {0};
	unsigned count = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		ssize_t n;

		if (!isdigit((unsigned char)*e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%.20s", e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (!strcmp(target, "anon_inode:bpf-prog"))
			program_add(atoi(e->d_name), seen, &count, &sum);
	}
	if (d)
		closedir(d);
	free(seen);
	return sum;
}

static void stats_ask(struct usage *u, uint64_t now)
{
	u->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	u->no_stats = u->stats < 0;
	u->asked = now;
	u->programs = programs_now();
}

/* Of threads and of the whole process they do not agree to the last bit. */
static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static uint64_t threads_ns(const struct usage *u)
{
	if (!u->beside)
		return 0;
	return since(own_ns() - u->beside_began,
		     clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID) - u->beside_loop);
}

/* But for what is spread over an hour. */
static uint64_t regular_ns(const struct usage *u)
{
	return own_ns() - u->apart - threads_ns(u);
}

static void once_add(struct usage *u, uint64_t ns)
{
	u->once += ns;
	u->apart += ns;
}

void usage_once_begin(struct usage *u)
{
	u->once_began = own_ns();
}

void usage_once_end(struct usage *u)
{
	once_add(u, own_ns() - u->once_began);
}

void usage_beside_begin(struct usage *u)
{
	u->beside = true;
	u->beside_began = own_ns();
	u->beside_loop = clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}

void usage_beside_end(struct usage *u)
{
	once_add(u, threads_ns(u));
	u->beside = false;
}

void usage_opened(struct usage *u, bool first)
{
	/* Sessions that follow each other faster than windows must not leave us without any. */
	if (first || !u->opened)
		u->began = 0;
	u->opened = true;
	u->opened_own = regular_ns(u);
	/* Sums with programs in them that are gone since would be worth nothing. */
	usage_clear(u);
	u->asked = 0;
}

/* Clock ticks of all CPUs that were not idle: proc(5), the first line of /proc/stat. */
static uint64_t busy_ticks(void)
{
	unsigned long long user = 0, nice = 0, kernel = 0, irq = 0, soft = 0;
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return 0;
	if (fscanf(f, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &kernel, &irq, &soft) != 5)
		user = nice = kernel = irq = soft = 0;
	fclose(f);
	return user + nice + kernel + irq + soft;
}

/* What the targets bear of the programs' time, in ns. */
static double borne(const struct usage_programs *from, const struct usage_programs *to, double part)
{
	double everywhere = to->everywhere - from->everywhere;
	double looks = (to->runs - from->runs) * (1 - part) * (LOOK_NS + CALL_NS);
	double least = everywhere * part, most = everywhere - looks;

	return to->probes - from->probes + (most > least ? most : least);
}

static void shares(struct usage *u, uint64_t now, uint64_t targets, struct usage_shares *ret)
{
	double window = now - u->began, asked = now - u->asked, share = targets / window;
	double busy = (busy_ticks() - u->busy) * (1e9 / sysconf(_SC_CLK_TCK));
	struct usage_programs programs = programs_now();
	double own, once;

	if (u->opened)
		once_add(u, since(regular_ns(u), u->opened_own));
	own = since(regular_ns(u), u->own);
	once = u->once * (window / (ONCE_S * NS));
	u->once -= once;
	*ret = (struct usage_shares){.own = (own + once) / window};
	/* Programs that were unloaded since are missing from the sums. */
	if (u->stats >= 0 && programs.probes >= u->programs.probes &&
	    programs.everywhere >= u->programs.everywhere && programs.runs >= u->programs.runs) {
		double part = targets < busy ? targets / busy : 1;

		ret->programs = (programs.probes - u->programs.probes + programs.everywhere -
				 u->programs.everywhere) / asked;
		ret->targets = borne(&u->programs, &programs, part) / asked /
			       (share > TARGETS_LEAST ? share : TARGETS_LEAST);
	}
	ret->host = (ret->own + ret->programs) / u->cpus;
}

static void window_begin(struct usage *u, uint64_t now)
{
	u->began = now;
	u->own = regular_ns(u);
	u->busy = busy_ticks();
}

bool usage_look(struct usage *u, uint64_t now, uint64_t (*targets_ns)(void *arg), void *arg,
		struct usage_shares *ret)
{
	uint64_t ask = u->opened ? 0 : (USAGE_WINDOW_S - USAGE_STATS_S) * NS;

	if (!u->began) {
		targets_ns(arg);
		window_begin(u, now);
	}
	if (u->stats < 0 && now - u->began >= ask && u->asked < u->began)
		stats_ask(u, now);
	if (now - u->began < USAGE_WINDOW_S * NS || now - u->asked < USAGE_STATS_S * NS)
		return false;
	shares(u, now, targets_ns(arg), ret);
	usage_clear(u);
	window_begin(u, now);
	u->opened = false;
	return true;
}
