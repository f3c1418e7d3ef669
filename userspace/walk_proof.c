// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/walk_proof.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/launch.h"
#include "userspace/perf_event.h"
#include "userspace/python_path.h"
#include "userspace/sampling.h"

#define PERIOD_NS 200000
/* Of a thousand that the script is good for. */
#define SAMPLES_ENOUGH 50
#define NAMES_MAX 64

/* Reads a byte, works for a fifth of a second, and tells that it has. */
static const char script[] = "import os, time\n"
			     "def inner(n):\n"
			     "    x = 0\n"
			     "    for i in range(n): x += i\n"
			     "    return x\n"
			     "def middle(n): return inner(n)\n"
			     "class K:\n"
			     "    def method(self, n): return middle(n)\n"
			     "def generates(n):\n"
			     "    while True: yield middle(n)\n"
			     "def deep(n, k): return deep(n, k - 1) if k else inner(n)\n"
			     "def from_c(n): return sorted([1], key=lambda i: middle(n))\n"
			     "def run():\n"
			     "    g, k = generates(300), K()\n"
			     "    end = time.process_time() + 0.2\n"
			     "    while time.process_time() < end:\n"
			     "        k.method(300)\n"
			     "        next(g)\n"
			     "        deep(300, 9)\n"
			     "        from_c(300)\n"
			     "    g.close()\n"
			     "os.write(1, b'.')\n"
			     "os.read(0, 1)\n"
			     "run()\n"
			     "os.write(1, b'.')\n"
			     "os.read(0, 1)\n";

/* Who may call whom; "" is nobody. */
static const char *const edges[][2] = {
	{"", "<module>"},	{"<module>", "run"},   {"run", "method"},
	{"method", "middle"},	{"run", "generates"},  {"generates", "middle"},
	{"run", "deep"},	{"deep", "deep"},      {"deep", "inner"},
	{"run", "from_c"},	{"from_c", "<lambda>"}, {"<lambda>", "middle"},
	{"middle", "inner"},
};

struct name {
	uint64_t code;
	uint32_t print;
	char text[32];
};

struct trial {
	struct sampling *sampling;
	const struct sampled_build *build;
	struct launch child;
	pid_t pid;
	int event; /* -1: none */
	struct name names[NAMES_MAX];
	unsigned n_names;
	/* Of the samples in run(). */
	unsigned right, wrong, unwalked;
	char first_wrong[128];
};

static int on_event(void *arg, void *data, size_t size)
{
	struct trial *p = arg;
	const struct wire_event_code *e = data;
	struct name *name;

	if (e->head.tgid != (__u32)p->pid)
		return sampling_others(p->sampling, data, size, false);
	if (e->head.kind != WIRE_EVENT_CODE || p->n_names == NAMES_MAX || e->name.kind != 1)
		return 0;
	name = &p->names[p->n_names++];
	name->code = e->code;
	name->print = e->print;
	snprintf(name->text, sizeof(name->text), "%.*s", (int)e->name.bytes, (const char *)e->name_data);
	return 0;
}

static const char *name_of(const struct trial *p, const struct wire_sample_frame *f)
{
	for (unsigned i = p->n_names; i--;)
		if (p->names[i].code == f->code && p->names[i].print == f->print)
			return p->names[i].text;
	return "?";
}

static bool is_edge(const char *caller, const char *callee)
{
	for (size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++)
		if (!strcmp(edges[i][0], caller) && !strcmp(edges[i][1], callee))
			return true;
	return false;
}

static void path_judge(struct trial *p, const struct wire_sample_frame *frames, unsigned n)
{
	const char *caller = "";

	for (unsigned i = n; i--;) {
		const char *callee = name_of(p, &frames[i]);

		if (!is_edge(caller, callee)) {
			if (!p->wrong++)
				snprintf(p->first_wrong, sizeof(p->first_wrong), "%s called by %s",
					 callee, *caller ? caller : "nobody");
			return;
		}
		caller = callee;
	}
	p->right++;
}

