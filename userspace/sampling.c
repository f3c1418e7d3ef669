/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/sampling.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/layout_read.h"
#include "symbolizer/thread_roots.h"
#include "sample.skel.h"
#include "walk.skel.h"
#include "userspace/kernel.h"
#include "userspace/walk_proof.h"

struct sampling {
	struct sample_bpf *sample;
	struct sampled_build *builds[WIRE_MAX_BUILDS];
	uint32_t n_builds;
	uint32_t ring; /* of samples, in bytes */
	sampling_reader on_event, on_sample; /* NULL: nobody reads */
	void *readers_arg;
};

/*
 * The rings lie in our memory twice over, so they are as large as they have to be: two
 * seconds of samples of a KiB each.  They are fetched once a second, or when a quarter
 * is full.
 */
static int rings_size(struct sampling *s, unsigned rate)
{
	uint64_t wanted = 2048ull * rate * libbpf_num_possible_cpus();
	uint32_t size = 1 << 20;

	while (size < wanted && size < WIRE_SAMPLES_RING)
		size *= 2;
	s->ring = size;
	s->sample->rodata->samples_wake = size / 4;
	if (size < WIRE_SAMPLES_RING && bpf_map__set_max_entries(s->sample->maps.events, 1 << 20))
		return -EINVAL;
	return bpf_map__set_max_entries(s->sample->maps.samples, size);
}

static int class_of_share(struct sampling *s, int fd)
{
	s->sample->rodata->by_request = fd >= 0;
	return fd >= 0 ? bpf_map__reuse_fd(s->sample->maps.class_of, fd)
		       : bpf_map__set_max_entries(s->sample->maps.class_of, 1);
}

int sampling_open(unsigned rate, bool no_follow, int class_of_fd, struct sampling **ret, char *text,
		  size_t len)
{
	struct sampling *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = kernel_prepare(text, len);
	if (err) {
		free(s);
		return err;
	}
	s->sample = sample_bpf__open();
	if (!s->sample) {
		err = -errno;
	} else {
		s->sample->rodata->no_follow = no_follow;
		err = rings_size(s, rate);
	}
	if (!err)
		err = class_of_share(s, class_of_fd);
	if (!err)
		err = sample_bpf__load(s->sample);
	if (!err)
		err = sample_bpf__attach(s->sample);
	if (err) {
		kernel_explain(err, RIGHTS_SAMPLE, text, len);
		sampling_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void build_free(struct sampled_build *b)
{
	if (!b)
		return;
	walk_bpf__destroy(b->programs);
	interpreter_clear(&b->in);
	free(b);
}

void sampling_close(struct sampling *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_builds; i++)
		build_free(s->builds[i]);
	sample_bpf__destroy(s->sample);
	free(s);
}

int sampling_program_fd(const struct sampling *s)
{
	return bpf_program__fd(s->sample->progs.on_sample);
}

int sampling_events_fd(const struct sampling *s)
{
	return bpf_map__fd(s->sample->maps.events);
}

int sampling_samples_fd(const struct sampling *s)
{
	return bpf_map__fd(s->sample->maps.samples);
}

const char *interpreter_sample_reason(const struct interpreter *in)
{
	if (in->machine != EM_X86_64 && in->machine != EM_AARCH64)
		return "stacks are walked on x86-64 and arm64 only";
	if (in->major < 0 || in->minor < 0)
		return "its version could not be found out";
	if (in->major != 3 || in->minor < 6)
		return "Python before 3.6 is not supported";
	if (!in->runtime && in->minor > 6)
		return "its executable does not show where its threads are (_PyRuntime)";
	return NULL;
}

/* Maps that all builds have in common are the sample program's. */
static int maps_share(const struct sampling *s, struct bpf_object *object)
{
	struct bpf_map *map, *ours;
	int err;

	bpf_object__for_each_map(map, object) {
		ours = bpf_object__find_map_by_name(s->sample->obj, bpf_map__name(map));
		if (!ours && s->n_builds)
			ours = bpf_object__find_map_by_name(s->builds[0]->programs->obj,
							    bpf_map__name(map));
		if (!ours || bpf_map__is_internal(map))
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(ours));
		if (err)
			return err;
	}
	return 0;
}

static int walker_put(const struct sampling *s, const struct sampled_build *b)
{
	int fd = bpf_program__fd(b->programs->progs.walk), walkers = bpf_map__fd(s->sample->maps.walkers);

	return bpf_map_update_elem(walkers, &b->number, &fd, BPF_ANY) ? -errno : 0;
}

static int build_load(struct sampling *s, struct sampled_build *b)
{
	struct walk_bpf *w = b->programs = walk_bpf__open();
	int err = w ? maps_share(s, w->obj) : -errno;

	if (err)
		return err;
	memcpy((void *)&w->rodata->layout, &b->layout, sizeof(b->layout));
	memcpy((void *)&w->rodata->runtime, &b->runtime, sizeof(b->runtime));
	w->rodata->samples_wake = s->ring / 4;
	err = walk_bpf__load(w);
	return err ? err : walker_put(s, b);
}

