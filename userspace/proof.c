// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/proof.h"

#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/wire.h"
#include "symbolizer/layout.h" /* the skeleton holds one */
#include "proof.skel.h"
#include "symbolizer/interpreter.h"
#include "userspace/behind.h"
#include "userspace/hold.h"
#include "userspace/kernel.h"
#include "userspace/launch.h"
#include "userspace/python_path.h"

#define ROUNDS 50
#define ROUNDS_THROWN 10
#define ROUNDS_INSTRUMENTED 5

/*
 * Every way into a function and out of it.  slice is a profile function that runs
 * no Python code.
 */
static const char script[] =
	"import os, sys\n"
	"def pycost_00(x): return x\n"
	"def pycost_01(x): return pycost_00(x) + len([pycost_00(x)])\n"
	"def pycost_02(x):\n"
	"    try: pycost_03(x)\n"
	"    except ValueError: return pycost_01(x)\n"
	"def pycost_03(x): raise ValueError\n"
	"def pycost_04(n):\n"
	"    for i in range(n): yield pycost_00(i)\n"
	"def pycost_05(n): yield from pycost_04(n)\n"
	"class pycost_06:\n"
	"    def __init__(self, x): self.x = x\n"
	"    def pycost_07(self): return self.x\n"
	"    pycost_08 = property(lambda self: self.x)\n"
	"async def pycost_09(x): return x\n"
	"async def pycost_10(x): return await pycost_09(x)\n"
	"def pycost_11(n): return n and pycost_11(n - 1)\n"
	"def pycost_12(a, b, *c, d=1, **e): return c\n"
	"def pycost_13(x):\n"
	"    def pycost_14(): return x\n"
	"    return pycost_14()\n"
	"def pycost_15(x):\n"
	"    [pycost_00(v) for v in (x, x)]; {v for v in (x,)}; {v: v for v in (x,)}\n"
	"    return sum(pycost_00(v) for v in (x, x))\n"
	"def pycost_16():\n"
	"    try: yield 1\n"
	"    except ValueError: yield 2\n"
	"def pycost_17(x):\n"
	"    class pycost_18: y = pycost_00(x)\n"
	"    return pycost_18\n"
	"def pycost_19(x):\n"
	"    pycost_02(x); list(pycost_04(3)); list(pycost_05(2))\n"
	"    o = pycost_06(x); o.pycost_07(); o.pycost_08\n"
	"    try: pycost_10(x).send(None)\n"
	"    except StopIteration: pass\n"
	"    pycost_11(30); pycost_12(1, 2, 3, d=4, f=5); pycost_12(*(x, x), **{})\n"
	"    pycost_13(x); pycost_15(x); pycost_17(x); sorted((2, 1), key=pycost_00)\n"
	"    eval('pycost_00(1)', globals())\n"
	"def pycost_20():\n"
	"    g = pycost_16(); next(g); g.throw(ValueError); g.close()\n"
	"os.write(1, b'.')\n"
	"os.read(0, 1)\n"
	"for i in range(%d): pycost_19(i)\n"
	"os.write(1, b'.')\n"
	"os.read(0, 1)\n"
	"for i in range(%d): pycost_20()\n"
	"os.write(1, b'.')\n"
	"os.read(0, 1)\n"
	"sys.setprofile(slice)\n"
	"for i in range(%d): pycost_19(i)\n"
	"sys.setprofile(None)\n"
	"os.write(1, b'.')\n"
	"os.read(0, 1)\n";

/* How often a round of pycost_19() and one of pycost_20() enter each. */
struct expected {
	const char *name;
	unsigned plain, thrown;
	int last_minor; /* 0: every minor has it */
};
static const struct expected expected[PROOF_NAMES] = {
	{"pycost_00", 15}, {"pycost_01", 1}, {"pycost_02", 1}, {"pycost_03", 1},
	{"pycost_04", 7}, {"pycost_05", 3}, {"__init__", 1}, {"pycost_07", 1},
	{"<lambda>", 1}, {"pycost_09", 1}, {"pycost_10", 1}, {"pycost_11", 31},
	{"pycost_12", 2}, {"pycost_13", 1}, {"pycost_14", 1}, {"pycost_15", 1},
	{"pycost_16", 0, 3}, {"pycost_17", 1}, {"pycost_18", 1}, {"pycost_19", 1},
	{"pycost_20", 0, 1}, {"<genexpr>", 3}, {"<module>", 1},
	/* Inlined from 3.12 on: PEP 709. */
	{"<listcomp>", 1, 0, 11}, {"<setcomp>", 1, 0, 11}, {"<dictcomp>", 1, 0, 11},
};
/* One of its three entries is a call, two are throws. */
#define THROWN_INTO 16

