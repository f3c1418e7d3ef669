// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/build.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolizer/layout.h" /* the skeleton holds one */
#include "exact.skel.h"
#include "userspace/exact.h"
#include "userspace/hold.h"
#include "userspace/interpreter_pin.h"
#include "userspace/kernel.h"
#include "userspace/phases.h"
#include "userspace/proof.h"
#include "userspace/proof_cache.h"
#include "userspace/survey.h"
#include "userspace/traps.h"

/* Sites that differ in their frame's register have programs of their own. */
#define VARIANTS 4

struct build {
	struct interpreter in;
	struct exact_bpf *exact[VARIANTS];
	size_t n_exact;
	struct bpf_link **links;
	size_t n_links;
	struct traps *traps; /* in place of its probes, or to switch these on; or NULL */
	struct hold_by hold;
	int file; /* the interpreter's, kept open */
};

static int survey_judge(const struct interpreter *in, const struct survey *s, char *text, size_t len)
{
	if (s->entry_hits < SURVEY_CALLS || s->return_hits < SURVEY_CALLS) {
		snprintf(text, len,
			 "the function probes of Python %d.%d in %s are present but dead: %llu "
			 "entries and %llu returns in over %d calls",
			 in->major, in->minor, in->target_path, (unsigned long long)s->entry_hits,
			 (unsigned long long)s->return_hits, SURVEY_CALLS);
		return -ENOTSUP;
	}
	if (s->entry_frame_reg == PROBE_NO_REG || s->return_frame_reg == PROBE_NO_REG) {
		snprintf(text, len, "no register holds the frame at the probes of %s",
			 in->target_path);
		return -ENOTSUP;
	}
	return 0;
}

static int variant_load(struct build *b, const struct kernel *k, const struct exact_regs *regs,
			char *text, size_t len)
{
	struct exact_bpf *x;
	int err = exact_open(k, b->in.minor, regs, &x);

	if (err)
		return err;
	b->exact[b->n_exact++] = x;
	err = exact_bpf__load(x);
	if (err)
		snprintf(text, len, "the kernel refused the exact mode's programs: %s (%s)",
			 strerror(-err), kernel_log_last());
	return err;
}

/* The different registers among the sites; their number. */
static size_t regs_of(const struct probe_sites *sites, uint8_t ret[VARIANTS])
{
	size_t n = 0;

	for (size_t i = 0; i < sites->n; i++) {
		size_t k = 0;

		while (k < n && ret[k] != sites->v[i].frame_reg)
			k++;
		if (k == n && n++ < VARIANTS)
			ret[k] = sites->v[i].frame_reg;
	}
	return n;
}

static int link_one(struct build *b, struct bpf_program *p, uint64_t offset)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(p, -1, b->in.path, offset, &opts);

	if (!link)
		return -errno;
	b->links[b->n_links++] = link;
	return 0;
}

/* The sites whose frame is in this register: the noted everywhere, others as traps. */
static int sites_attach(struct build *b, const struct probe_sites *sites, int reg, bool returns,
			struct bpf_program *p)
{
	int err = 0;

	for (size_t i = 0; i < sites->n && !err; i++) {
		if (reg >= 0 && sites->v[i].frame_reg != reg)
			continue;
		if (sites->v[i].kind == SITE_NOTE)
			err = link_one(b, p, sites->v[i].offset);
		else
			err = traps_add(b->traps, sites->v[i].offset, returns, bpf_program__fd(p));
	}
	return err;
}

static int probes_load(struct build *b, const struct kernel *k, const struct survey *survey,
		       char *text, size_t len)
{
	const struct probe_site *entry = &b->in.entries.v[0], *returns = &b->in.returns.v[0];
	struct exact_regs regs = {
		.entry_frame = survey->entry_frame_reg,
		.entry_line = probe_site_reg(entry, 2),
		.return_frame = survey->return_frame_reg,
		.return_file = probe_site_reg(returns, 0),
		.return_name = probe_site_reg(returns, 1),
		.return_line = probe_site_reg(returns, 2),
	};
	int err = variant_load(b, k, &regs, text, len);

	if (!err)
		err = sites_attach(b, &b->in.returns, -1, true, b->exact[0]->progs.on_return);
	if (!err)
		err = sites_attach(b, &b->in.entries, -1, false, b->exact[0]->progs.on_entry);
	return err;
}

/* Programs of each register there is, at the sites that have it. */
static int traps_load(struct build *b, const struct kernel *k, char *text, size_t len)
{
	uint8_t entries[VARIANTS], returns[VARIANTS];
	size_t n_entries = regs_of(&b->in.entries, entries);
	size_t n_returns = regs_of(&b->in.returns, returns);
	int err = n_entries > VARIANTS || n_returns > VARIANTS ? -E2BIG : traps_new(&b->in, TRAPS_BY_EVENTS, &b->traps);

	for (size_t i = 0; !err && (i < n_entries || i < n_returns); i++) {
		struct exact_regs regs = {
			.trapped = true,
			.entry_frame = entries[i < n_entries ? i : 0],
			.entry_line = PROBE_NO_REG,
			.return_frame = returns[i < n_returns ? i : 0],
			.return_file = PROBE_NO_REG,
			.return_name = PROBE_NO_REG,
			.return_line = PROBE_NO_REG,
		};

		err = variant_load(b, k, &regs, text, len);
	}
	for (size_t i = 0; !err && i < n_returns; i++)
		err = sites_attach(b, &b->in.returns, returns[i], true,
				   b->exact[i]->progs.on_return);
	for (size_t i = 0; !err && i < n_entries; i++)
		err = sites_attach(b, &b->in.entries, entries[i], false,
				   b->exact[i]->progs.on_entry);
	return err;
}

