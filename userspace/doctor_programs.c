// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trial load.  Most of what can go wrong (rights, BTF, lockdown, a verifier
 * that counts otherwise) shows here and nowhere else for certain.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "symbolizer/layout.h" /* the skeleton holds one */
#include "exact.skel.h"
#include "userspace/counter.h"
#include "userspace/doctor.h"
#include "userspace/exact.h"
#include "userspace/kernel.h"

/* The verifier sees another program for each family of layouts. */
static const int minors[] = {9, 10, 15};

/* Any register: what is verified does not depend on which. */
static const struct exact_regs some_regs = {3, 3, 3, 3, 3, 3};

static int exact_load(const struct kernel *k, int minor)
{
	struct exact_bpf *x = NULL;
	int err = exact_open(k, minor, &some_regs, &x);

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
	for (size_t i = 0; i < sizeof(minors) / sizeof(*minors); i++) {
		err = exact_load(d->kernel, minors[i]);
		if (!err)
			continue;
		checkup_add(&d->checkup, CHECK_NO, "BPF programs",
			    "PYCOST_DEBUG=1 pycost doctor shows what the kernel said",
			    "those for Python 3.%d do not load: %s (%s)", minors[i],
			    strerror(-err), kernel_log_last());
		return;
	}
	checkup_add(&d->checkup, CHECK_OK, "BPF programs", NULL,
		    "those for Python 3.9, 3.10 and 3.15 load and link");
}
