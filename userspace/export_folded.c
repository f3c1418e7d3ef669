/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "process;outer;inner self" lines, as flamegraph.pl and its kin take them.  What was done
 * for requests is below their endpoint: "GET /shop;process;outer;inner self".  With
 * natives, "[object] function" frames are below the Python function they worked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/estimate.h"
#include "userspace/export.h"
#include "userspace/leaves.h"
#include "userspace/request_field.h"

/* Native callers shown: as many as the kernel's stacks have. */
#define NATIVE_DEPTH 127

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
		if (n->endpoint) {
			char endpoint[REQUEST_FIELD_SIZE];

			endpoint_text(r->profile, n->endpoint, endpoint);
			put_frame(out, endpoint);
			fputc(';', out);
		}
		put_frame(out, process->comm);
		if (!r->profile->meta.many)
			fprintf(out, " (%" PRIu32 ")", process->pid);
		if (n->tid)
			fprintf(out, ";thread %" PRIu32, n->tid);
		if (!n->function)
			return;
		fputc(';', out);
	}
	put_frame(out, report_row(r, node)->name);
}

/* Prints what a path cost itself, as one line or several. */
struct fold {
	const struct report *r;
	const uint64_t *self;	      /* by node; NULL: by leaf */
	const struct leaf *leaves;    /* of all nodes, by node */
	size_t leaf_count, leaf_next;
	FILE *out;
};

/* "[libz.so.1] deflate" */
static void put_native(FILE *out, const struct sink_native *n)
{
	const char *slash = strrchr(n->object, '/'), *object = slash ? slash + 1 : n->object;
	bool bracketed = *object == '[';

	fputs(bracketed ? ";" : ";[", out);
	put_frame(out, *object ? object : "unknown");
	fputs(bracketed ? "" : "]", out);
	if (*n->symbol) {
		fputc(' ', out);
		put_frame(out, n->symbol);
	}
}

static void put_natives(FILE *out, const struct profile *p, uint32_t native)
{
	uint32_t chain[NATIVE_DEPTH];
	int depth = 0;

	for (; native && depth < NATIVE_DEPTH; native = p->natives[native].parent)
		chain[depth++] = native;
	while (depth--)
		put_native(out, &p->natives[chain[depth]]);
}

static void put_path(struct fold *f, uint32_t node, const char *path, int size)
{
	const struct profile *p = f->r->profile;

	if (f->self && f->self[node])
		fprintf(f->out, "%.*s %" PRIu64 "\n", size, path, f->self[node]);
	for (; f->leaf_next < f->leaf_count && f->leaves[f->leaf_next].node == node; f->leaf_next++) {
		const struct leaf *leaf = &f->leaves[f->leaf_next];

		fprintf(f->out, "%.*s", size, path);
		put_natives(f->out, p, leaf->native);
		fprintf(f->out, " %" PRIu64 "\n", estimate_cost(leaf->samples, p->meta.period));
	}
}

/* The path grows and shrinks with the walk, so a line costs only its own length. */
static int fold(struct fold *f)
{
	const struct report *r = f->r;
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
		else
			put_path(f, walk.node, path, ends[walk.depth]);
	}
	if (stack)
		fclose(stack);
	free(path);
	free(ends);
	return err;
}

int export_folded(const struct report *r, FILE *out)
{
	return fold(&(struct fold){ .r = r, .self = r->costs.self, .out = out });
}

int export_folded_kernel(const struct report *r, FILE *out)
{
	return fold(&(struct fold){ .r = r, .self = r->kernel.self, .out = out });
}

int export_folded_natives(const struct report *r, FILE *out)
{
	struct fold f = { .r = r, .out = out };
	struct tally leaves;
	int err = leaves_compute(r, true, &leaves);

	if (err)
		return err;
	f.leaves = leaves.items;
	f.leaf_count = leaves.count;
	err = fold(&f);
	tally_clear(&leaves);
	return err;
}