static int on_sample(void *arg, void *data, size_t size)
{
	struct trial *p = arg;
	const struct wire_sample *e = data;
	const struct wire_sample_frame *frames = (const void *)(e + 1);

	if (e->head.tgid != (__u32)p->pid)
		return sampling_others(p->sampling, data, size, true);
	if (size < sizeof(*e) + e->frames * sizeof(*frames))
		return 0;
	if (!e->frames || e->flags)
		p->unwalked++;
	else
		path_judge(p, frames, e->frames);
	return 0;
}

/* Names first: a sample is sent after those of its functions. */
static int rings_read(struct trial *p)
{
	struct ring_buffer *notes = ring_buffer__new(sampling_events_fd(p->sampling), on_event, p, NULL);
	struct ring_buffer *samples = ring_buffer__new(sampling_samples_fd(p->sampling), on_sample, p,
						       NULL);
	int err = notes && samples ? 0 : -ENOMEM;

	if (!err)
		err = ring_buffer__consume(notes);
	if (err >= 0)
		err = ring_buffer__consume(samples);
	ring_buffer__free(notes);
	ring_buffer__free(samples);
	return err < 0 ? err : 0;
}

static int child_follow(struct trial *p)
{
	struct wire_sampled wire;
	struct interpreter in;
	int err = interpreter_find(p->pid, &in);

	if (err)
		return err;
	sampling_addresses(p->build, &in, p->pid, &wire);
	interpreter_clear(&in);
	err = sampling_follow(p->sampling, p->pid, &wire);
	if (err)
		return err;
	p->event = perf_event_open_sampling_task(p->pid, PERIOD_NS);
	if (p->event < 0)
		return p->event;
	if (ioctl(p->event, PERF_EVENT_IOC_SET_BPF, sampling_program_fd(p->sampling)) ||
	    ioctl(p->event, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	return 0;
}

static int child_run(struct trial *p)
{
	int err = launch_go(&p->child);

	if (!err)
		err = launch_ask(&p->child, "");
	if (!err)
		err = child_follow(p);
	if (!err)
		err = launch_ask(&p->child, ".");
	if (p->event >= 0)
		close(p->event);
	sampling_unfollow(p->sampling, p->pid);
	return err;
}

static int judge(const struct trial *p, char *text, size_t len)
{
	unsigned all = p->right + p->wrong + p->unwalked;

	if (all < SAMPLES_ENOUGH) {
		snprintf(text, len, "its stacks could not be tried out: %u samples of a private child "
				    "are too few", all);
		return -ENOENT;
	}
	if (p->wrong) {
		snprintf(text, len, "its stacks are not walked right: of %u samples of a private child "
				    "%u were wrong, the first with %s", all, p->wrong, p->first_wrong);
		return -ENOTSUP;
	}
	/* The child is also sampled at its reading and writing: that is walked as well. */
	if (p->unwalked > all / 4) {
		snprintf(text, len, "its stacks are not walked: of %u samples of a private child %u "
				    "could not be", all, p->unwalked);
		return -ENOTSUP;
	}
	return 0;
}

int walk_proof_run(struct sampling *s, const struct sampled_build *b, pid_t pid, char *text,
		   size_t len)
{
	char *python = python_path(&b->in, pid);
	struct trial *p = calloc(1, sizeof(*p));
	int err = p ? 0 : -ENOMEM;

	snprintf(text, len, "its stacks could not be tried out: no python command runs %s",
		 b->in.target_path);
	if (!err && !python)
		err = -ENOENT;
	if (!err) {
		*p = (struct trial){.sampling = s, .build = b, .event = -1};
		err = launch_python(python, pid, script, &p->child);
	}
	if (!err) {
		p->pid = p->child.pid;
		err = child_run(p);
		if (!err)
			err = rings_read(p);
		launch_end(&p->child);
		if (err)
			snprintf(text, len, "its stacks could not be tried out on a private child: %s",
				 strerror(-err));
		err = err ? -ENOENT : judge(p, text, len);
	}
	free(python);
	free(p);
	return err == -ENOTSUP || !err ? err : -ENOENT;
}