static struct sampled_build *build_find(const struct sampling *s, const struct interpreter *in)
{
	for (uint32_t i = 0; i < s->n_builds; i++)
		if (s->builds[i]->in.dev == in->dev && s->builds[i]->in.inode == in->inode)
			return s->builds[i];
	return NULL;
}

static void version_set(struct sampled_build *b)
{
	size_t n = interpreter_version(&b->in, b->version, sizeof(b->version));

	if (b->in.free_threaded && n + 1 < sizeof(b->version))
		strcpy(b->version + n, "t");
}

static int build_make(struct sampling *s, struct sampled_build *b, pid_t pid, char *text, size_t len)
{
	int err = layout_read(&b->in, pid, &b->layout, &b->runtime, text, len);

	if (err < 0)
		return err;
	b->unproven = err == LAYOUT_UNPROVEN;
	version_set(b);
	err = build_load(s, b);
	if (err)
		snprintf(text, len, "the kernel refused the walker of Python %s: %s (%s)", b->version,
			 strerror(-err), kernel_log_last());
	return err;
}

static int build_new(struct sampling *s, struct interpreter *in, pid_t pid,
		     struct sampled_build **ret, char *text, size_t len)
{
	struct sampled_build *b;
	int err;

	if (s->n_builds == WIRE_MAX_BUILDS) {
		snprintf(text, len, "more than %d builds of Python at a time", WIRE_MAX_BUILDS);
		return -ENOSPC;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->in = *in;
	*in = (struct interpreter){0};
	b->number = s->n_builds;
	err = build_make(s, b, pid, text, len);
	if (err) {
		build_free(b);
		return err;
	}
	s->builds[s->n_builds++] = *ret = b;
	return 0;
}

int sampling_build(struct sampling *s, struct interpreter *in, pid_t pid,
		   struct sampled_build **ret, char *text, size_t len)
{
	struct sampled_build *b = build_find(s, in);
	const char *why = b ? NULL : interpreter_sample_reason(in);
	int err = 0;

	if (why) {
		snprintf(text, len, "%s", why);
		return -ENOTSUP;
	}
	if (!b)
		err = build_new(s, in, pid, &b, text, len);
	if (!err)
		*ret = b;
	return err;
}

/*
 * The answer could be kept by build-id, from session to session: here is where it would
 * be looked up.
 */
int sampling_prove(struct sampling *s, struct sampled_build *b, pid_t pid, char *text, size_t len)
{
	int err;

	if (b->tried) {
		snprintf(text, len, "its stacks were not walked right on a private child");
		return b->refused ? -ENOTSUP : 0;
	}
	b->tried = true;
	err = walk_proof_run(s, b, pid, text, len);
	b->proved = !err;
	b->refused = err && (err != -ENOENT || b->unproven);
	if (b->refused)
		bpf_map_delete_elem(bpf_map__fd(s->sample->maps.walkers), &b->number);
	return b->refused ? -ENOTSUP : 0;
}

void sampling_set_readers(struct sampling *s, sampling_reader event, sampling_reader sample,
			  void *arg)
{
	s->on_event = event;
	s->on_sample = sample;
	s->readers_arg = arg;
}

int sampling_others(struct sampling *s, void *data, size_t size, bool is_sample)
{
	sampling_reader reader = is_sample ? s->on_sample : s->on_event;

	return reader ? reader(s->readers_arg, data, size) : 0;
}

void sampling_addresses(const struct sampled_build *b, const struct interpreter *in, uint32_t epoch,
			struct wire_sampled *ret)
{
	struct thread_roots roots;

	thread_roots_find(in, &b->runtime, &roots);
	*ret = (struct wire_sampled){
		.interpreters = roots.interpreters,
		.current = roots.current,
		.collecting = roots.collecting,
		.code_type = in->code_type,
		.build = b->number,
		.epoch = epoch,
	};
}

int sampling_follow(struct sampling *s, uint32_t tgid, const struct wire_sampled *p)
{
	return bpf_map_update_elem(bpf_map__fd(s->sample->maps.sampled), &tgid, p, BPF_ANY) ? -errno : 0;
}

int sampling_refollow(struct sampling *s, uint32_t tgid, const struct wire_sampled *p)
{
	return bpf_map_update_elem(bpf_map__fd(s->sample->maps.sampled), &tgid, p, BPF_EXIST) ? -errno
											     : 0;
}

int sampling_followed(struct sampling *s, uint32_t tgid, struct wire_sampled *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(s->sample->maps.sampled), &tgid, ret) ? -errno : 0;
}

void sampling_unfollow(struct sampling *s, uint32_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(s->sample->maps.sampled), &tgid);
}

int sampling_losses(const struct sampling *s, uint64_t ret[WIRE_LOSS_MAX])
{
	return kernel_losses_sum(bpf_map__fd(s->sample->maps.losses), ret);
}