/* All that a proof under way holds. */
struct proving {
	struct proof_bpf *bpf;
	struct launch child;
	struct hold hold;
	size_t n_links;
	struct bpf_link *links[PROOF_SITES];
};

static void proving_free(void *arg)
{
	struct proving *p = arg;

	hold_close(&p->hold);
	for (size_t i = 0; i < p->n_links; i++)
		bpf_link__destroy(p->links[i]);
	proof_bpf__destroy(p->bpf);
	free(p);
}

/* The n-th of all sites: entries, then returns. */
static struct probe_site *site_at(const struct interpreter *in, size_t i)
{
	return i < in->entries.n ? &in->entries.v[i] : &in->returns.v[i - in->entries.n];
}

static int proof_load(struct proving *p, const struct interpreter *in, char *text, size_t len)
{
	const struct cpython_layout *layout = layout_for(in->minor);
	size_t n = in->entries.n + in->returns.n;
	int err;

	if (!layout || n > PROOF_SITES) {
		snprintf(text, len, "%s",
			 layout ? "more sites than can be tried" : "its layout is not known");
		return -ENOTSUP;
	}
	p->bpf = proof_bpf__open();
	if (!p->bpf)
		return -ENOMEM;
	memcpy((void *)&p->bpf->rodata->layout, layout, sizeof(*layout));
	p->bpf->rodata->n_sites = n;
	p->bpf->rodata->ip_reg = in->machine == EM_X86_64 ? USDT_X86_RIP : USDT_ARM64_PC;
	for (size_t i = 0; i < n; i++) {
		p->bpf->rodata->site_pages[i] = site_at(in, i)->offset & 0xfff;
	}
	for (size_t i = 0; i < PROOF_NAMES && expected[i].name; i++)
		memcpy((void *)&p->bpf->rodata->names[i], expected[i].name,
		       strlen(expected[i].name));
	err = proof_bpf__load(p->bpf);
	if (err)
		snprintf(text, len, "cannot load the programs that try it: %s", kernel_log_last());
	return err;
}

static int proof_attach(struct proving *p, const struct interpreter *in, char *text, size_t len)
{
	for (size_t i = 0; i < in->entries.n + in->returns.n; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts);
		struct bpf_program *program = i < in->entries.n ? p->bpf->progs.proof_entry
								: p->bpf->progs.proof_return;
		struct bpf_link *link = bpf_program__attach_uprobe_opts(
			program, p->child.pid, in->path, site_at(in, i)->offset, &opts);

		if (!link) {
			snprintf(text, len, "cannot attach to %s: %s", in->path, strerror(errno));
			return -errno;
		}
		p->links[p->n_links++] = link;
	}
	return 0;
}

static int child_start(struct proving *p, const struct interpreter *in, pid_t pid, char *text,
		       size_t len)
{
	char *python = python_path(in, pid), words[sizeof(script) + 32];
	int err;

	if (!python) {
		snprintf(text, len, "no python command runs %s, so it cannot be tried",
			 in->target_path);
		return -ENOTSUP;
	}
	snprintf(words, sizeof(words), script, ROUNDS, ROUNDS_THROWN, ROUNDS_INSTRUMENTED);
	err = launch_python(python, pid, words, &p->child);
	free(python);
	return err;
}

/* Where none was known, one that always held the frame. */
static void regs_settle(struct proof *p)
{
	for (size_t i = 0; i < PROOF_SITES; i++)
		if (p->frame_regs[i] == PROBE_NO_REG && p->hits[i] && p->regs[i])
			p->frame_regs[i] = __builtin_ctz(p->regs[i]);
}

static int child_run(struct proving *p)
{
	volatile __u32 *phase = &p->bpf->bss->proof.phase;
	int err = launch_go(&p->child);

	if (!err)
		err = launch_ask(&p->child, "");
	for (unsigned i = PROOF_PLAIN; !err && i < PROOF_PHASES; i++) {
		*phase = i;
		err = launch_ask(&p->child, ".");
		if (i == PROOF_PLAIN)
			regs_settle(&p->bpf->bss->proof);
	}
	*phase = PROOF_OFF;
	return err;
}

