// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "life.skel.h"
#include "userspace/counter.h"
#include "userspace/rights.h"

static _Thread_local char last_complaint[256]; /* of what the thread did itself */
static bool debugging;

/* libbpf explains a failure over many lines; the first warning is the cause. */
static int on_libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	if (debugging)
		return vfprintf(stderr, format, args);
	if (level == LIBBPF_WARN && !*last_complaint) {
		vsnprintf(last_complaint, sizeof(last_complaint), format, args);
		last_complaint[strcspn(last_complaint, "\n")] = 0;
	}
	return 0;
}

void kernel_log_setup(void)
{
	debugging = getenv("PYCOST_DEBUG") != NULL;
	libbpf_set_print(on_libbpf_print);
	*last_complaint = 0;
}

const char *kernel_log_last(void)
{
	return *last_complaint ? last_complaint : "no reason given";
}

bool kernel_pids_are_ours(void)
{
	char name[64];
	ssize_t n = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

	name[n > 0 ? n : 0] = 0;
	return !strcmp(name, "pid:[4026531836]");
}

static void raise_limits(void)
{
	struct rlimit files, memory = {RLIM_INFINITY, RLIM_INFINITY};

	/* 5.10 charges maps to RLIMIT_MEMLOCK; later kernels do not look. */
	setrlimit(RLIMIT_MEMLOCK, &memory);
	/* Two descriptors for each followed process. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int sizes_set(struct kernel *k)
{
	struct life_bpf *l = k->life;
	unsigned rows = k->options.max_threads * WIRE_STACK_DEPTH;
	int err = 0;

	err |= bpf_map__set_max_entries(l->maps.nodes, k->options.max_nodes);
	err |= bpf_map__set_max_entries(l->maps.searches, 2 * k->options.max_nodes);
	err |= bpf_map__set_max_entries(l->maps.children, k->options.max_nodes);
	err |= bpf_map__set_max_entries(l->maps.free_nodes, k->options.max_nodes);
	err |= bpf_map__set_max_entries(l->maps.threads, k->options.max_threads);
	err |= bpf_map__set_max_entries(l->maps.slots, k->options.max_threads);
	err |= bpf_map__set_max_entries(l->maps.free_slots, k->options.max_threads);
	err |= bpf_map__set_max_entries(l->maps.stacks, rows);
	err |= bpf_map__set_max_entries(l->maps.chains, rows);
	if (!k->options.by_request) {
		err |= bpf_map__set_max_entries(l->maps.roots, 1);
		err |= bpf_map__set_max_entries(l->maps.class_of, 1);
	}
	if (l->rodata->kernel_mode)
		err |= bpf_map__set_max_entries(l->maps.kernel_selfs, k->options.max_nodes);
	else
		err |= bpf_map__set_max_entries(l->maps.kernel_counters, 1);
	return err ? -EINVAL : 0;
}

/* Highest first: the free lists are stacks, so low numbers go out first. */
static int free_lists_fill(struct kernel *k)
{
	int nodes = bpf_map__fd(k->life->maps.free_nodes);
	int slots = bpf_map__fd(k->life->maps.free_slots);

	for (uint32_t i = k->options.max_nodes - 1; i > 0; i--)
		if (bpf_map_update_elem(nodes, NULL, &i, BPF_ANY))
			return -errno;
	for (uint32_t i = k->options.max_threads; i-- > 0;)
		if (bpf_map_update_elem(slots, NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

static void *map_shared(struct bpf_map *map, int prot)
{
	size_t size = (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
	void *p = mmap(NULL, size, prot, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

static int counters_connect(struct kernel *k, const struct counter *counter)
{
	int err = counter_publish(counter, bpf_map__fd(k->life->maps.counters));

	if (err || !k->options.kernel_counter)
		return err;
	k->kernel_selfs = map_shared(k->life->maps.kernel_selfs, PROT_READ | PROT_WRITE);
	if (!k->kernel_selfs)
		return -errno;
	return counter_publish(k->options.kernel_counter,
			       bpf_map__fd(k->life->maps.kernel_counters));
}

static int kernel_load(struct kernel *k, const struct counter *counter)
{
	int err;

	k->life = life_bpf__open();
	if (!k->life)
		return -errno;
	k->life->rodata->kernel_mode = k->options.kernel_counter != NULL;
	err = sizes_set(k);
	if (err)
		return err;
	k->life->rodata->task_clock = k->task_clock;
	k->life->rodata->per_thread = k->options.per_thread;
	k->life->rodata->no_follow = k->options.no_follow;
	k->life->rodata->by_request = k->options.by_request;
	k->life->rodata->born_slots = k->options.max_threads / 2;
	err = life_bpf__load(k->life);
	if (err)
		return err;
	k->nodes = map_shared(k->life->maps.nodes, PROT_READ | PROT_WRITE);
	k->threads = map_shared(k->life->maps.threads, PROT_READ | PROT_WRITE);
	if (!k->nodes || !k->threads)
		return -errno;
	err = free_lists_fill(k);
	if (!err)
		err = counters_connect(k, counter);
	if (!err)
		err = life_bpf__attach(k->life);
	k->switches_wanted = 1;
	return err;
}

void kernel_explain(int err, enum rights_mode mode, char *text, size_t len)
{
	if (err == -EPERM || err == -EACCES) {
		snprintf(text, len, "no right to load BPF programs");
		rights_explain(err, mode, text, len);
		return;
	}
	if (faccessat(AT_FDCWD, "/sys/kernel/btf/vmlinux", R_OK, AT_EACCESS))
		snprintf(text, len, "this kernel has no readable BTF (/sys/kernel/btf/vmlinux): "
				    "it needs CONFIG_DEBUG_INFO_BTF, as Debian's from 5.10 on has");
	else
		snprintf(text, len, "the kernel refused the programs: %s (%s)", strerror(-err),
			 kernel_log_last());
}

int kernel_prepare(char *text, size_t len)
{
	kernel_log_setup();
	if (!kernel_pids_are_ours()) {
		snprintf(text, len, "this PID namespace is not the host's, so nothing would be seen: "
				    "run on the host, or in a container that has its PIDs");
		return -ENOTSUP;
	}
	raise_limits();
	return 0;
}

int kernel_open(const struct kernel_options *options, const struct counter *counter,
		struct kernel **ret, char *text, size_t len)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err = k ? kernel_prepare(text, len) : -ENOMEM;

	if (err) {
		free(k);
		return err;
	}
	k->options = *options;
	if (!k->options.max_nodes)
		k->options.max_nodes = WIRE_DEFAULT_NODES;
	if (!k->options.max_threads)
		k->options.max_threads = WIRE_DEFAULT_THREADS;
	k->task_clock = counter_metric(counter) == METRIC_TASK_CLOCK;
	err = kernel_load(k, counter);
	if (err) {
		kernel_explain(err, RIGHTS_EXACT, text, len);
		kernel_close(k);
		return err;
	}
	*ret = k;
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	if (k->nodes)
		munmap(k->nodes, (size_t)k->options.max_nodes * sizeof(*k->nodes));
	if (k->kernel_selfs)
		munmap(k->kernel_selfs, (size_t)k->options.max_nodes * sizeof(*k->kernel_selfs));
	if (k->threads)
		munmap(k->threads, (size_t)k->options.max_threads * sizeof(*k->threads));
	life_bpf__destroy(k->life);
	free(k);
}

int kernel_share(const struct kernel *k, struct bpf_object *object)
{
	struct bpf_map *map, *ours;
	int err;

	bpf_object__for_each_map(map, object) {
		ours = bpf_object__find_map_by_name(k->life->obj, bpf_map__name(map));
		if (!ours || bpf_map__is_internal(map))
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(ours));
		if (err)
			return err;
	}
	return 0;
}

uint32_t kernel_root(struct kernel *k, uint32_t tgid, uint32_t tid)
{
	uint32_t index = 0;

	if (bpf_map_lookup_and_delete_elem(bpf_map__fd(k->life->maps.free_nodes), NULL, &index))
		return 0;
	k->nodes[index].tgid = tgid;
	k->nodes[index].tid = tid;
	__atomic_store_n(&k->nodes[index].flags, WIRE_NODE_LIVE, __ATOMIC_RELEASE);
	return index;
}

int kernel_follow(struct kernel *k, uint32_t tgid, const struct wire_proc *proc)
{
	if (bpf_map_update_elem(bpf_map__fd(k->life->maps.procs), &tgid, proc, BPF_ANY))
		return -errno;
	return 0;
}

static void threads_reset(struct kernel *k)
{
	int n_cpus = libbpf_num_possible_cpus();
	uint64_t *none = calloc(n_cpus > 0 ? n_cpus : 1, sizeof(*none));
	uint32_t zero = 0;

	for (unsigned i = 0; i < k->options.max_threads; i++) {
		struct wire_thread *t = &k->threads[i];

		__atomic_store_n(&t->class_id, 0, __ATOMIC_RELAXED);
		t->on_cpu = 0;
		t->switches = 0;
		t->pending = 0;
	}
	if (none)
		bpf_map_update_elem(bpf_map__fd(k->life->maps.running), &zero, none, BPF_ANY);
	free(none);
}

int kernel_switches_want(struct kernel *k)
{
	if (k->switches_wanted++)
		return 0;
	threads_reset(k);
	k->life->links.on_switch = bpf_program__attach(k->life->progs.on_switch);
	if (k->life->links.on_switch)
		return 0;
	k->switches_wanted--;
	return -errno;
}

void kernel_switches_leave(struct kernel *k)
{
	if (!k->switches_wanted || --k->switches_wanted)
		return;
	bpf_link__destroy(k->life->links.on_switch);
	k->life->links.on_switch = NULL;
}

const struct bpf_program *kernel_switches_program(const struct kernel *k)
{
	return k->life->progs.on_switch;
}

/* Whoever deletes the entry gives the slot back: here, or in on_exit(). */
static void slot_free(struct kernel *k, uint32_t tid, uint32_t slot)
{
	if (bpf_map_delete_elem(bpf_map__fd(k->life->maps.slots), &tid))
		return;
	k->threads[slot].tgid = 0;
	bpf_map_update_elem(bpf_map__fd(k->life->maps.free_slots), NULL, &slot, BPF_ANY);
}

static bool thread_lives(uint32_t tgid, uint32_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u", tgid, tid);
	return !access(path, F_OK);
}

int kernel_adopt(struct kernel *k, uint32_t tgid, uint32_t tid)
{
	int free_slots = bpf_map__fd(k->life->maps.free_slots);
	struct wire_thread thread = {.tgid = tgid, .tid = tid};
	struct wire_proc proc;

	if (bpf_map_lookup_elem(bpf_map__fd(k->life->maps.procs), &tgid, &proc))
		return -ESRCH;
	if (bpf_map_lookup_and_delete_elem(free_slots, NULL, &thread.slot))
		return -ENOSPC;
	thread.func_type = proc.func_type;
	thread.root = k->options.per_thread ? kernel_root(k, tgid, tid) : proc.root;
	thread.top_node = thread.root;
	if (thread.root) {
		k->threads[thread.slot] = thread;
		/* It may have been met at a probe, or born, just before. */
		if (!bpf_map_update_elem(bpf_map__fd(k->life->maps.slots), &tid, &thread.slot,
					 BPF_NOEXIST)) {
			if (!thread_lives(tgid, tid))
				slot_free(k, tid, thread.slot);
			return 0;
		}
		k->threads[thread.slot].tgid = 0;
	}
	bpf_map_update_elem(free_slots, NULL, &thread.slot, BPF_ANY);
	return thread.root ? -EEXIST : -ENOSPC;
}

void kernel_unfollow(struct kernel *k, uint32_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(k->life->maps.procs), &tgid);
}

void kernel_retype(struct kernel *k, uint32_t tgid, uint64_t func_type)
{
	int fd = bpf_map__fd(k->life->maps.procs);
	struct wire_proc proc;

	if (bpf_map_lookup_elem(fd, &tgid, &proc) || proc.func_type == func_type)
		return;
	proc.func_type = func_type;
	bpf_map_update_elem(fd, &tgid, &proc, BPF_EXIST);
}

void kernel_forget_code(struct kernel *k, const struct wire_code_key *key)
{
	bpf_map_delete_elem(bpf_map__fd(k->life->maps.codes), key);
}

uint64_t kernel_self(const struct kernel *k, uint32_t index)
{
	return k->kernel_selfs ? __atomic_load_n(&k->kernel_selfs[index], __ATOMIC_RELAXED) : 0;
}

static void search_clear(struct kernel *k, uint32_t index)
{
	static const struct wire_search none;

	bpf_map_update_elem(bpf_map__fd(k->life->maps.searches), &index, &none, BPF_ANY);
}

void kernel_recycle(struct kernel *k, uint32_t index)
{
	struct wire_node *n = &k->nodes[index];
	struct wire_child_key key = {.code = n->code, .wrapped = n->wrapped, .parent = n->parent};
	struct wire_root_key root = {.class_id = n->wrapped, .tgid = n->tgid, .tid = n->tid};
	bool resumable = n->flags & WIRE_NODE_RESUMABLE;

	if (n->parent)
		bpf_map_delete_elem(bpf_map__fd(k->life->maps.children), &key);
	else if (n->wrapped)
		bpf_map_delete_elem(bpf_map__fd(k->life->maps.roots), &root);
	memset(n, 0, sizeof(*n));
	search_clear(k, index);
	if (resumable)
		search_clear(k, k->options.max_nodes + index);
	if (k->kernel_selfs)
		k->kernel_selfs[index] = 0;
	bpf_map_update_elem(bpf_map__fd(k->life->maps.free_nodes), NULL, &index, BPF_ANY);
}

int kernel_returns(const struct kernel *k, uint32_t index, struct wire_search *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(k->life->maps.searches), &index, ret) ? -errno : 0;
}

int kernel_entries(const struct kernel *k, uint32_t index, struct wire_search *ret)
{
	return kernel_returns(k, k->options.max_nodes + index, ret);
}

int kernel_losses_sum(int map_fd, uint64_t ret[WIRE_LOSS_MAX])
{
	int n_cpus = libbpf_num_possible_cpus();
	uint64_t *values = calloc(n_cpus > 0 ? n_cpus : 1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (uint32_t what = 0; what < WIRE_LOSS_MAX; what++) {
		ret[what] = 0;
		if (bpf_map_lookup_elem(map_fd, &what, values))
			continue;
		for (int i = 0; i < n_cpus; i++)
			ret[what] += values[i];
	}
	free(values);
	return 0;
}

int kernel_losses(const struct kernel *k, uint64_t ret[WIRE_LOSS_MAX])
{
	int err = kernel_losses_sum(bpf_map__fd(k->life->maps.losses), ret);

	if (err)
		return err;
	ret[WIRE_LOSS_SLICES] += kernel_program_missed(bpf_program__fd(k->life->progs.on_switch));
	return 0;
}

uint64_t kernel_program_missed(int program_fd)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(program_fd, &info, &size) ? 0 : info.recursion_misses;
}

int kernel_events_fd(const struct kernel *k)
{
	return bpf_map__fd(k->life->maps.events);
}

int kernel_counters_fd(const struct kernel *k)
{
	return bpf_map__fd(k->life->maps.counters);
}

int kernel_mode_counters_fd(const struct kernel *k)
{
	return bpf_map__fd(k->life->maps.kernel_counters);
}
