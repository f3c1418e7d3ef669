// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/serving.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "life.skel.h"
#include "requests.skel.h"
#include "symbolizer/interpreter.h"
#include "userspace/by_sockets.h"
#include "userspace/closes.h"
#include "userspace/counter.h"
#include "userspace/kernel.h"
#include "userspace/object_share.h"
#include "userspace/phases.h"
#include "userspace/reap.h"
#include "userspace/request_config.h"
#include "userspace/served_backends.h"
#include "userspace/served_threads.h"
#include "userspace/tasks.h"
#include "userspace/uprobe_link.h"

struct serving {
	struct requests_bpf *programs;
	struct tasks *tasks;
	struct phases *phases; /* NULL: it is always watched */
	bool set_apart;	       /* all but what phases want is done */
	bool no_follow;
	struct wire_armed *armed; /* shared with the kernel */
	uint64_t deaths; /* that have been looked after */
	enum closes closes;
	enum traps_by traps;
};

/* Maps that the exact mode has too are its own, but each counts its own losses. */
static int maps_share(const struct serving *s, const struct kernel *exact)
{
	struct bpf_map *map, *theirs;
	int err;

	bpf_object__for_each_map(map, s->programs->obj) {
		theirs = bpf_object__find_map_by_name(exact->life->obj, bpf_map__name(map));
		if (!theirs || bpf_map__is_internal(map) || map == s->programs->maps.losses)
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(theirs));
		if (err)
			return err;
	}
	return 0;
}

static int constants_set(struct serving *s, const struct serving_options *o)
{
	struct requests_bpf__rodata *c = s->programs->rodata;

	c->task_clock = counter_metric(o->counter) == METRIC_TASK_CLOCK;
	c->kernel_mode = o->kernel_counter != NULL;
	c->by_request = o->by_request;
	c->wanted_only = o->wanted_only;
	c->by_phases = o->budget != 0;
	if (o->exact) {
		c->exact_mode = 1;
		c->per_thread = o->exact->options.per_thread;
		c->whole_requests = o->exact->options.whole_requests;
	}
	c->no_follow = o->no_follow;
	c->page_size = sysconf(_SC_PAGESIZE);
	if (getrandom((void *)&c->class_seed, sizeof(c->class_seed), 0) < 0)
		return -errno;
	if (!o->config)
		return 0;
	request_config_wire(o->config, (struct wire_field *)c->request_fields);
	if (o->config->backend_count)
		c->backend_other = o->config->backend_count - 1;
	return 0;
}

/* The exact mode's call tree, where there is none. */
static int tree_shrink(struct requests_bpf *p)
{
	struct bpf_map *maps[] = {p->maps.nodes, p->maps.searches, p->maps.children,
				  p->maps.threads, p->maps.slots, p->maps.procs, p->maps.stacks,
				  p->maps.chains, p->maps.roots, p->maps.free_nodes,
				  p->maps.free_slots, p->maps.codes};
	int err = bpf_map__set_max_entries(p->maps.events, 4096);

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		err |= bpf_map__set_max_entries(maps[i], 1);
	return err;
}

static int sizes_set(struct serving *s, const struct serving_options *o)
{
	struct requests_bpf *p = s->programs;
	int err = o->exact ? 0 : tree_shrink(p);

	if (!o->by_request)
		err |= bpf_map__set_max_entries(p->maps.class_of, 1);
	if (!o->kernel_counter)
		err |= bpf_map__set_max_entries(p->maps.kernel_counters, 1);
	return err ? -EINVAL : 0;
}