static int proving_run(struct proving *p, const struct interpreter *in, pid_t pid, char *text,
		       size_t len)
{
	struct hold_by by = {.in = in, .uses = HOLD_FUNCTIONS};
	int err = proof_load(p, in, text, len);

	if (err)
		return err;
	memset(p->bpf->bss->proof.regs, 0xff, sizeof(p->bpf->bss->proof.regs));
	for (size_t i = 0; i < in->entries.n + in->returns.n; i++)
		p->bpf->bss->proof.frame_regs[i] = site_at(in, i)->frame_reg;
	err = child_start(p, in, pid, text, len);
	if (!err)
		err = proof_attach(p, in, text, len);
	if (!err)
		err = hold_open(&by, p->child.pid, false, &p->hold);
	if (!err)
		err = child_run(p);
	if (err && !*text)
		snprintf(text, len, "a private child of %s does not run: %s", in->target_path,
			 strerror(-err));
	return err;
}

static unsigned rounds_of(unsigned phase)
{
	return phase == PROOF_PLAIN  ? ROUNDS
	     : phase == PROOF_THROWN ? ROUNDS_THROWN
				     : ROUNDS_INSTRUMENTED;
}

/* Whether a name's counts in a phase are what they must be. */
static bool counts_right(const struct interpreter *in, const struct proof *p, unsigned phase,
			 unsigned name, uint64_t *ret_expected)
{
	const struct expected *e = &expected[name];
	uint64_t n = phase == PROOF_THROWN ? e->thrown : e->plain, entries;

	n *= e->last_minor && in->minor > e->last_minor ? 0 : rounds_of(phase);
	*ret_expected = n;
	entries = p->entries[phase][name];
	/* From 3.11 on a throw does not pass the place where others enter. */
	if (name == THROWN_INTO && in->minor >= 11 && phase == PROOF_THROWN && 3 * entries == n)
		entries = n;
	return entries == n && p->returns[phase][name] == n;
}

static int proof_judge(const struct interpreter *in, const struct proof *p,
		       struct proof_calls *ret, char *text, size_t len)
{
	static const char *const when[] = {"", "", " that were thrown into", " under a profiler"};
	uint64_t n, total = 0;

	for (unsigned phase = PROOF_PLAIN; phase < PROOF_PHASES; phase++) {
		for (unsigned i = 0; i <= PROOF_NAMES; i++) {
			bool known = i < PROOF_NAMES && expected[i].name;

			n = 0;
			if (known ? counts_right(in, p, phase, i, &n)
				  : !p->entries[phase][i] && !p->returns[phase][i]) {
				total += n;
				continue;
			}
			snprintf(text, len,
				 "the places that stand for its function probes do not tell its "
				 "calls: of %llu calls of %s%s, %llu entries and %llu returns were seen",
				 (unsigned long long)n,
				 known ? expected[i].name : "unknown functions", when[phase],
				 (unsigned long long)p->entries[phase][i],
				 (unsigned long long)p->returns[phase][i]);
			return -ENOTSUP;
		}
	}
	ret->calls = total;
	return 0;
}

/* Keeps those that were hit; *first is the number of the first. */
static void sites_settle(struct probe_sites *sites, const struct proof *p, size_t first)
{
	size_t n = 0;

	for (size_t i = 0; i < sites->n; i++) {
		if (!p->hits[first + i])
			continue;
		sites->v[n] = sites->v[i];
		sites->v[n++].frame_reg = p->frame_regs[first + i];
	}
	sites->n = n;
}

int proof_run(struct interpreter *in, pid_t pid, struct proof_calls *ret, char *text, size_t len)
{
	struct proving *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	*text = 0;
	p->hold = HOLD_NONE;
	p->child = (struct launch){.go = -1, .in = -1, .out = -1, .failed = -1};
	err = proving_run(p, in, pid, text, len);
	if (!err)
		err = proof_judge(in, &p->bpf->bss->proof, ret, text, len);
	if (!err) {
		size_t entries = in->entries.n;

		sites_settle(&in->entries, &p->bpf->bss->proof, 0);
		sites_settle(&in->returns, &p->bpf->bss->proof, entries);
	}
	launch_end(&p->child);
	behind(proving_free, p);
	return err;
}
