// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * empty_probes PID: attaches programs that do nothing to the function probes of one
 * process, the usual way (for this PID, with the semaphore), or where it has none to
 * the instructions that stand for them, says "ready", and takes
 * them off at the end of its input.
 */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "empty.skel.h"
#include "symbolizer/interpreter.h"

static void attach(struct bpf_program *p, const struct interpreter *in,
		   const struct probe_sites *sites, pid_t pid)
{
	for (size_t i = 0; i < sites->n; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .ref_ctr_offset = sites->v[i].semaphore);

		if (!bpf_program__attach_uprobe_opts(p, pid, in->path, sites->v[i].offset, &opts)) {
			perror("empty_probes: attach");
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	struct empty_bpf *empty = empty_bpf__open_and_load();
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	struct interpreter in;

	if (!empty || !pid || interpreter_find(pid, &in) || in.probes == PROBES_ABSENT) {
		fprintf(stderr, "usage: empty_probes PID-OF-A-PYTHON\n");
		return 1;
	}
	attach(empty->progs.on_entry, &in, &in.entries, pid);
	attach(empty->progs.on_return, &in, &in.returns, pid);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
