/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/mark_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire_marks.h"
#include "bpf/wire_request.h" /* a skeleton holds some of it */
#include "symbolizer/layout_read.h"
#include "symbolizer/thread_roots.h"
#include "audit.skel.h"
#include "marked.skel.h"
#include "marks.skel.h"
#include "userspace/interpreter_pin.h"
#include "userspace/kernel.h"
#include "userspace/object_share.h"
#include "userspace/semaphore.h"
#include "userspace/serving.h"
#include "userspace/traps.h"

struct mark_programs {
	const struct serving *serving;
	struct marked_bpf *life;
	bool audit;
	struct marked_build *builds[WIRE_MAX_BUILDS];
	uint32_t n_builds;
};

/* A probe, and what listens to it. */
struct mark_probe {
	enum semaphore_use use;
	const char *name, *program; /* the n-th site's is on_PROGRAM_n */
	unsigned sites;
	unsigned arguments; /* that it reads */
};

static const struct mark_probe probes[] = {
	{SEMAPHORE_GC_START, "gc__start", "gc_start", WIRE_GC_SITES, 1},
	{SEMAPHORE_GC_DONE, "gc__done", "gc_done", WIRE_GC_SITES, 1},
	{SEMAPHORE_IMPORT_START, "import__find__load__start", "import_start", WIRE_IMPORT_SITES, 1},
	{SEMAPHORE_IMPORT_DONE, "import__find__load__done", "import_done", WIRE_IMPORT_SITES, 1},
	{SEMAPHORE_AUDIT, "audit", "audit", WIRE_AUDIT_SITES, 2},
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

int mark_programs_open(const struct serving *serving, bool audit, bool no_follow,
		       struct mark_programs **ret, char *text, size_t len)
{
	struct mark_programs *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->serving = serving;
	p->audit = audit;
	p->life = marked_bpf__open();
	err = p->life ? 0 : -errno;
	if (!err) {
		p->life->rodata->no_follow = no_follow;
		err = marked_bpf__load(p->life);
	}
	if (!err)
		err = marked_bpf__attach(p->life);
	if (err) {
		kernel_explain(err, RIGHTS_EXACT, text, len);
		mark_programs_close(p);
		return err;
	}
	*ret = p;
	return 0;
}

static void build_free(struct marked_build *b)
{
	for (size_t i = b->n_links; i-- > 0;)
		bpf_link__destroy(b->links[i]);
	free(b->links);
	traps_free(b->traps);
	marks_bpf__destroy(b->marks);
	audit_bpf__destroy(b->audit);
	interpreter_clear(&b->in);
	if (b->file >= 0)
		close(b->file);
	free(b);
}

void mark_programs_close(struct mark_programs *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n_builds; i++)
		build_free(p->builds[i]);
	marked_bpf__destroy(p->life);
	free(p);
}

/* Those of requests are the serving's; those of processes, events and losses are ours. */
static int maps_share(const struct mark_programs *p, struct bpf_object *object)
{
	int err = serving_share(p->serving, object);

	return err ? err : object_share_maps(p->life->obj, object);
}

static struct wire_arg arg_of(const struct probe_site *s, unsigned n)
{
	const struct usdt_arg *a = &s->args[n];
	struct wire_arg arg = {.reg = a->reg, .size = a->size, .is_signed = a->is_signed,
			       .offset = a->offset};

	if (n >= s->n_args)
		return (struct wire_arg){0};
	arg.kind = a->kind == USDT_ARG_CONST ? WIRE_ARG_CONST
		   : a->kind == USDT_ARG_REG ? WIRE_ARG_REGISTER
		   : a->kind == USDT_ARG_MEM ? WIRE_ARG_MEMORY
					     : WIRE_ARG_NONE;
	return arg;
}

