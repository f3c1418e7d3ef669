/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "userspace/query/query_kind.h"
#include "userspace/query/query_tree.h"

int query_paths_run(struct query_run *r)
{
	struct query_tree tree;
	int err = query_tree_load(r, r->q->limit, &tree);

	if (err)
		return err;
	err = query_tree_write(r, &tree);
	query_tree_free(&tree);
	return err;
}
