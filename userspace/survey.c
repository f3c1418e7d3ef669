// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a private child of an interpreter under survey.bpf.c: says which register
 * holds the frame at each probe, and whether the probes fire as they should.  A
 * build is trusted only after this: its notes alone prove nothing (3.11 notes
 * an entry probe that ordinary calls never reach).
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/layout.h" /* the skeleton holds one */
#include "survey.skel.h"
#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/hold.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"
#include "userspace/python_path.h"
#include "userspace/survey.h"

/*
 * Different names in nested calls, so that no other frame can look right; and
 * every way into a frame, as each may leave it in another register by chance.
 */
static const char script[] = "import os\n"
			     "def leaf(x): return x\n"
			     "def middle(x): return leaf(x) + len([leaf(x)])\n"
			     "def catches(x):\n"
			     "    try: fails(x)\n"
			     "    except ValueError: return middle(x)\n"
			     "def fails(x): raise ValueError\n"
			     "def many(x, *rest, key=1, **others): return x\n"
			     "def default(x, y=2): return y\n"
			     "def series(x):\n"
			     "    for i in range(x): yield i\n"
			     "def outer(x):\n"
			     "    def inner(): return x\n"
			     "    return inner()\n"
			     "async def later(x): return x\n"
			     "class Thing:\n"
			     "    def __init__(self, x): self.x = x\n"
			     "    def __len__(self): return default(3)\n"
			     "    def method(self): return self.x\n"
			     "    value = property(lambda self: self.x)\n"
			     "def ways(x):\n"
			     "    t = Thing(x)\n"
			     "    many(x, 1, 2, key=3, other=4); many(*(x, x), **{'key': x})\n"
			     "    default(y=x, x=x); outer(x); len(t); t.method(); t.value\n"
			     "    list(series(3)); list(map(leaf, (1, 2))); sorted((2, 1), key=default)\n"
			     "    {k: [v for v in (k,)] for k in (1,)}; sum(i for i in (1, 2))\n"
			     "    try: later(x).send(None)\n"
			     "    except StopIteration: pass\n"
			     "    class Local: leaf(x)\n"
			     "    eval('leaf(1)')\n"
			     "os.read(0, 1)\n"
			     "for i in range(800): catches(i)\n"
			     "for i in range(40): ways(i)\n"
			     "os.write(1, b'.')\n"
			     "os.read(0, 1)\n";

static struct bpf_link *attach(struct bpf_program *p, const struct interpreter *in,
			       const struct probe_site *s, pid_t pid)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts);

	return bpf_program__attach_uprobe_opts(p, pid, in->path, s->offset, &opts);
}

/* All that a survey under way holds. */
struct surveying {
	struct survey_bpf *bpf;
	struct launch child;
	struct hold hold;
	size_t n_links;
	struct bpf_link *links[];
};

static struct surveying *surveying_new(size_t max_links)
{
	struct surveying *s = calloc(1, sizeof(*s) + max_links * sizeof(s->links[0]));

	if (!s)
		return NULL;
	s->hold = HOLD_NONE;
	s->child = (struct launch){.go = -1, .in = -1, .out = -1, .failed = -1};
	return s;
}

static void surveying_free(void *arg)
{
	struct surveying *s = arg;

	hold_close(&s->hold);
	for (size_t i = 0; i < s->n_links; i++)
		bpf_link__destroy(s->links[i]);
	survey_bpf__destroy(s->bpf);
	free(s);
}

static int attach_sites(struct surveying *s, const struct interpreter *in,
			const struct probe_sites *sites, struct bpf_program *p)
{
	for (size_t i = 0; i < sites->n; i++) {
		struct bpf_link *link = attach(p, in, &sites->v[i], s->child.pid);

		if (!link)
			return -errno;
		s->links[s->n_links++] = link;
	}
	return 0;
}

static int attach_all(struct surveying *s, const struct interpreter *in, char *text, size_t len)
{
	int err = attach_sites(s, in, &in->entries, s->bpf->progs.survey_entry);

	if (!err)
		err = attach_sites(s, in, &in->returns, s->bpf->progs.survey_return);
	if (err)
		snprintf(text, len, "cannot attach to the probes of %s: %s", in->path,
			 strerror(-err));
	return err;
}

/*
 * A register that was right every time.  A caller's may be so too by the chance of
 * what ran; the one that was right at the other probe as well is the compiler's own
 * for the frame.
 */
static uint8_t choose(uint32_t regs, uint32_t other, uint64_t hits)
{
	if (regs & other)
		regs &= other;
	return hits && regs ? __builtin_ctz(regs) : 0xff;
}

static int child_run(struct surveying *s, const struct interpreter *in, char *text, size_t len)
{
	struct hold_by by = {.in = in, .uses = HOLD_FUNCTIONS};
	int err = hold_open(&by, s->child.pid, false, &s->hold);

	if (err) {
		snprintf(text, len, "cannot switch the probes on: %s", strerror(-err));
		return err;
	}
	err = launch_go(&s->child);
	/* The second byte lets it end. */
	if (!err)
		err = launch_ask(&s->child, "..");
	if (err)
		snprintf(text, len, "a private child of %s does not run: %s", in->target_path,
			 strerror(-err));
	return err;
}

static struct survey_bpf *survey_load(const struct interpreter *in)
{
	const struct cpython_layout *layout = layout_for(in->minor);
	struct survey_bpf *s;

	if (!layout)
		return NULL;
	s = survey_bpf__open();
	if (!s)
		return NULL;
	memcpy((void *)&s->rodata->layout, layout, sizeof(*layout));
	s->rodata->entry_name_reg = probe_site_reg(&in->entries.v[0], 1);
	s->rodata->return_name_reg = probe_site_reg(&in->returns.v[0], 1);
	s->rodata->return_file_reg = probe_site_reg(&in->returns.v[0], 0);
	if (survey_bpf__load(s)) {
		survey_bpf__destroy(s);
		return NULL;
	}
	return s;
}

static int surveying_run(struct surveying *s, const struct interpreter *in, pid_t pid, char *text,
			 size_t len)
{
	char *python = python_path(in, pid);
	int err;

	s->bpf = survey_load(in);
	if (!s->bpf) {
		snprintf(text, len, "cannot load the survey programs: %s", kernel_log_last());
		err = -ENOTSUP;
	} else if (!python) {
		snprintf(text, len, "no python command runs %s, so it cannot be surveyed",
			 in->target_path);
		err = -ENOTSUP;
	} else {
		err = launch_python(python, pid, script, &s->child);
	}
	free(python);
	if (!err)
		err = attach_all(s, in, text, len);
	return err ? err : child_run(s, in, text, len);
}

int survey_run(const struct interpreter *in, pid_t pid, struct survey *ret, char *text, size_t len)
{
	struct surveying *s = surveying_new(in->entries.n + in->returns.n);
	int err = s ? surveying_run(s, in, pid, text, len) : -ENOMEM;

	if (!err)
		*ret = (struct survey){
			.entry_hits = s->bpf->bss->entry_hits,
			.return_hits = s->bpf->bss->return_hits,
			.entry_frame_reg = choose(s->bpf->data->entry_regs,
						  s->bpf->data->return_regs,
						  s->bpf->bss->entry_hits),
			.return_frame_reg = choose(s->bpf->data->return_regs,
						   s->bpf->data->entry_regs,
						   s->bpf->bss->return_hits),
		};
	if (s) {
		launch_end(&s->child);
		behind(surveying_free, s);
	}
	return err;
}