static void attach_explain(const struct build *b, int err, char *text, size_t len)
{
	bool trapped = b->in.probes == PROBES_SITES;

	if (err == -EINVAL && !trapped)
		snprintf(text, len, "another tracer holds the function probes of %s: stop it first; "
				    "or one that was killed has left the kernel's own behind there, "
				    "up to the next boot", b->in.target_path);
	else if (trapped && (err == -EPERM || err == -EACCES))
		snprintf(text, len, "no right to define uprobe events in the kernel's tracefs, "
				    "which this Python needs: it has no USDT probes");
	else if (trapped && err == -ENOTSUP)
		snprintf(text, len, "this kernel has no tracefs with uprobe events "
				    "(CONFIG_UPROBE_EVENTS), which this Python needs: it has no USDT "
				    "probes");
	else
		snprintf(text, len, "cannot attach to %s: %s", b->in.target_path, strerror(-err));
}

static int sites_copy(const struct probe_sites *from, struct probe_sites *ret)
{
	ret->n = from->n;
	ret->v = calloc(from->n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	memcpy(ret->v, from->v, from->n * sizeof(*ret->v));
	return 0;
}

/* Tried once on this machine, as long as nothing about them changes. */
static int sites_try(struct interpreter *in, pid_t pid, char *text, size_t len)
{
	struct probe_sites entries, returns;
	struct proof_calls calls;
	int err;

	if (!proof_cache_get(in))
		return 0;
	err = sites_copy(&in->entries, &entries);
	if (err)
		return err;
	err = sites_copy(&in->returns, &returns);
	if (!err) {
		err = proof_run(in, pid, &calls, text, len);
		if (!err)
			proof_cache_put(in, &entries, &returns);
		free(returns.v);
	}
	free(entries.v);
	return err;
}

/* Whether its probes, or what stands for them, are what they should be. */
static int build_try(struct interpreter *in, pid_t pid, struct survey *ret, char *text, size_t len)
{
	int err;

	if (in->probes == PROBES_SITES)
		return sites_try(in, pid, text, len);
	err = survey_run(in, pid, ret, text, len);
	return err ? err : survey_judge(in, ret, text, len);
}

int build_open(struct kernel *k, struct interpreter *in, pid_t pid, struct build **ret, char *text,
	       size_t len)
{
	struct build *b = calloc(1, sizeof(*b));
	struct survey survey;
	int err;

	if (!b)
		return -ENOMEM;
	*text = 0;
	err = build_try(in, pid, &survey, text, len);
	if (err) {
		free(b);
		return err;
	}
	b->in = *in;
	*in = (struct interpreter){0};
	b->links = calloc(b->in.entries.n + b->in.returns.n, sizeof(*b->links));
	b->file = interpreter_pin(&b->in);
	if (!b->links || b->file < 0)
		err = b->links ? b->file : -ENOMEM;
	else if (b->in.probes == PROBES_SITES)
		err = traps_load(b, k, text, len);
	else
		err = probes_load(b, k, &survey, text, len);
	if (err) {
		if (!*text)
			attach_explain(b, err, text, len);
		build_close(b);
		return err;
	}
	/* Where they cannot be inherited, children are held when we hear of them. */
	if (b->in.probes != PROBES_SITES && pid)
		semaphores_trap(&b->in, HOLD_FUNCTIONS, pid, TRAPS_BY_EVENTS, &b->traps);
	b->hold = (struct hold_by){.in = &b->in, .uses = HOLD_FUNCTIONS, .traps = b->traps};
	*ret = b;
	return 0;
}

void build_close(struct build *b)
{
	if (!b)
		return;
	for (size_t i = b->n_links; i-- > 0;)
		bpf_link__destroy(b->links[i]);
	free(b->links);
	traps_free(b->traps);
	for (size_t i = 0; i < b->n_exact; i++)
		exact_bpf__destroy(b->exact[i]);
	interpreter_clear(&b->in);
	if (b->file >= 0)
		close(b->file);
	free(b);
}

const struct interpreter *build_interpreter(const struct build *b)
{
	return &b->in;
}

const struct hold_by *build_hold(const struct build *b)
{
	return &b->hold;
}

uint64_t build_missed(const struct build *b)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < b->n_exact; i++)
		missed += kernel_program_missed(bpf_program__fd(b->exact[i]->progs.on_entry)) +
			  kernel_program_missed(bpf_program__fd(b->exact[i]->progs.on_return));
	return missed;
}

double build_cost(const struct build *b)
{
	double cost = 0;

	for (size_t i = 0; i < b->n_exact; i++)
		cost += phases_cost_of(b->exact[i]->progs.on_entry) +
			phases_cost_of(b->exact[i]->progs.on_return);
	return cost;
}

bool build_is(const struct build *b, const struct interpreter *in)
{
	return b->in.dev == in->dev && b->in.inode == in->inode;
}