/* The constants of a probe's programs: rows of the arguments that it reads. */
static struct wire_arg *args_of(struct marked_build *b, const struct mark_probe *probe)
{
	switch (probe->use) {
	case SEMAPHORE_GC_START:
		return (struct wire_arg *)b->marks->rodata->gc_start_args;
	case SEMAPHORE_GC_DONE:
		return (struct wire_arg *)b->marks->rodata->gc_done_args;
	case SEMAPHORE_IMPORT_START:
		return (struct wire_arg *)b->marks->rodata->import_start_args;
	case SEMAPHORE_IMPORT_DONE:
		return (struct wire_arg *)b->marks->rodata->import_done_args;
	default:
		return (struct wire_arg *)b->audit->rodata->audit_args;
	}
}

static struct bpf_program *program_of(const struct marked_build *b, const struct mark_probe *probe,
				      unsigned n)
{
	char name[64];

	snprintf(name, sizeof(name), "on_%s_%u", probe->program, n);
	return bpf_object__find_program_by_name(
		probe->use == SEMAPHORE_AUDIT ? b->audit->obj : b->marks->obj, name);
}

/* Sets up the programs of the sites that there are; the others are not loaded. */
static int probe_prepare(struct marked_build *b, const struct mark_probe *probe)
{
	struct wire_arg *args = args_of(b, probe);
	unsigned n = 0;
	int err = 0;

	for (size_t i = 0; i < b->in.others.n; i++) {
		const struct probe_site *s = &b->in.others.v[i];

		if (strcmp(s->name, probe->name) || !s->semaphore || n == probe->sites)
			continue;
		for (unsigned k = 0; k < probe->arguments; k++)
			args[n * probe->arguments + k] = arg_of(s, k);
		n++;
	}
	b->hold.uses |= n ? 1u << probe->use : 0;
	for (; n < probe->sites && !err; n++)
		err = bpf_program__set_autoload(program_of(b, probe, n), false);
	return err;
}

static int probe_attach(struct marked_build *b, const struct mark_probe *probe)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts);
	unsigned n = 0;

	for (size_t i = 0; i < b->in.others.n; i++) {
		const struct probe_site *s = &b->in.others.v[i];
		struct bpf_link *link;

		if (strcmp(s->name, probe->name) || !s->semaphore || n == probe->sites)
			continue;
		link = bpf_program__attach_uprobe_opts(program_of(b, probe, n++), -1, b->in.path,
						       s->offset, &opts);
		if (!link)
			return -errno;
		b->links[b->n_links++] = link;
	}
	return 0;
}

static bool probe_is_wanted(const struct mark_programs *p, const struct mark_probe *probe)
{
	return probe->use != SEMAPHORE_AUDIT || p->audit;
}

static int build_load(const struct mark_programs *p, struct marked_build *b)
{
	struct marks_bpf *m = b->marks = marks_bpf__open();
	struct audit_bpf *a = b->audit = p->audit ? audit_bpf__open() : NULL;
	int err = m && (a || !p->audit) ? 0 : -errno;

	for (size_t i = 0; i < PROBES && !err; i++)
		if (probe_is_wanted(p, &probes[i]))
			err = probe_prepare(b, &probes[i]);
	if (!err)
		err = maps_share(p, m->obj);
	if (!err && a)
		err = maps_share(p, a->obj);
	if (err)
		return err;
	memcpy((void *)&m->rodata->layout, &b->layout, sizeof(b->layout));
	memcpy((void *)&m->rodata->runtime, &b->runtime, sizeof(b->runtime));
	if (a)
		memcpy((void *)&a->rodata->layout, &b->layout, sizeof(b->layout));
	err = marks_bpf__load(m);
	return err || !a ? err : audit_bpf__load(a);
}

