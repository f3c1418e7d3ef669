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

#define NS 1000000000ull
/*
 * Beside the program itself: a breakpoint's trap and return, an interrupt of the PMU or of
 * its timer, a call through a trampoline.
 */
#define TRAP_NS 900
#define INTERRUPT_NS 1500
#define CALL_NS 20
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

/* One of our descriptors; 0 for what is no program, or one that was met already. */
static uint64_t program_ns(int fd, uint32_t *seen, unsigned *count)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || *count == PROGRAMS_MAX)
		return 0;
	for (unsigned i = 0; i < *count; i++)
		if (seen[i] == info.id)
			return 0;
	seen[(*count)++] = info.id;
	return info.run_time_ns + info.run_cnt * beside_ns(info.type);
}

/* Of all programs that we have loaded, so far: those whose descriptors we hold. */
static uint64_t programs_ns(void)
{
	char path[64], target[64];
	uint32_t *seen = calloc(PROGRAMS_MAX, sizeof(*seen));
	DIR *d = seen ? opendir("/proc/self/fd") : NULL;
	unsigned count = 0;
	uint64_t sum = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		ssize_t n;

		if (!isdigit((unsigned char)*e->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%.20s", e->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		if (!strcmp(target, "anon_inode:bpf-prog"))
			sum += program_ns(atoi(e->d_name), seen, &count);
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
	u->programs = programs_ns();
}

static void shares(struct usage *u, uint64_t now, uint64_t targets, struct usage_shares *ret)
{
	double window = now - u->began, asked = now - u->asked;
	uint64_t programs = u->stats >= 0 ? programs_ns() : 0;
	double least = TARGETS_LEAST, target_share = targets / window;

	*ret = (struct usage_shares){.own = (own_ns() - u->own) / window};
	/* Programs that were unloaded since are missing from the sum. */
	if (u->stats >= 0 && programs > u->programs)
		ret->programs = (programs - u->programs) / asked;
	ret->host = (ret->own + ret->programs) / u->cpus;
	ret->targets = ret->programs / (target_share > least ? target_share : least);
}

bool usage_look(struct usage *u, uint64_t now, uint64_t (*targets_ns)(void *arg), void *arg,
		struct usage_shares *ret)
{
	if (!u->began) {
		targets_ns(arg);
		u->began = now;
		u->own = own_ns();
		return false;
	}
	if (u->stats < 0 && now - u->began >= (USAGE_WINDOW_S - USAGE_STATS_S) * NS && u->asked < u->began)
		stats_ask(u, now);
	if (now - u->began < USAGE_WINDOW_S * NS || now - u->asked < NS)
		return false;
	shares(u, now, targets_ns(arg), ret);
	usage_clear(u);
	u->began = now;
	u->own = own_ns();
	return true;
}