/* Highest first: it is a stack, so low numbers go out first. */
static int rows_free(struct bpf_map *map)
{
	for (uint32_t i = bpf_map__max_entries(map); i-- > 0;)
		if (bpf_map_update_elem(bpf_map__fd(map), NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

static int counters_connect(struct serving *s, const struct serving_options *o)
{
	int err;

	if (o->exact)
		return 0;
	err = counter_publish(o->counter, serving_counters_fd(s));
	if (!err && o->kernel_counter)
		err = counter_publish(o->kernel_counter, serving_kernel_counters_fd(s));
	return err;
}

static int armed_map(struct serving *s)
{
	void *p = mmap(NULL, sizeof(*s->armed), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(s->programs->maps.armed), 0);

	if (p == MAP_FAILED)
		return -errno;
	s->armed = p;
	return 0;
}

static int tasks_begin(struct serving *s)
{
	const struct bpf_program *const by_kind[SWITCH_KINDS] = {
		[SWITCH_RUN] = s->programs->progs.on_context_run,
		[SWITCH_ENTER] = s->programs->progs.on_context_enter,
		[SWITCH_STEP] = s->programs->progs.on_task_step,
		[SWITCH_WAKEUP] = s->programs->progs.on_task_wakeup,
		[SWITCH_RESULT] = s->programs->progs.on_future_result,
		[SWITCH_TASK] = s->programs->progs.on_task_new,
		[SWITCH_GREENLET] = s->programs->progs.on_greenlet,
		[SWITCH_GREENLET_NEW] = s->programs->progs.on_greenlet_new,
	};
	int programs[SWITCH_KINDS];

	for (int i = 0; i < SWITCH_KINDS; i++)
		programs[i] = bpf_program__fd(by_kind[i]);
	return tasks_open(programs, s->traps, &s->tasks);
}

/* Which of the programs there are in this session. */
static void programs_choose(struct serving *s)
{
	bool sockets = kernel_tells_of_sockets();

	s->programs->rodata->by_sockets = sockets;
	bpf_program__set_autoload(s->programs->progs.on_sys_enter, !sockets);
	bpf_program__set_autoload(s->programs->progs.on_sys_exit, !sockets);
	bpf_program__set_autoload(s->programs->progs.on_received, sockets);
	bpf_program__set_autoload(s->programs->progs.on_sent, sockets);
	s->programs->rodata->steady = kernel_keeps_steady();
	closes_choose(s->programs, sockets);
	/* It is only run by us. */
	bpf_program__set_autoattach(s->programs->progs.on_reap, false);
}

static int serving_load(struct serving *s, const struct serving_options *o)
{
	int err;

	s->programs = requests_bpf__open();
	if (!s->programs)
		return -errno;
	err = sizes_set(s, o);
	if (!err)
		err = constants_set(s, o);
	if (!err && o->exact)
		err = maps_share(s, o->exact);
	if (err)
		return err;
	programs_choose(s);
	if (s->traps == TRAPS_BY_LINKS)
		uprobe_links_prepare(s->programs->obj);
	err = requests_bpf__load(s->programs);
	if (!err)
		err = rows_free(s->programs->maps.free_requests);
	if (!err)
		err = rows_free(s->programs->maps.free_servers);
	if (!err)
		err = rows_free(s->programs->maps.free_connections);
	if (!err)
		err = armed_map(s);
	if (!err && o->config)
		err = served_backends_fill(bpf_map__fd(s->programs->maps.backends), o->config);
	if (!err)
		err = counters_connect(s, o);
	if (!err)
		err = tasks_begin(s);
	if (!err)
		err = closes_attach(s->programs, &s->closes);
	if (!err && o->budget)
		phases_set_apart(s->programs);
	if (!err)
		err = requests_bpf__attach(s->programs);
	if (err || !o->budget)
		return err;
	s->set_apart = true;
	if (o->exact)
		kernel_switches_leave(o->exact);
	err = phases_open(s->programs, closes_detach(s->programs), o->exact, o->budget,
			  &s->phases);
	phases_on_rest(s->phases, tasks_turn, s->tasks);
	return err;
}

int serving_open(const struct serving_options *o, struct serving **ret, char *text, size_t len)
{
	struct serving *s = calloc(1, sizeof(*s));
	int err = s ? kernel_prepare(text, len) : -ENOMEM;

	if (err) {
		free(s);
		return err;
	}
	s->no_follow = o->no_follow;
	if (o->budget && uprobe_links_work())
		s->traps = TRAPS_BY_LINKS;
	err = serving_load(s, o);
	if (err) {
		kernel_explain(err, o->exact ? RIGHTS_EXACT : RIGHTS_SAMPLE, text, len);
		if (err == -EPERM && s->set_apart)
			snprintf(text, len, "a budget needs CAP_SYS_ADMIN, for the kernel to time "
					    "programs: run as root, or with --budget all");
		serving_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void serving_close(struct serving *s)
{
	if (!s)
		return;
	if (s->armed)
		munmap(s->armed, sizeof(*s->armed));
	phases_close(s->phases);
	tasks_close(s->tasks); /* which end in its programs */
	requests_bpf__destroy(s->programs);
	free(s);
}

/* Tells the kernel's programs not to leave it at once. */
static void hint(struct serving *s, pid_t pid, int add)
{
	uint32_t *hints = s->programs->bss->served_hints;
	size_t n = sizeof(s->programs->bss->served_hints) / sizeof(*hints);

	__atomic_fetch_add(&hints[(uint32_t)pid % n], add, __ATOMIC_RELAXED);
}

static int served_set(struct serving *s, pid_t pid, const struct interpreter *in)
{
	int fd = bpf_map__fd(s->programs->maps.served);
	uint64_t runtime = in && in->runtime_size ? in->runtime : 0;
	struct wire_served p = {0};
	uint32_t tgid = pid;
	bool known = !bpf_map_lookup_elem(fd, &tgid, &p);

	if (known && p.runtime == runtime)
		return 0;
	p.runtime = runtime;
	p.runtime_end = runtime ? runtime + in->runtime_size : 0;
	p.flags &= ~WIRE_SERVED_FREE_THREADED;
	if (in && in->free_threaded)
		p.flags |= WIRE_SERVED_FREE_THREADED;
	if (known)
		return bpf_map_update_elem(fd, &tgid, &p, BPF_EXIST) ? -errno : 0;
	hint(s, pid, 1);
	if (bpf_map_update_elem(fd, &tgid, &p, BPF_NOEXIST)) {
		int err = -errno;

		hint(s, pid, -1);
		return err == -EEXIST ? 0 : err;
	}
	if (process_lives(pid))
		return 0;
	serving_unfollow(s, pid);
	return -ESRCH;
}

static void threads_forget(struct serving *s, pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		served_thread_forget(s->programs, atoi(e->d_name));
	if (dir)
		closedir(dir);
}

int serving_follow(struct serving *s, pid_t pid, const struct interpreter *in)
{
	int err = served_set(s, pid, in);

	return err || !in ? err : tasks_follow(s->tasks, pid, in, !s->no_follow);
}

void serving_born(struct serving *s, pid_t pid, pid_t parent)
{
	tasks_born(s->tasks, pid, parent, !s->no_follow);
}

void serving_died(struct serving *s, pid_t pid)
{
	tasks_unfollow(s->tasks, pid);
}

void serving_unfollow(struct serving *s, pid_t pid)
{
	uint32_t tgid = pid;

	tasks_unfollow(s->tasks, pid);
	/* Whoever deletes it takes the hint back: here, or in on_exit(). */
	if (bpf_map_delete_elem(bpf_map__fd(s->programs->maps.served), &tgid))
		return;
	hint(s, pid, -1);
	threads_forget(s, pid);
	/* What it has in flight is looked for at the next pass. */
	__atomic_fetch_add(&s->programs->bss->served_deaths, 1, __ATOMIC_RELAXED);
}

int serving_events_fd(const struct serving *s)
{
	return bpf_map__fd(s->programs->maps.requests);
}

int serving_share(const struct serving *s, struct bpf_object *object)
{
	int err = object_share_maps(s->programs->obj, object);

	return err ? err : object_share_constants(s->programs->obj, object);
}

int serving_class_of_fd(const struct serving *s)
{
	return bpf_map__fd(s->programs->maps.class_of);
}

int serving_counters_fd(const struct serving *s)
{
	return bpf_map__fd(s->programs->maps.counters);
}

int serving_kernel_counters_fd(const struct serving *s)
{
	return bpf_map__fd(s->programs->maps.kernel_counters);
}

int serving_canonical(struct serving *s, uint64_t class_id, uint64_t canonical)
{
	struct wire_class c = {0};

	bpf_map_lookup_elem(bpf_map__fd(s->programs->maps.classes), &class_id, &c);
	c.canonical = canonical;
	return bpf_map_update_elem(bpf_map__fd(s->programs->maps.classes), &class_id, &c, BPF_EXIST)
		       ? -errno
		       : 0;
}

void serving_arm(struct serving *s, pid_t pid, uint32_t count)
{
	struct wire_armed *a = s->armed;

	__atomic_store_n(&a->left, 0, __ATOMIC_SEQ_CST);
	if (pid && !count)
		return;
	__atomic_store_n(&a->tgid, pid, __ATOMIC_SEQ_CST);
	__atomic_store_n(&a->serial, a->serial + 1 ? a->serial + 1 : 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&a->begun, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&a->ended, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&a->left, count, __ATOMIC_SEQ_CST);
}

void serving_armed(const struct serving *s, struct wire_armed *ret)
{
	ret->left = __atomic_load_n(&s->armed->left, __ATOMIC_SEQ_CST);
	/* In this order, so that none ended is missing among the begun. */
	ret->ended = __atomic_load_n(&s->armed->ended, __ATOMIC_SEQ_CST);
	ret->begun = __atomic_load_n(&s->armed->begun, __ATOMIC_SEQ_CST);
}

int serving_want(struct serving *s, uint64_t class_id)
{
	int fd = bpf_map__fd(s->programs->maps.classes);
	struct wire_class c;

	if (bpf_map_lookup_elem(fd, &class_id, &c))
		return -errno;
	c.wanted = 1;
	return bpf_map_update_elem(fd, &class_id, &c, BPF_EXIST) ? -errno : 0;
}

int serving_totals(const struct serving *s, pid_t pid, struct wire_served *ret)
{
	uint32_t tgid = pid;

	return bpf_map_lookup_elem(bpf_map__fd(s->programs->maps.served), &tgid, ret) ? -errno : 0;
}

int serving_losses(const struct serving *s, uint64_t ret[WIRE_LOSS_MAX])
{
	int err = kernel_losses_sum(bpf_map__fd(s->programs->maps.losses), ret);
	const struct bpf_program *const see[] = {
		s->programs->progs.on_sys_enter, s->programs->progs.on_sys_exit,
		s->programs->progs.on_received, s->programs->progs.on_sent,
	};

	if (err)
		return err;
	ret[WIRE_LOSS_SLICES] +=
		kernel_program_missed(bpf_program__fd(s->programs->progs.on_switch));
	for (size_t i = 0; i < sizeof(see) / sizeof(*see); i++)
		ret[WIRE_LOSS_REQUESTS] += kernel_program_missed(bpf_program__fd(see[i]));
	return 0;
}

void serving_pass(struct serving *s)
{
	uint64_t deaths = __atomic_load_n(&s->programs->bss->served_deaths, __ATOMIC_RELAXED);

	tasks_pass(s->tasks);
	if (deaths == s->deaths)
		return;
	s->deaths = deaths;
	reap(s->programs, false);
}

void serving_finish(struct serving *s)
{
	serving_pass(s);
	phases_detach(s->phases);
	requests_bpf__detach(s->programs);
	reap(s->programs, true);
}

enum closes serving_closes(const struct serving *s)
{
	return s->closes;
}

struct phases *serving_phases(const struct serving *s)
{
	return s->phases;
}

enum traps_by serving_traps(const struct serving *s)
{
	return s->traps;
}

const char *serving_tasks_reason(const struct serving *s)
{
	return tasks_reason(s->tasks);
}
