// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/exact.h"

#include <errno.h>
#include <string.h>

#include "symbolizer/layout.h" /* the skeleton holds one */
#include "exact.skel.h"
#include "userspace/kernel.h"

static void constants_set(struct exact_bpf *x, const struct kernel *k,
			  const struct cpython_layout *layout, const struct exact_regs *regs)
{
	x->rodata->task_clock = k->task_clock;
	x->rodata->per_thread = k->options.per_thread;
	x->rodata->by_request = k->options.by_request;
	x->rodata->whole_requests = k->options.whole_requests;
	x->rodata->kernel_mode = k->kernel_selfs != NULL;
	x->rodata->max_nodes = k->options.max_nodes;
	memcpy((void *)&x->rodata->layout, layout, sizeof(*layout));
	x->rodata->trapped = regs->trapped;
	x->rodata->entry_frame_reg = regs->entry_frame;
	x->rodata->entry_line_reg = regs->entry_line;
	x->rodata->return_frame_reg = regs->return_frame;
	x->rodata->return_file_reg = regs->return_file;
	x->rodata->return_name_reg = regs->return_name;
	x->rodata->return_line_reg = regs->return_line;
}

int exact_open(const struct kernel *k, int minor, const struct exact_regs *regs,
	       struct exact_bpf **ret)
{
	const struct cpython_layout *layout = layout_for(minor);
	struct exact_bpf *x = exact_bpf__open();
	int err = x && layout ? kernel_share(k, x->obj) : -ENOMEM;

	if (err) {
		exact_bpf__destroy(x);
		return err;
	}
	constants_set(x, k, layout, regs);
	*ret = x;
	return 0;
}
