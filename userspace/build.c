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
#include "userspace/kernel.h"
#include "userspace/survey.h"

struct build {
	struct interpreter in;
	struct survey survey;
	struct exact_bpf *exact;
	struct bpf_link **links;
	size_t n_links;
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

static int build_load(struct build *b, const struct kernel *k, char *text, size_t len)
{
	const struct probe_site *entry = &b->in.entries.v[0], *returns = &b->in.returns.v[0];
	struct exact_regs regs = {
		.entry_frame = b->survey.entry_frame_reg,
		.entry_line = probe_site_reg(entry, 2),
		.return_frame = b->survey.return_frame_reg,
		.return_file = probe_site_reg(returns, 0),
		.return_name = probe_site_reg(returns, 1),
		.return_line = probe_site_reg(returns, 2),
	};
	int err = exact_open(k, b->in.minor, &regs, &b->exact);

	if (err)
		return err;
	err = exact_bpf__load(b->exact);
	if (err)
		snprintf(text, len, "the kernel refused the exact mode's programs: %s (%s)",
			 strerror(-err), kernel_log_last());
	return err;
}

static int sites_attach(struct build *b, const struct probe_sites *sites, struct bpf_program *p)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts);

	for (size_t i = 0; i < sites->n; i++) {
		struct bpf_link *link = bpf_program__attach_uprobe_opts(
			p, -1, b->in.path, sites->v[i].offset, &opts);

		if (!link)
			return -errno;
		b->links[b->n_links++] = link;
	}
	return 0;
}

static int build_attach(struct build *b, char *text, size_t len)
{
	int err;

	b->links = calloc(b->in.entries.n + b->in.returns.n, sizeof(*b->links));
	if (!b->links)
		return -ENOMEM;
	err = sites_attach(b, &b->in.returns, b->exact->progs.on_return);
	if (!err)
		err = sites_attach(b, &b->in.entries, b->exact->progs.on_entry);
	if (err == -EINVAL)
		snprintf(text, len, "another tracer holds the function probes of %s: stop it first",
			 b->in.target_path);
	else if (err)
		snprintf(text, len, "cannot attach to %s: %s", b->in.path, strerror(-err));
	return err;
}

int build_open(struct kernel *k, struct interpreter *in, pid_t pid, struct build **ret, char *text,
	       size_t len)
{
	struct build *b;
	int err;

	*text = 0;
	if (in->probes == PROBES_SITES) {
		snprintf(text, len, "this build has no live function probes; "
				    "3.9, 3.10 or 3.15 would do");
		return -ENOTSUP;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	err = survey_run(in, pid, &b->survey, text, len);
	if (!err)
		err = survey_judge(in, &b->survey, text, len);
	if (err) {
		free(b);
		return err;
	}
	b->in = *in;
	*in = (struct interpreter){0};
	err = build_load(b, k, text, len);
	if (!err)
		err = build_attach(b, text, len);
	if (err) {
		if (!*text)
			snprintf(text, len, "%s: %s", b->in.target_path, strerror(-err));
		build_close(b);
		return err;
	}
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
	exact_bpf__destroy(b->exact);
	interpreter_clear(&b->in);
	free(b);
}

const struct interpreter *build_interpreter(const struct build *b)
{
	return &b->in;
}

const struct survey *build_survey(const struct build *b)
{
	return &b->survey;
}

uint64_t build_missed(const struct build *b)
{
	return kernel_program_missed(bpf_program__fd(b->exact->progs.on_entry)) +
	       kernel_program_missed(bpf_program__fd(b->exact->progs.on_return));
}

bool build_is(const struct build *b, const struct interpreter *in)
{
	return b->in.dev == in->dev && b->in.inode == in->inode;
}
