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
#include "userspace/build.h"
#include "userspace/hold.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"

#define SURVEY_CALLS 4000

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

static int reg_of(const struct probe_site *s, unsigned arg)
{
	if (arg >= s->n_args || s->args[arg].kind != USDT_ARG_REG)
		return 0xff;
	return s->args[arg].reg;
}

static struct bpf_link *attach(struct bpf_program *p, const struct interpreter *in,
			       const struct probe_site *s, pid_t pid)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts);

	return bpf_program__attach_uprobe_opts(p, pid, in->path, s->offset, &opts);
}

static int attach_all(struct survey_bpf *s, const struct interpreter *in, pid_t pid,
		      struct bpf_link **links)
{
	size_t n = 0;

	for (size_t i = 0; i < in->entries.n; i++)
		if (!(links[n++] = attach(s->progs.survey_entry, in, &in->entries.v[i], pid)))
			return -errno;
	for (size_t i = 0; i < in->returns.n; i++)
		if (!(links[n++] = attach(s->progs.survey_return, in, &in->returns.v[i], pid)))
			return -errno;
	return 0;
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

static int child_run(const struct interpreter *in, struct launch *l, struct hold *hold, char *text,
		     size_t len)
{
	char word;
	int err = hold_open(in, l->pid, hold);

	if (err) {
		snprintf(text, len, "cannot switch the probes on: %s", strerror(-err));
		return err;
	}
	err = launch_go(l);
	if (!err && (write(l->in, "..", 2) != 2 || read(l->out, &word, 1) != 1))
		err = -ECHILD;
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
	s->rodata->entry_name_reg = reg_of(&in->entries.v[0], 1);
	s->rodata->return_name_reg = reg_of(&in->returns.v[0], 1);
	s->rodata->return_file_reg = reg_of(&in->returns.v[0], 0);
	if (survey_bpf__load(s)) {
		survey_bpf__destroy(s);
		return NULL;
	}
	return s;
}

int survey_run(const struct interpreter *in, pid_t pid, struct survey *ret, char *text, size_t len)
{
	size_t n = in->entries.n + in->returns.n;
	struct bpf_link **links = calloc(n, sizeof(*links));
	struct survey_bpf *s = survey_load(in);
	struct launch l = {.go = -1, .in = -1, .out = -1, .failed = -1};
	struct hold hold = HOLD_NONE;
	char *python = build_python(in, pid);
	int err = -ENOMEM;

	if (!s)
		snprintf(text, len, "cannot load the survey programs: %s", kernel_log_last());
	else if (!python)
		snprintf(text, len, "no python command runs %s, so it cannot be surveyed",
			 in->target_path);
	if (!links || !s || !python)
		goto out;
	err = launch_python(python, pid, script, &l);
	if (err)
		goto out;
	err = attach_all(s, in, l.pid, links);
	if (err) {
		snprintf(text, len, "cannot attach to the probes of %s: %s", in->path,
			 strerror(-err));
		goto out;
	}
	err = child_run(in, &l, &hold, text, len);
	if (err)
		goto out;
	*ret = (struct survey){
		.entry_hits = s->bss->entry_hits,
		.return_hits = s->bss->return_hits,
		.entry_frame_reg = choose(s->data->entry_regs, s->data->return_regs,
					  s->bss->entry_hits),
		.return_frame_reg = choose(s->data->return_regs, s->data->entry_regs,
					   s->bss->return_hits),
	};
out:
	hold_close(&hold);
	launch_end(&l);
	for (size_t i = 0; links && i < n; i++)
		bpf_link__destroy(links[i]);
	free(links);
	free(python);
	survey_bpf__destroy(s);
	return err;
}
