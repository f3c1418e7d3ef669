/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "process;outer;inner self" lines, as flamegraph.pl and its kin take them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "userspace/export.h"

/* A ';' in a name would split the frame in two. */
static void put_frame(FILE *out, const char *name)
{
	for (; *name; name++)
		fputc(*name == ';' ? ':' : *name, out);
}

static void put_node(const struct report *r, uint32_t node, FILE *out)
{
	const struct profile_node *n = &r->profile->nodes[node];
	const struct sink_process *process = &r->profile->processes[n->process];

	if (!n->parent) {
		put_frame(out, process->comm);
		fprintf(out, " (%" PRIu32 ")", process->pid);
		if (n->tid)
			fprintf(out, ";thread %" PRIu32, n->tid);
		if (!n->function)
			return;
		fputc(';', out);
	}
	put_frame(out, report_row(r, node)->name);
}

/* The path grows and shrinks with the walk, so a line costs only its own length. */
static int fold(const struct report *r, const uint64_t *self, FILE *out)
{
	size_t nodes = r->profile->node_count;
	long *ends = calloc(nodes + 1, sizeof(*ends));
	struct call_walk walk = { &r->tree, r->profile->nodes };
	char *path = NULL;
	size_t size;
	FILE *stack = ends ? open_memstream(&path, &size) : NULL;
	int err = stack ? 0 : -ENOMEM;

	while (!err && call_walk_next(&walk)) {
		if (walk.leaving)
			continue;
		fseek(stack, ends[walk.depth - 1], SEEK_SET);
		if (walk.depth > 1)
			fputc(';', stack);
		put_node(r, walk.node, stack);
		ends[walk.depth] = ftell(stack);
		if (fflush(stack) == EOF)
			err = -ENOMEM;
		else if (self[walk.node])
			fprintf(out, "%.*s %" PRIu64 "\n", (int)ends[walk.depth], path,
				self[walk.node]);
	}
	if (stack)
		fclose(stack);
	free(path);
	free(ends);
	return err;
}

int export_folded(const struct report *r, FILE *out)
{
	return fold(r, r->costs.self, out);
}

int export_folded_kernel(const struct report *r, FILE *out)
{
	return fold(r, r->kernel.self, out);
}
