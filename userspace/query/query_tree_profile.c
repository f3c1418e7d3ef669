/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trees as a profile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/profile.h"
#include "userspace/query/query_tree.h"

/* As slices are tagged. */
static enum metric metric_of(const char *name)
{
	for (int m = METRIC_INSTRUCTIONS; m <= METRIC_TASK_CLOCK; m++)
		if (!strcmp(metric_name(m), name))
			return m;
	return 0;
}

struct making {
	const struct query_tree *tree;
	const struct query_pair *pair;
	struct sink *sink;
	uint32_t *functions; /* by the tree's index: ids; 0: not told yet */
	uint32_t *nodes;
	uint32_t function_count, node_count;
};

static bool is_wanted(const struct making *m, uint32_t group)
{
	const struct query_pair *pair = &m->tree->groups[group].pair;

	return !strcmp(pair->metric, m->pair->metric) && !strcmp(pair->mode, m->pair->mode);
}

/* Called by the values of its keys. What stands for a pid is the group's number. */
static int process_make(const struct making *m, uint32_t group)
{
	const struct query_tree_group *g = &m->tree->groups[group];
	char name[QUERY_KEYS_MAX * 64] = "";
	size_t used = 0;

	for (unsigned i = 0; i < m->tree->key_count; i++)
		used += snprintf(name + used, sizeof(name) - used, "%s%.60s", i ? ", " : "",
				 *g->values[i] ? g->values[i] : "-");
	return m->sink->process(m->sink, &(struct sink_process){
						 .pid = group + 1, .comm = used ? name : "all",
						 .python = "", .exe = "" });
}

static int function_make(struct making *m, uint32_t index)
{
	const struct query_tree_function *f = &m->tree->functions[index];
	int err;

	if (m->functions[index] || !strcmp(f->name, QUERY_OUTSIDE))
		return 0;
	/* The name as it is displayed has the module in it. */
	err = m->sink->function(m->sink, &(struct sink_function){
						 .id = m->function_count + 1, .name = f->name,
						 .qualname = f->name, .class_name = "",
						 .module = "", .file = f->file, .wraps = "",
						 .line = f->line });
	m->functions[index] = err ? 0 : ++m->function_count;
	return err;
}

static int node_make(struct making *m, uint32_t index)
{
	const struct query_tree_node *n = &m->tree->nodes[index];
	bool sampled = !strcmp(m->pair->mode, "sampled");
	struct sink_cost cost;
	int err = function_make(m, n->function);

	if (err)
		return err;
	/* Code outside any function that has a caller is its caller's. */
	if (n->parent && !m->functions[n->function])
		m->nodes[index] = m->nodes[n->parent];
	else {
		err = m->sink->node(m->sink, &(struct sink_node){
						     .id = m->node_count + 1,
						     .parent = m->nodes[n->parent],
						     .function = m->functions[n->function],
						     .pid = n->group + 1 });
		if (err)
			return err;
		m->nodes[index] = ++m->node_count;
	}
	cost = (struct sink_cost){ .node = m->nodes[index],
				   .calls = sampled ? n->samples : n->calls,
				   .self = n->self < 0x1p63 ? (uint64_t)(n->self + 0.5)
							     : (uint64_t)1 << 63 };
	return m->sink->cost(m->sink, &cost);
}

static int all_make(struct making *m, struct profile *p, uint64_t since, uint64_t until)
{
	const struct query_tree *t = m->tree;
	bool any = false;
	int err = !metric_of(m->pair->metric) ? -ENOENT : m->sink->meta(m->sink, &(struct sink_meta){
						 .metric = metric_of(m->pair->metric),
						 .user_only = true, .host = "", .kernel = "",
						 .version = PYCOST_VERSION,
						 .start_realtime_ns = since * 1000000000,
						 .many = !strcmp(m->pair->mode, "sampled")
								 ? MANY_SAMPLED : MANY_EXACT });

	for (uint32_t i = 0; !err && i < t->group_count; i++)
		if (is_wanted(m, i)) {
			any = true;
			err = process_make(m, i);
		}
	for (uint32_t i = 1; !err && i < t->node_count; i++)
		if (is_wanted(m, t->nodes[i].group))
			err = node_make(m, i);
	if (!err)
		err = m->sink->end(m->sink, (until - since) * 1000000000);
	return err ? err : any ? 0 : -ENOENT;
}

int query_tree_profile(const struct query_tree *t, const struct query_pair *pair, uint64_t since,
		       uint64_t until, struct profile **ret)
{
	struct making m = { .tree = t, .pair = pair };
	struct profile *p;
	int err = profile_create(&p);

	if (err)
		return err;
	m.sink = &p->sink;
	m.functions = calloc(t->function_count + 1, sizeof(*m.functions));
	m.nodes = calloc(t->node_count + 1, sizeof(*m.nodes));
	err = m.functions && m.nodes ? all_make(&m, p, since, until) : -ENOMEM;
	free(m.functions);
	free(m.nodes);
	if (err)
		profile_free(p);
	else
		*ret = p;
	return err;
}
