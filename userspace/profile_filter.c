/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a profile when only a part of it is asked for. */
#include <errno.h>
#include <stdlib.h>

#include "userspace/profile.h"

/* Of what samples tell, only that of nodes that were kept, under their new ids. */
static void samples_keep(struct profile *p, const uint32_t *node_ids)
{
	struct sink_sample *samples = p->sample_tally.items;
	struct sink_passage *passages = p->passage_tally.items;
	size_t kept = 0;

	for (size_t i = 0; i < p->sample_count; i++)
		if (node_ids[samples[i].node]) {
			samples[kept] = samples[i];
			samples[kept].node = node_ids[samples[kept].node];
			kept++;
		}
	p->sample_count = kept;
	kept = 0;
	for (size_t i = 0; i < p->passage_count; i++)
		if (node_ids[passages[i].node]) {
			passages[kept] = passages[i];
			passages[kept].node = node_ids[passages[kept].node];
			kept++;
		}
	p->passage_count = kept;
}

int profile_keep_pid(struct profile *p, uint32_t pid)
{
	uint32_t *node_ids = calloc(p->node_count, sizeof(*node_ids));
	uint32_t *process_ids = calloc(p->process_count + 1, sizeof(*process_ids));
	size_t nodes = 1, processes = 0;

	if (!node_ids || !process_ids) {
		free(node_ids);
		free(process_ids);
		return -ENOMEM;
	}
	for (size_t i = 1; i < p->node_count; i++) {
		struct profile_node node = p->nodes[i];

		if (p->processes[node.process].pid != pid)
			continue;
		/* A parent in another process was dropped: id 0 makes this a root. */
		node.parent = node_ids[node.parent];
		node_ids[i] = nodes;
		p->nodes[nodes++] = node;
	}
	for (size_t i = 0; i < p->process_count; i++)
		if (p->processes[i].pid == pid) {
			process_ids[i] = processes;
			p->processes[processes++] = p->processes[i];
		}
	for (size_t i = 1; i < nodes; i++)
		p->nodes[i].process = process_ids[p->nodes[i].process];
	samples_keep(p, node_ids);
	profile_requests_keep_pid(&p->requests, pid);
	p->node_count = nodes;
	p->process_count = processes;
	free(node_ids);
	free(process_ids);
	return processes ? 0 : -ESRCH;
}

int profile_keep_endpoints(struct profile *p, const bool *wanted)
{
	uint32_t *node_ids = calloc(p->node_count, sizeof(*node_ids));
	size_t nodes = 1;

	if (!node_ids)
		return -ENOMEM;
	for (size_t i = 1; i < p->node_count; i++) {
		struct profile_node node = p->nodes[i];

		/* All of a tree are of the endpoint of its root. */
		if (!wanted[node.endpoint])
			continue;
		node.parent = node_ids[node.parent];
		node_ids[i] = nodes;
		p->nodes[nodes++] = node;
	}
	samples_keep(p, node_ids);
	profile_requests_keep_endpoints(&p->requests, wanted);
	p->node_count = nodes;
	free(node_ids);
	return 0;
}
