// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trial load.  Most of what can go wrong (rights, BTF, lockdown, a verifier
 * that counts otherwise) shows here and nowhere else for certain.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "symbolizer/layout.h" /* the skeleton holds one */
#include "exact.skel.h"
#include "userspace/counter.h"
#include "userspace/doctor.h"
#include "userspace/exact.h"
#include "userspace/kernel.h"

/*
 * The verifier sees another program for each family of layouts, and where instructions
 * stand for the probes.  A target's own are loaded too.
 */
static const struct variant {
	int minor;
	bool trapped;
} variants[] = {{9, false}, {10, false}, {15, false}, {8, true}, {11, true}, {13, true}};

/* Any register: what is verified does not depend on which. */
static const struct exact_regs probe_regs = {3, 3, 3, 3, 3, 3};
static const struct exact_regs trap_regs = {
	.trapped = true,
	.entry_frame = 3, .entry_line = PROBE_NO_REG,
	.return_frame = 3, .return_file = PROBE_NO_REG, .return_name = PROBE_NO_REG,
	.return_line = PROBE_NO_REG,
};

static int exact_load(const struct kernel *k, const struct variant *v)
{
	struct exact_bpf *x = NULL;
	int err = exact_open(k, v->minor, v->trapped ? &trap_regs : &probe_regs, &x);

	if (!err)
		err = exact_bpf__load(x);
	exact_bpf__destroy(x);
	return err;
}

void doctor_programs(struct doctor *d)
{
	struct kernel_options options = {.max_nodes = 4096, .max_threads = 16};
	char why[512] = "";
	int err;

	if (!d->counter) {
		checkup_add(&d->checkup, CHECK_NO, "BPF programs", NULL,
			    "not tried, as there is nothing to count");
		return;
	}
	err = kernel_open(&options, d->counter, &d->kernel, why, sizeof(why));
	if (err) {
		d->kernel = NULL;
		checkup_add(&d->checkup, CHECK_NO, "BPF programs",
			    err == -EPERM || err == -EACCES ? "see the capabilities above"
							    : "PYCOST_DEBUG=1 pycost doctor shows "
							      "what the kernel said",
			    "%s", why);
		return;
	}
	for (size_t i = 0; i < sizeof(variants) / sizeof(*variants); i++) {
		err = exact_load(d->kernel, &variants[i]);
		if (!err)
			continue;
		checkup_add(&d->checkup, CHECK_NO, "BPF programs",
			    "PYCOST_DEBUG=1 pycost doctor shows what the kernel said",
			    "those for Python 3.%d %s do not load: %s (%s)", variants[i].minor,
			    variants[i].trapped ? "without function probes" : "with function probes",
			    strerror(-err), kernel_log_last());
		return;
	}
	checkup_add(&d->checkup, CHECK_OK, "BPF programs", NULL,
		    "exact mode's load: for Python 3.9, 3.10 and 3.15 with function probes, and for "
		    "3.8, 3.11 and 3.13 without");
}