/* Beginnings without ends, and the other way round, say nothing. */
static unsigned paired(unsigned uses)
{
	static const unsigned pairs[] = {
		1u << SEMAPHORE_GC_START | 1u << SEMAPHORE_GC_DONE,
		1u << SEMAPHORE_IMPORT_START | 1u << SEMAPHORE_IMPORT_DONE,
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((uses & pairs[i]) != pairs[i])
			uses &= ~pairs[i];
	return uses;
}

/*
 * What another tracer has attached to in a way of its own is not ours to see; nor what
 * the kernel has leaked of one, up to the next boot ("failed to unregister, leaking
 * uprobe": uprobe_unregister_nosync() in kernel/events/uprobes.c).
 */
static int build_attach(const struct mark_programs *p, struct marked_build *b)
{
	int err;

	for (size_t i = 0; i < PROBES; i++) {
		if (!(b->hold.uses & 1u << probes[i].use))
			continue;
		err = probe_attach(b, &probes[i]);
		if (err && err != -EINVAL)
			return err;
		if (!err)
			continue;
		b->hold.uses &= ~(1u << probes[i].use);
		snprintf(b->why_not, sizeof(b->why_not),
			 "another tracer holds the place of its probe %s, or one that was "
			 "killed has left the kernel's own behind there", probes[i].name);
	}
	b->hold.uses = paired(b->hold.uses);
	return 0;
}

static int build_make(struct mark_programs *p, struct marked_build *b, pid_t pid, char *text,
		      size_t len)
{
	int err = layout_read(&b->in, pid, &b->layout, &b->runtime, text, len);

	if (err < 0)
		return err;
	b->links = calloc(b->in.others.n + 1, sizeof(*b->links));
	if (!b->links)
		return -ENOMEM;
	err = build_load(p, b);
	if (err)
		snprintf(text, len, "the kernel refused the programs of imports and collections: %s (%s)",
			 strerror(-err), kernel_log_last());
	else
		err = build_attach(p, b);
	b->hold.in = &b->in;
	/* Where they cannot be inherited, children are held when we hear of them. */
	if (!err && b->hold.uses &&
	    !semaphores_trap(&b->in, b->hold.uses, pid, serving_traps(p->serving), &b->traps))
		b->hold.traps = b->traps;
	if (!err && !(b->hold.uses & ~(1u << SEMAPHORE_AUDIT)) && !*b->why_not)
		snprintf(b->why_not, sizeof(b->why_not), "this interpreter has no probes");
	return err;
}

static struct marked_build *build_find(const struct mark_programs *p, const struct interpreter *in)
{
	for (uint32_t i = 0; i < p->n_builds; i++)
		if (p->builds[i]->in.dev == in->dev && p->builds[i]->in.inode == in->inode)
			return p->builds[i];
	return NULL;
}

int mark_programs_build(struct mark_programs *p, const struct interpreter *in, pid_t pid,
			struct marked_build **ret, char *text, size_t len)
{
	struct marked_build *b = build_find(p, in);
	int err;

	*ret = b;
	if (b)
		return 0;
	if (p->n_builds == WIRE_MAX_BUILDS) {
		snprintf(text, len, "more than %d builds of Python at a time", WIRE_MAX_BUILDS);
		return -ENOSPC;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->file = -1;
	err = interpreter_copy(in, &b->in);
	if (!err)
		err = b->file = interpreter_pin(&b->in);
	if (err >= 0)
		err = build_make(p, b, pid, text, len);
	if (err) {
		build_free(b);
		return err;
	}
	p->builds[p->n_builds++] = *ret = b;
	return 0;
}

int mark_programs_events_fd(const struct mark_programs *p)
{
	return bpf_map__fd(p->life->maps.events);
}

int mark_programs_follow(struct mark_programs *p, uint32_t tgid, const struct marked_build *b,
			 const struct interpreter *in)
{
	struct wire_sampled wire = {.build = WIRE_NO_BUILD};
	struct thread_roots roots;

	if (b) {
		thread_roots_find(in, &b->runtime, &roots);
		wire = (struct wire_sampled){.interpreters = roots.interpreters,
					     .current = roots.current,
					     .code_type = in->code_type};
	}
	return bpf_map_update_elem(bpf_map__fd(p->life->maps.marked), &tgid, &wire, BPF_ANY) ? -errno : 0;
}

void mark_programs_unfollow(struct mark_programs *p, uint32_t tgid)
{
	bpf_map_delete_elem(bpf_map__fd(p->life->maps.marked), &tgid);
}

int mark_programs_losses(const struct mark_programs *p, uint64_t ret[WIRE_LOSS_MAX])
{
	return kernel_losses_sum(bpf_map__fd(p->life->maps.losses), ret);
}
